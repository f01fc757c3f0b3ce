"""The way by which processes on one SQLite file wake each other: datagrams to a socket beside it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import socket
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from hub.store.store import Listener

_LISTEN_SECONDS = 0.5
_SOCKET_PATH_LIMIT = 90
"""A Unix socket's path has room for 104 to 108 bytes, by platform."""


class SocketListener(Listener):
    """A listener for datagrams on a Unix socket beside the database file."""

    def __init__(self, path: Path, on_wake: Callable[[], None]) -> None:
        self._path = path
        self._closed = False
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.settimeout(_LISTEN_SECONDS)
        # Bound aside and then put in its place: workers may begin at the same moment.
        aside = path.with_name(f"{path.name}.{secrets.token_hex(3)}")
        try:
            self._socket.bind(str(aside))
            aside.chmod(0o600)
            self._inode = aside.stat().st_ino
            aside.replace(path)
        except OSError:
            self._socket.close()
            raise
        self._thread = threading.Thread(target=self._run, args=(on_wake,), name="wake", daemon=True)
        self._thread.start()

    def _run(self, on_wake: Callable[[], None]) -> None:
        while not self._closed:
            with contextlib.suppress(TimeoutError):
                self._socket.recv(16)
                on_wake()

    def close(self) -> None:
        self._closed = True
        with contextlib.suppress(OSError):
            self._socket.sendto(b"!", str(self._path))
        self._thread.join(timeout=_LISTEN_SECONDS * 2)
        self._socket.close()
        with contextlib.suppress(OSError):
            # A worker that began later listens at the same path.
            if self._path.stat().st_ino == self._inode:
                self._path.unlink()


def wake_path(path: Path) -> Path:
    """Return a path beside the database, or in the temporary folder where that is too long for a socket."""
    beside = path.absolute().with_name(path.name + "-wake")
    if len(os.fsencode(beside)) <= _SOCKET_PATH_LIMIT:
        return beside
    digest = hashlib.sha256(os.fsencode(beside)).hexdigest()[:24]
    return Path(tempfile.gettempdir()) / f"hub-{os.getuid()}-{digest}"
