"""One connection in the event loop: it collects a whole request, has it handled, and sends the answer."""

from __future__ import annotations

import asyncio
import contextlib
import math
import socket
import threading
from collections.abc import Callable
from enum import Enum, auto
from typing import Any, cast

from hub.web.server import refusals
from hub.web.server.framing import Arrival, Framing
from hub.web.server.memory_socket import MemorySocket
from hub.web.server.registry import Registry

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Phase(Enum):
    """A request is to come or is coming; a thread has it; its answer goes out; that was the last one."""

    RECEIVING = auto()
    HANDLED = auto()
    ANSWERING = auto()
    CLOSING = auto()


Handle = Callable[[Callable[[bool], None]], None]
"""Has a thread handle the request in a connection's socket, which then calls: may another request follow?"""

Connect = Callable[[MemorySocket, Any, Any], Handle]
"""Returns what handles the requests of a connection, of its socket, the client's address and ours."""


class Connection(asyncio.BufferedProtocol):
    """One client. Whatever it does or leaves undone, it costs a socket and what it has sent, but no thread.

    Most answers are sent whole by the thread that made them, and the loop notes so when it next looks at the
    connection; so a request costs it one turn. What both of them touch they touch under a lock, which also
    keeps the descriptor theirs while a thread sends. `read_buffer` may be shared with other connections: what
    is read is taken out of it at once.
    """

    def __init__(
        self, registry: Registry, connect: Connect, read_buffer: memoryview, client: socket.socket
    ) -> None:
        self.buffered_bytes = 0
        self._registry = registry
        self._connect = connect
        self._read_buffer = read_buffer
        self._client = client
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._is_answered = False
        self._is_lost = False
        self._socket = MemorySocket()
        self._buffer = bytearray()
        self._framing = Framing()
        self._phase = Phase.RECEIVING
        self._deadline = math.inf
        self._is_kept = True
        self._is_idle = False
        self._has_ended = False
        self._is_writable = True
        self._handled_bytes = self._untaken_bytes = 0
        self._answer_ends = math.inf

    @property
    def is_handled(self) -> bool:
        return self._phase is Phase.HANDLED and not self._is_answered

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        # It calls back once all is written.
        self._transport.set_write_buffer_limits(high=0)
        client = transport.get_extra_info("peername")
        self._handle = self._connect(self._socket, client, transport.get_extra_info("sockname"))
        self._receive_within(self._registry.limits.request_seconds)
        if client is None:
            self.abort()

    def connection_lost(self, error: Exception | None) -> None:
        with self._lock:
            self._is_lost = True
        self._registry.remove(self)
        self._buffer.clear()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._read_buffer

    def buffer_updated(self, count: int) -> None:
        if self._phase is Phase.CLOSING:
            return
        with self._lock:
            self._buffer += self._read_buffer[:count]
            is_pipelined = self.is_handled or self._phase is Phase.ANSWERING
        if is_pipelined:
            # It is read on once the answer before is taken.
            self._transport.pause_reading()
        else:
            self._note_answer()
            if self._is_idle:
                self._receive_within(self._registry.limits.request_seconds)
            self._is_idle = False
        self._registry.buffer(self, count)
        if self._phase is Phase.RECEIVING:
            self._advance()

    def eof_received(self) -> bool:
        """Return True to keep the other direction open."""
        with self._lock:
            self._has_ended = True
        self._note_answer()
        if self._phase is Phase.RECEIVING:
            self._break_off()
        return self._phase in (Phase.HANDLED, Phase.ANSWERING)

    def resume_writing(self) -> None:
        if self._phase is Phase.ANSWERING:
            self._finish_answer()

    def _receive_within(self, seconds: float) -> None:
        self._enter(Phase.RECEIVING, min(self._loop.time() + seconds, self._registry.receive_ends))

    def _enter(self, phase: Phase, deadline: float) -> None:
        self._phase = phase
        self._deadline = deadline
        self._registry.move_to_end(self)

    def _advance(self) -> None:
        before = len(self._buffer)
        arrival = self._framing.advance(self._buffer)
        self._registry.release(self, before - len(self._buffer))
        if arrival is Arrival.LONG_HEAD:
            self._refuse(refusals.LONG_HEAD)
        elif arrival is not Arrival.PARTIAL:
            self._is_kept = arrival is Arrival.WHOLE
            self._hand_over(self._framing.size if self._is_kept else len(self._buffer))
        elif self._framing.expects_continue:
            self._framing.expects_continue = False
            self._transport.write(CONTINUE)

    def _hand_over(self, size: int) -> None:
        request, self._buffer = self._buffer, self._buffer[size:]
        del request[size:]
        self._handled_bytes = size
        self._framing = Framing()
        self._is_writable = not self._transport.get_write_buffer_size()
        self._socket.put(request)
        self._is_answered = False
        if not self._buffer:
            # The loop may not hear of the answer before it reads on.
            self._transport.resume_reading()
        self._enter(Phase.HANDLED, math.inf)
        self._handle(self._answer)

    def _answer(self, is_kept: bool) -> None:
        """Send the answer from its thread, and tell the loop where there is more to do."""
        answer = self._socket.take_answer()
        is_kept = is_kept and self._is_kept
        with self._lock:
            taken = self._send_now(answer)
            is_over = is_kept and taken == len(answer)
            self._is_answered = is_over and not self._buffer and not self._has_ended
            if self._is_answered:
                return
        # The loop of a process that stops may be gone.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._go_on, answer[taken:], is_kept)

    def _send_now(self, answer: bytes) -> int:
        """Return the number of bytes that were sent; none where the loop will find out why not."""
        if self._is_lost or not self._is_writable:
            return 0
        try:
            return self._client.send(answer, socket.MSG_DONTWAIT)
        except OSError:
            return 0

    def _note_answer(self) -> None:
        """Wait for the next request after an answer that its thread sent alone."""
        if self._phase is Phase.HANDLED and self._is_answered:
            self._registry.release(self, self._handled_bytes)
            self._is_idle = True
            self._receive_within(self._registry.limits.idle_seconds)

    def _go_on(self, rest: bytes, is_kept: bool) -> None:
        if self._transport.is_closing():
            return
        self._registry.release(self, self._handled_bytes)
        self._is_kept = is_kept
        self._send(rest)

    def _refuse(self, answer: bytes) -> None:
        self._is_kept = False
        self._drop_buffer()
        self._send(answer)

    def _send(self, answer: bytes) -> None:
        limits = self._registry.limits
        self._transport.write(answer)
        self._untaken_bytes = self._transport.get_write_buffer_size()
        self._answer_ends = self._loop.time() + limits.answer_seconds
        self._enter(Phase.ANSWERING, self._loop.time() + limits.untaken_seconds)
        if not self._untaken_bytes:
            self._finish_answer()

    def _finish_answer(self) -> None:
        """Go on to the next request, or close so that the client sees the answer: not before it did."""
        if not self._is_kept:
            self._close()
            return
        if self._buffer:
            self._receive_within(self._registry.limits.request_seconds)
            self._advance()
        else:
            self._is_idle = True
            self._receive_within(self._registry.limits.idle_seconds)
        if self._phase is Phase.RECEIVING:
            self._transport.resume_reading()
            if self._has_ended:
                self._break_off()

    def _break_off(self) -> None:
        """End a connection on which no more will come."""
        if self._framing.head_size:
            self._refuse(refusals.BROKEN_OFF)
        else:
            self._transport.close()

    def _close(self) -> None:
        self._drop_buffer()
        if self._has_ended:
            self._transport.close()
            return
        self._enter(Phase.CLOSING, self._loop.time() + self._registry.limits.closing_seconds)
        self._transport.resume_reading()
        # Who has reset the connection has none to shut down.
        with contextlib.suppress(OSError):
            self._transport.write_eof()

    def _drop_buffer(self) -> None:
        self._registry.release(self, len(self._buffer))
        self._buffer = bytearray()

    def check(self, now: float) -> None:
        self._note_answer()
        if self._phase is Phase.ANSWERING:
            self._watch_answer(now)
        if now >= self._deadline:
            self._expire()

    def _watch_answer(self, now: float) -> None:
        untaken = self._transport.get_write_buffer_size()
        if untaken < self._untaken_bytes:
            self._untaken_bytes = untaken
            self._deadline = min(now + self._registry.limits.untaken_seconds, self._answer_ends)

    def _expire(self) -> None:
        if self._has_head():
            self._registry.note("unfinished")
            self._refuse(refusals.LATE)
            return
        if self._phase is Phase.ANSWERING:
            self._registry.note("untaken")
        self.abort()

    def _has_head(self) -> bool:
        return self._phase is Phase.RECEIVING and self._framing.head_size > 0

    def shed(self) -> None:
        self._note_answer()
        if not self.buffered_bytes:
            return
        self._registry.note("evicted")
        if self._has_head():
            self._refuse(refusals.OVERLOADED)
        else:
            self._drop_buffer()
            self.abort()

    def evict(self) -> None:
        if self._has_head():
            self._transport.write(refusals.OVERLOADED)
        self.abort()

    def stop(self, deadline: float) -> None:
        self._note_answer()
        if self._phase is Phase.RECEIVING:
            self._deadline = min(self._deadline, deadline)

    def abort(self) -> None:
        self._phase = Phase.CLOSING
        self._transport.abort()
