"""The log of a process that serves: nobody who does not read it stops anything, and what was lost is told."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import given
import pytest
from running import Running, environment, get, post_event, wait_until_ready, write_configuration
from servers.http_receiver import HttpReceiver
from servers.program import free_port

from hub.process.log_queue import QueuedStream


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    yield reader, writer
    os.close(reader)
    os.close(writer)


def stream(descriptor: int, limit: int = 1000) -> QueuedStream:
    return QueuedStream(descriptor, lambda count: f"log.dropped count={count}\n", limit)


def fill(descriptor: int) -> int:
    """Write until no more fits; returns the bytes."""
    os.set_blocking(descriptor, False)
    size = 0
    try:
        while True:
            size += os.write(descriptor, b"." * 4096)
    except BlockingIOError:
        os.set_blocking(descriptor, True)
        return size


def read_until(descriptor: int, end: bytes) -> bytes:
    content = b""
    while not content.endswith(end):
        content += os.read(descriptor, 65536)
    return content


def test_lines_keep_their_order(pipe: tuple[int, int]) -> None:
    log = stream(pipe[1], limit=100_000)
    lines = [f"line {number} é\n" for number in range(1000)]
    for line in lines:
        log.write(line)
    log.drain(30)

    assert "".join(lines) == os.read(pipe[0], 65536).decode()


def test_what_nobody_reads_is_dropped_counted_and_told_once_it_can_be(pipe: tuple[int, int]) -> None:
    filled = fill(pipe[1])
    log = stream(pipe[1])
    log.write("first\n")
    given.until(lambda: log._is_writing)
    for number in range(300):
        log.write(f"{number:09}\n")
    log.drain(0.05)
    content = read_until(pipe[0], b"count=200\n")[filled:].decode().splitlines()
    log.write("after\n")
    log.drain(30)

    assert ["first", *(f"{number:09}" for number in range(100)), "log.dropped count=200"] == content
    assert os.read(pipe[0], 100) == b"after\n"


def test_what_a_full_disk_refuses_is_told_once_there_is_room(tmp_path: Path) -> None:
    descriptor = os.open("/dev/full", os.O_WRONLY)
    log = stream(descriptor)
    log.write("one\ntwo\n")
    log.drain(30)
    with (tmp_path / "log").open("wb") as file:
        os.dup2(file.fileno(), descriptor)
    log.write("three\n")
    log.drain(30)
    os.close(descriptor)

    assert (tmp_path / "log").read_text() == "three\nlog.dropped count=2\n"


def test_a_pipe_that_somebody_made_non_blocking_loses_nothing(pipe: tuple[int, int]) -> None:
    filled = fill(pipe[1])
    os.set_blocking(pipe[1], False)
    log = stream(pipe[1])
    log.write("late\n")
    given.until(lambda: log._is_writing)

    assert read_until(pipe[0], b"late\n")[filled:] == b"late\n"


def test_a_forked_child_logs_and_repeats_nothing_of_its_parents(pipe: tuple[int, int]) -> None:
    log = stream(pipe[1])
    log.write("parent\n")
    child = os.fork()
    if child == 0:
        log.write("child\n")
        log.drain(30)
        os._exit(0)
    os.waitpid(child, 0)
    log.drain(30)

    assert sorted(os.read(pipe[0], 100).splitlines()) == [b"child", b"parent"]


def test_the_end_of_a_process_waits_a_second_at_most(pipe: tuple[int, int]) -> None:
    fill(pipe[1])
    log = stream(pipe[1])
    log.write("x\n")
    began = time.monotonic()
    log.drain()

    assert 0.9 < time.monotonic() - began < 60


CRASH = """
import logging, os, structlog, sys, threading, warnings
from hub.process.log_queue import end_process
from hub.process.logs import set_up_server_logs
set_up_server_logs("text", "info")
structlog.get_logger().info("first")
logging.getLogger("gunicorn.error").error("second")
warnings.warn("third")
thread = threading.Thread(target=lambda: 1 / 0)
thread.start()
thread.join()
"""


@pytest.mark.parametrize(
    "end", ["raise LookupError('the end')", "print('the end', file=sys.stderr); end_process(3)"]
)
def test_everything_a_process_says_keeps_its_order_to_the_end(end: str) -> None:
    process = subprocess.run([sys.executable, "-c", CRASH + end], capture_output=True, text=True, check=False)
    wanted = ["first", "gunicorn.error: second", "UserWarning: third", "ZeroDivisionError", "the end"]
    places = [process.stderr.find(text) for text in wanted]

    assert process.returncode in (1, 3)
    assert -1 not in places
    assert places == sorted(places)


def test_a_crash_ends_a_process_whose_log_nobody_reads(pipe: tuple[int, int]) -> None:
    fill(pipe[1])
    process = subprocess.run([sys.executable, "-c", CRASH + "1 / 0"], stderr=pipe[1], timeout=60, check=False)

    assert process.returncode == 1


def test_a_hub_whose_log_nobody_reads_serves_delivers_and_ends(tmp_path: Path, pipe: tuple[int, int]) -> None:
    folder, port = write_configuration(tmp_path), free_port()
    with HttpReceiver() as crm:
        env = environment(folder, PORT=str(port), CRM_WEBHOOK_URL=crm.url)
        with Running(f"exec hub serve 2>/proc/{os.getpid()}/fd/{pipe[1]}", folder, env) as hub:
            wait_until_ready(port, hub)
            fill(pipe[1])
            answers = [post_event(port).status_code for _ in range(10)]

            assert answers == [200] * 10
            assert len(crm.wait_for(10)) == 10
            assert get(port, "/readyz").status_code == 200
            os.set_blocking(pipe[0], False)
            hub.stop()
            assert hub.pids() == []


def test_a_hub_serves_with_every_stream_closed(tmp_path: Path) -> None:
    folder, port = write_configuration(tmp_path), free_port()
    with HttpReceiver() as crm:
        env = environment(folder, PORT=str(port), CRM_WEBHOOK_URL=crm.url)
        with Running("exec hub serve 0<&- >&- 2>&-", folder, env) as hub:
            wait_until_ready(port, hub)

            assert post_event(port).status_code == 200
            assert len(crm.wait_for(1)) == 1
