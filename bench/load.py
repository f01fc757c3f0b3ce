"""A load of signed events over raw sockets: cheap enough that it measures the server, not itself."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import multiprocessing
import socket
import threading
import time
from dataclasses import dataclass
from multiprocessing.queues import SimpleQueue

SECRET = "whsec_" + base64.b64encode(b"a secret of the benchmark's own!").decode()
CONNECTIONS = 16

EVENTS_PER_CONNECTION = 10
"""Processes that share a port divide connections by chance. Of 16 that stay open one got up to 4 in 5, and
what two processes do differed by half from run to run; where new ones are made it is even.
"""


@dataclass(frozen=True)
class Load:
    """The result of a load: answers per second, and the number of those that were not 200."""

    per_second: float
    refused: int


def event_body(number: int) -> bytes:
    return json.dumps(
        {
            "object": "event",
            "type": "waitlistEntry.created",
            "timestamp": int(time.time() * 1000),
            "instance_id": "ins_bench",
            "data": {
                "object": "waitlist_entry",
                "id": f"wle_{number}",
                "email_address": f"person{number}@example.com",
                "status": "pending",
                "created_at": 1700000000000,
                "updated_at": 1700000000000,
            },
        }
    ).encode()


def signed_request(number: int, *, path: str = "/api/webhooks") -> bytes:
    """One whole HTTP request with a signed event of its own message id."""
    body = event_body(number)
    message_id, timestamp = f"msg_{number:012d}_{time.monotonic_ns()}", str(int(time.time()))
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    signed = f"{message_id}.{timestamp}.".encode() + body
    signature = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"svix-id: {message_id}\r\nsvix-timestamp: {timestamp}\r\nsvix-signature: v1,{signature}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def send_load(port: int, count: int, connections: int = CONNECTIONS) -> Load:
    """Send `count` signed events over as many connections, from a process of its own."""
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    process = context.Process(target=_send_all, args=(port, count, connections, results))
    process.start()
    seconds, refused = results.get()
    process.join()
    return Load(per_second=count / seconds, refused=refused)


def _send_all(port: int, count: int, connections: int, results: SimpleQueue[tuple[float, int]]) -> None:
    requests = [signed_request(number) for number in range(count)]
    refused = [0] * connections
    threads = [
        threading.Thread(target=_send_some, args=(port, requests[index::connections], refused, index))
        for index in range(connections)
    ]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    results.put((time.perf_counter() - began, sum(refused)))


def _send_some(port: int, requests: list[bytes], refused: list[int], index: int) -> None:
    connection = _connected(port)
    for number, request in enumerate(requests, index):
        connection.sendall(request)
        status, keeps = _read_answer(connection)
        refused[index] += status != 200
        if not keeps or number % EVENTS_PER_CONNECTION == 0:
            connection.close()
            connection = _connected(port)
    connection.close()


def _connected(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _read_answer(connection: socket.socket) -> tuple[int, bool]:
    """The status of one answer, and whether the connection stays open."""
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = connection.recv(65536)
        if not chunk:
            return 0, False
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").lower().split("\r\n")
    fields = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
    missing = int(fields.get("content-length", "0")) - len(body)
    while missing > 0:
        missing -= len(connection.recv(65536))
    return int(lines[0].split()[1]), fields.get("connection") != "close"


def time_one(port: int, request: bytes) -> float:
    """Send one request on a connection of its own and read the answer; returns when it began (monotonic)."""
    with _connected(port) as connection:
        began = time.monotonic()
        connection.sendall(request)
        _read_answer(connection)
    return began


def time_answer(port: int, request: bytes) -> float:
    """Send one request on a connection of its own; returns the seconds until its answer was read."""
    with _connected(port) as connection:
        began = time.perf_counter()
        connection.sendall(request)
        _read_answer(connection)
        return time.perf_counter() - began
