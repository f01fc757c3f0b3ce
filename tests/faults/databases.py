"""A PostgreSQL of one test's own that can be stopped, killed and started, and a way to it that can hang."""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import signal
import socket
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psutil
import psycopg
from servers.postgres import started_postgres
from servers.program import PATIENCE_SECONDS


class Postgres:
    """Its processes die with the `with` block; `url` stays the same over restarts."""

    def __enter__(self) -> Postgres:
        # Not below pytest's folder: run as root, the server is another user's.
        self._folder = tempfile.mkdtemp(prefix="hub-faults-")
        self._server = started_postgres(f"{self._folder}/data")
        self.url: str = self._server.get_uri()
        return self

    def __exit__(self, *_: object) -> None:
        self.start()
        self._server.cleanup()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def socket_path(self) -> str:
        """The address at which it listens."""
        folder = parse_qs(urlsplit(self.url).query)["host"][0]
        return str(next(Path(folder).glob(".s.PGSQL.*[0-9]")))

    @property
    def log(self) -> str:
        return Path(self._folder, "data/log").read_text(errors="replace")

    def become_standby(self) -> None:
        """Begin as one that waits for a primary, from the next start on."""
        data = Path(self._folder, "data")
        signal_file = data / "standby.signal"
        signal_file.touch()
        shutil.chown(signal_file, data.stat().st_uid)

    def stop(self) -> None:
        """As a restart of the server for an update: transactions are aborted, connections closed."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """As the kernel does when memory runs out: nobody says goodbye."""
        self._end(signal.SIGKILL)

    def start(self) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                self._server.ensure_postgres_running()
                with psycopg.connect(self._server.get_uri(), connect_timeout=30):
                    return
            except Exception:
                # After a kill the memory of its children may still be in use, or it recovers.
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.3)

    def _end(self, number: signal.Signals) -> None:
        postmaster = psutil.Process(self._server.get_pid())
        family = [postmaster, *postmaster.children(recursive=True)]
        for process in family if number is signal.SIGKILL else family[:1]:
            with contextlib.suppress(psutil.NoSuchProcess):
                os.kill(process.pid, number)
        psutil.wait_procs(family, timeout=PATIENCE_SECONDS)


class Way:
    """A way to a Unix socket over a port of loopback: it can hang, taking bytes and passing none on."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._listener.settimeout(0.2)
        self.port: int = self._listener.getsockname()[1]
        self._open, self._ended = threading.Event(), threading.Event()
        self._open.set()

    def __enter__(self) -> Way:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._open.set()
        self._listener.close()

    def hang(self) -> None:
        self._open.clear()

    def go_on(self) -> None:
        self._open.set()

    def _accept(self) -> None:
        while not self._ended.is_set():
            with contextlib.suppress(OSError):
                near, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        far = socket.socket(socket.AF_UNIX)
        with near, far, contextlib.suppress(OSError):
            self._open.wait()
            far.connect(self._target)
            with selectors.DefaultSelector() as selector:
                selector.register(near, selectors.EVENT_READ, far)
                selector.register(far, selectors.EVENT_READ, near)
                while not self._ended.is_set():
                    for key, _ in selector.select(0.2):
                        self._open.wait()
                        data = key.fileobj.recv(65536)  # type: ignore[union-attr]
                        if not data:
                            return
                        key.data.sendall(data)
