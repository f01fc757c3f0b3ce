"""gunicorn around the app: a listening socket that outlives its processes, with gunicorn's own habits off."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication

from hub.errors import SettingsError

THREADS = 16
BACKLOG = 1024
GRACE_SECONDS = 8
PARENT_SECONDS = 1.0
"""Between two looks for the parent of this process."""


def listen(host: str, port: int) -> socket.socket:
    """Return a bound and listening socket; raises SettingsError where the port cannot be had."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        reason = (error.strerror or "refused").lower()
        raise SettingsError(
            f"cannot listen on {host}:{port}: {reason}; stop what uses it, or set PORT to another"
        ) from error
    listener.listen(BACKLOG)
    return listener


def serve_web(
    listener: socket.socket, processes: int, make_app: Callable[[], Flask], *, ends_with_parent: bool
) -> None:
    """Serve until SIGTERM; with `ends_with_parent` also until the parent of this process is gone.

    `make_app` runs once in each web process, after it was forked.
    """
    server = _Server(listener, processes, make_app)
    if ends_with_parent:
        server.cfg.set("when_ready", _end_with_parent(os.getppid()))
    server.run()


class _Server(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    def __init__(self, listener: socket.socket, processes: int, make_app: Callable[[], Flask]) -> None:
        self._settings: dict[str, Any] = {
            "bind": f"fd://{listener.fileno()}",
            "backlog": BACKLOG,
            "workers": processes,
            "worker_class": "gthread",
            "threads": THREADS,
            "timeout": 60,
            "graceful_timeout": GRACE_SECONDS,
            "keepalive": 30,
            "loglevel": "warning",
            # From 25.1 on gunicorn puts a control socket into the home folder, shared by all its servers.
            "control_socket_disable": True,
            # Which proxies to believe is HUB_TRUSTED_PROXIES' business.
            "secure_scheme_headers": {},
            "proc_name": "hub",
        }
        self._make_app = make_app
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._settings.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        return self._make_app()


def _end_with_parent(parent: int) -> Callable[[Any], None]:
    """Return the hook that makes gunicorn's master stop once its parent is gone; its workers watch it.

    A timer of this process looks: a thread would be there when workers are forked, a timer is not inherited.
    """

    def look(number: int, frame: Any) -> None:
        if os.getppid() != parent:
            signal.setitimer(signal.ITIMER_REAL, 0)
            os.kill(os.getpid(), signal.SIGTERM)

    def when_ready(_: Any) -> None:
        signal.signal(signal.SIGALRM, look)
        signal.setitimer(signal.ITIMER_REAL, PARENT_SECONDS, PARENT_SECONDS)

    return when_ready
