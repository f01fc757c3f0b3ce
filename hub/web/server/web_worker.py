"""gunicorn's worker with threads, behind an event loop that no client can hold up.

asyncio collects a request until it has arrived whole, one of the threads runs gunicorn's own handling of it
over a socket made of memory, and the loop sends the answer. Parser, environ and errors are gunicorn's.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable
from functools import partial
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker

from hub.delivery.executor import ThreadPool
from hub.web.server.connection import Connection, Handle
from hub.web.server.memory_socket import MemorySocket
from hub.web.server.registry import Registry

CHECK_SECONDS = 0.5
"""Between two looks at deadlines and at the parent; the master wants to hear from a worker, too."""

READ_BYTES = 64 * 1024

SPARE_SECONDS = 1.0
"""As much before its master would kill it a worker ends by itself."""


class WebWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """A worker whose application has `limits`."""

    def handle_exit(self, number: int, frame: object) -> None:
        """Stop before the loop runs; from then on it takes the signal itself."""
        self.alive = False

    def run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._registry = Registry(self.app.limits)
        self._read_buffer = memoryview(bytearray(READ_BYTES))
        self._threads = ThreadPool(self.cfg.threads, "web")
        self._arrivals: set[asyncio.Task[Any]] = set()
        stopping = asyncio.Event()
        self._loop.add_signal_handler(signal.SIGTERM, stopping.set)
        for listener in self.sockets:
            listener.setblocking(False)
            self._loop.add_reader(listener.fileno(), self._accept, listener)
        while self.alive and self.is_parent_alive() and not stopping.is_set():
            self._check()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), CHECK_SECONDS)
        await self._stop()

    def _check(self) -> None:
        self.notify()
        self._registry.check(self._loop.time())

    async def _stop(self) -> None:
        """Answer what is whole, and what becomes so within its last seconds."""
        self.alive = False
        for listener in self.sockets:
            self._loop.remove_reader(listener.fileno())
        now = self._loop.time()
        self._registry.stop(now)
        while self._registry and self._loop.time() < now + self.cfg.graceful_timeout - SPARE_SECONDS:
            self._check()
            await asyncio.sleep(CHECK_SECONDS / 10)
        self._registry.abort_all()

    def _accept(self, listener: Any) -> None:
        try:
            client, _ = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError:
            # No descriptor is free, for whatever reason.
            self._registry.evict_oldest()
            return
        if not self._registry.make_room():
            client.close()
            return
        make = partial(Connection, self._registry, self._connect, self._read_buffer, client)
        arrival = self._loop.create_task(self._loop.connect_accepted_socket(make, client))
        self._arrivals.add(arrival)
        arrival.add_done_callback(self._forget)

    def _forget(self, arrival: asyncio.Task[Any]) -> None:
        """Drop the task of a connection that was made, or was reset before it was."""
        self._arrivals.discard(arrival)
        if not arrival.cancelled():
            arrival.exception()

    def _connect(self, socket: MemorySocket, client: Any, own: Any) -> Handle:
        conn = TConn(self.cfg, socket, client, own)
        conn.data_ready = True
        return lambda answer: self._threads.submit(lambda: self._run_one(conn, answer))

    def _run_one(self, conn: TConn, answer: Callable[[bool], None]) -> None:
        """Handle a request in a thread, and say if another may follow.

        None may where the parser saw its end elsewhere: the answers after it would be those of others.
        """
        is_kept = False
        with contextlib.suppress(SystemExit):
            is_kept = self.handle(conn) and not conn.sock.unread_bytes
            is_kept = is_kept and not conn.parser.unreader.buf.getvalue()
        answer(is_kept)
