"""gunicorn around the app, with its own habits off."""

from __future__ import annotations

import contextlib
import math
import os
import resource
import signal
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from flask import Flask

from hub.web.app import Hub
from hub.web.server.limits import Limits
from hub.web.server.web_worker import WebWorker

GUNICORN_VARIABLES = (
    "FORWARDED_ALLOW_IPS",
    "GUNICORN_CMD_ARGS",
    "GUNICORN_FD",
    "GUNICORN_PID",
    "LISTEN_FDS",
    "LISTEN_PID",
    "SCRIPT_NAME",
    "SENDFILE",
    "WEB_CONCURRENCY",
)
"""Variables that gunicorn reads by itself, some of them when it is imported, and fails on a bad one."""


@contextlib.contextmanager
def _without(names: tuple[str, ...]) -> Iterator[None]:
    """Take variables out of the environment for a while."""
    values = {name: os.environ.pop(name) for name in names if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(values)


with _without(GUNICORN_VARIABLES):
    from gunicorn.app.base import BaseApplication

THREADS = 16
GRACE_SECONDS = 8
PARENT_SECONDS = 1.0
"""Between two looks for the parent of this process."""


SPARE_DESCRIPTORS = 100
"""Of the descriptors that a process may have, as many are not for clients."""


def serve_web(
    listener: socket.socket,
    processes: int,
    make_app: Callable[[], Flask],
    *,
    ends_with_parent: bool,
    limits: Limits | None = None,
) -> None:
    """Serve until SIGTERM; with `ends_with_parent` also until the parent of this process is gone.

    `make_app` runs once in each web process, after it was forked. The listener's descriptor is used up.
    """
    server = _Server(listener, processes, make_app, _within_descriptors(limits or Limits()))
    if ends_with_parent:
        server.cfg.set("when_ready", _end_with_parent(os.getppid()))
    with _without(GUNICORN_VARIABLES):
        server.run()


def _within_descriptors(limits: Limits) -> Limits:
    """Let this process have a descriptor for each connection; return limits with as many as it got."""
    wanted = limits.connections + SPARE_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    granted = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < granted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (granted, hard))
    return replace(limits, connections=max(granted - SPARE_DESCRIPTORS, THREADS))


class _Server(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    def __init__(
        self, listener: socket.socket, processes: int, make_app: Callable[[], Flask], limits: Limits
    ) -> None:
        self.limits = limits
        self._settings: dict[str, Any] = {
            "bind": f"fd://{listener.detach()}",
            "workers": processes,
            "worker_class": WebWorker,
            "threads": THREADS,
            "timeout": 60,
            "graceful_timeout": GRACE_SECONDS,
            "keepalive": math.ceil(limits.idle_seconds),
            # It warns of every malformed request: strangers would write the log.
            "loglevel": "error",
            "sendfile": False,
            # From 25.1 on gunicorn puts a control socket into the home folder, shared by all its servers.
            "control_socket_disable": True,
            # Which proxies to believe is HUB_TRUSTED_PROXIES' business.
            "secure_scheme_headers": {},
            "forwarder_headers": "",
            "forwarded_allow_ips": "",
            "worker_exit": _close_app,
            "proc_name": "hub",
        }
        self._make_app = make_app
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._settings.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        return self._make_app()


def _close_app(arbiter: Any, worker: Any) -> None:
    """Let the app of a web process that ends keep what it counted."""
    if isinstance(worker.wsgi, Hub):
        worker.wsgi.close()


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
