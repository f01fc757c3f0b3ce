"""A socket without a wire: gunicorn's thread reads a request that is whole, and its answer is collected."""

from __future__ import annotations

import errno


class MemorySocket:
    """The part of a socket that gunicorn's parser and response use."""

    def __init__(self) -> None:
        self._request = memoryview(b"")
        self._answer: list[bytes] = []

    def put(self, request: bytearray) -> None:
        """Set the bytes that are to be read."""
        self._request = memoryview(request)

    @property
    def unread_bytes(self) -> int:
        return len(self._request)

    def take_answer(self) -> bytes:
        """Return what was written, and forget it and the request."""
        answer = b"".join(self._answer)
        self._answer.clear()
        self._request = memoryview(b"")
        return answer

    def recv(self, size: int) -> bytes:
        """Return the next bytes; fail beyond the last, for the end of a stream would end a body early."""
        if not self._request:
            raise ConnectionResetError(errno.ECONNRESET, "the request ends here")
        data = bytes(self._request[:size])
        self._request = self._request[size:]
        return data

    def sendall(self, data: bytes) -> None:
        self._answer.append(bytes(data))

    def send(self, data: bytes) -> int:
        """Drop an interim `100 Continue`, all that gunicorn sends so: the body is here."""
        return len(data)

    def gettimeout(self) -> float | None:
        return None

    def settimeout(self, seconds: float | None) -> None:
        """Do nothing: nothing here waits."""

    def setblocking(self, blocking: bool) -> None:
        """Do nothing: nothing here waits."""

    def shutdown(self, how: int) -> None:
        """Do nothing: the event loop closes the connection."""

    def close(self) -> None:
        """Do nothing: the event loop closes the connection."""
