"""A request as its bytes arrive: has it arrived whole? Its meaning is for gunicorn's parser to say."""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import Protocol

from hub.ingest.receive import BODY_LIMIT_BYTES

HEAD_LIMIT_BYTES = 64 * 1024

CHUNKED_LIMIT_BYTES = 2 * BODY_LIMIT_BYTES
"""A chunked body with its sizes, extensions and trailers."""

CHUNK_LINES_LIMIT = 32 * 1024
"""Two for each chunk: a MiB in chunks of 64 bytes. To follow smaller ones would be much work."""

CHUNK_LINE_LIMIT_BYTES = 8 * 1024

READ_AHEAD_BYTES = 64 * 1024
"""gunicorn reads more of a body than it is asked for, by a KiB or more."""

DRAIN_LIMIT_BYTES = 16 * 1024 * 1024
"""As much of a body that is too large is read and thrown away: closing on an upload loses the answer."""

# A name begins its line, and no space stands before the colon: what else there is, the parser refuses.
LENGTH = re.compile(rb"\ncontent-length:[ \t]*([^\r\n]*)", re.IGNORECASE)
CODING = re.compile(rb"\ntransfer-encoding:[ \t]*([^\r\n]*)", re.IGNORECASE)
EXPECTATION = re.compile(rb"\nexpect:[ \t]*([^\r\n]*)", re.IGNORECASE)
NUMBER = re.compile(rb"[0-9]{1,18}")
CHUNK_SIZE = re.compile(rb"[0-9a-fA-F]{1,15}")


class Arrival(Enum):
    """The part of a request that has arrived; what is unclear goes to the parser as it is, which refuses."""

    PARTIAL = auto()
    WHOLE = auto()
    UNCLEAR = auto()
    LONG_HEAD = auto()
    LARGE_BODY = auto()


class Body(Protocol):
    """The body of a request, followed to its end."""

    @property
    def is_large(self) -> bool:
        """True as soon as it is too large."""

    @property
    def excess(self) -> bytes:
        """A beginning of such a body that is too large by itself."""

    def advance(self, buffer: bytearray, position: int) -> tuple[Arrival, int]:
        """Read on from a position; returns it with the one that was reached."""


class Framing:
    """One request, which begins where the buffer does.

    `size` are its bytes, once it is whole. A body that is too large is taken out of the buffer as it comes;
    at its end another stands there that is shorter and too large as well, for the app to refuse.
    """

    def __init__(self) -> None:
        self.size = 0
        self.head_size = 0
        self.expects_continue = False
        self._body: Body | None = None
        self._drained = 0

    def advance(self, buffer: bytearray) -> Arrival:
        """Look at what has arrived since the last time."""
        if self._body is None and (obstacle := self._read_head(buffer)):
            return obstacle
        assert self._body is not None
        arrival, self.size = self._body.advance(buffer, self.size)
        return self._drain(buffer, arrival) if self._body.is_large else arrival

    def _read_head(self, buffer: bytearray) -> Arrival | None:
        """Find the body's kind; returns None once it is known."""
        end = buffer.find(b"\r\n\r\n", max(0, self.size - 3))
        if (end if end >= 0 else len(buffer)) > HEAD_LIMIT_BYTES:
            return Arrival.LONG_HEAD
        if end < 0:
            self.size = len(buffer)
            # The parser takes no line that ends otherwise, so a head with one never ends.
            is_bare = buffer.count(b"\n") != buffer.count(b"\r\n")
            return Arrival.UNCLEAR if is_bare else Arrival.PARTIAL
        head = bytes(buffer[: end + 2])
        self.head_size = self.size = end + 4
        expectations = [value.strip().lower() for value in EXPECTATION.findall(head)]
        self.expects_continue = expectations == [b"100-continue"] and b" HTTP/1.1\r\n" in head
        self._body = _body_of(head) if expectations in ([], [b"100-continue"]) else None
        return None if self._body else Arrival.UNCLEAR

    def _drain(self, buffer: bytearray, arrival: Arrival) -> Arrival:
        assert self._body is not None
        self._drained += self.size - self.head_size
        del buffer[self.head_size : self.size]
        self.size = self.head_size
        # Who waits to be asked for the body is answered instead.
        is_over = self.expects_continue or self._drained > DRAIN_LIMIT_BYTES
        if arrival is Arrival.PARTIAL and not is_over:
            return Arrival.PARTIAL
        buffer[self.head_size :] = self._body.excess
        return Arrival.LARGE_BODY


def _body_of(head: bytes) -> Body | None:
    """Return the body that a head announces; None where it is unclear."""
    lengths, codings = LENGTH.findall(head), CODING.findall(head)
    if not codings and not lengths:
        return _Length(0)
    if not codings and len(lengths) == 1 and NUMBER.fullmatch(length := lengths[0].rstrip(b" \t")):
        return _Length(int(length))
    if not lengths and len(codings) == 1 and codings[0].rpartition(b",")[2].strip().lower() == b"chunked":
        return _Chunks()
    return None


class _Length:
    """A body of a known length."""

    excess = bytes(BODY_LIMIT_BYTES + READ_AHEAD_BYTES)

    def __init__(self, length: int) -> None:
        self._missing = length
        self.is_large = length > BODY_LIMIT_BYTES

    def advance(self, buffer: bytearray, position: int) -> tuple[Arrival, int]:
        taken = min(self._missing, len(buffer) - position)
        self._missing -= taken
        return (Arrival.PARTIAL if self._missing else Arrival.WHOLE), position + taken


class _Chunks:
    """A chunked body: sizes, data and trailers, each of which ends with CRLF (RFC 9112, section 7.1)."""

    def __init__(self) -> None:
        self._missing = 0
        self._data_ends = False
        self._in_trailers = False
        self._data = self._raw = self._lines = 0

    excess = b"%x\r\n" % len(_Length.excess) + _Length.excess

    @property
    def is_large(self) -> bool:
        is_long = self._raw > CHUNKED_LIMIT_BYTES or self._lines > CHUNK_LINES_LIMIT
        return is_long or self._data > BODY_LIMIT_BYTES

    def advance(self, buffer: bytearray, position: int) -> tuple[Arrival, int]:
        began = position
        arrival = None
        while arrival is None:
            taken = min(self._missing, len(buffer) - position)
            self._missing -= taken
            position += taken
            arrival, position = self._read_line(buffer, position)
        self._raw += position - began
        return arrival, position

    def _read_line(self, buffer: bytearray, position: int) -> tuple[Arrival | None, int]:
        end = buffer.find(b"\r\n", position)
        if end < 0:
            is_long = len(buffer) - position > CHUNK_LINE_LIMIT_BYTES
            return (Arrival.UNCLEAR if is_long else Arrival.PARTIAL), position
        return self._take(bytes(buffer[position:end])), end + 2

    def _take(self, line: bytes) -> Arrival | None:
        """Take the line behind data, that of a size, or a trailer; returns None to go on."""
        self._lines += 1
        if self._lines > CHUNK_LINES_LIMIT:
            return Arrival.LARGE_BODY
        if self._in_trailers:
            return None if line else Arrival.WHOLE
        if self._data_ends:
            self._data_ends = False
            return Arrival.UNCLEAR if line else None
        size = line.partition(b";")[0].rstrip(b" \t")
        if not CHUNK_SIZE.fullmatch(size):
            return Arrival.UNCLEAR
        self._missing = int(size, 16)
        self._data += self._missing
        self._data_ends = self._missing > 0
        self._in_trailers = self._missing == 0
        return None
