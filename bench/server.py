"""The hub and its plain counterparts, served for one measurement each by the same gunicorn settings."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import requests
from flask import Flask, request

from bench.load import SECRET
from hub.destinations.http import HttpDestination
from hub.logs import set_up_logs
from hub.models import Config, DestinationConfig, Route, Send, SourceConfig
from hub.reload import Serving
from hub.route import Rules, load_rules
from hub.settings import Settings
from hub.startup import make_app, run_worker
from hub.store.store import open_store
from hub.web.server import listen, serve_web


def rules_for(url: str, *, sends: int = 1, concurrency: int = 16) -> Rules:
    """One source, one route, and `sends` http destinations that all lead to one endpoint."""
    destinations = {
        f"to{number}": DestinationConfig(
            name=f"to{number}",
            type="http",
            options=HttpDestination.Options.model_validate({"url": url}),
            retry_seconds=(5.0,),
            timeout_seconds=10.0,
            give_up_after_seconds=3 * 86400.0,
            concurrency=concurrency,
        )
        for number in range(sends)
    }
    source = SourceConfig(name="clerk", type="clerk", path="/api/webhooks", secrets=(SECRET,))
    route = Route(
        name="waitlist",
        events=("waitlistEntry.created",),
        sends=tuple(Send(to=name) for name in destinations),
    )
    return load_rules(
        Config(version="bench", sources={"clerk": source}, destinations=destinations, routes=(route,))
    )


@contextmanager
def forked(*programs: Callable[[], None]) -> Iterator[None]:
    """Run each program in a process group of its own while the block runs."""
    pids = []
    for program in programs:
        pid = os.fork()
        if pid == 0:
            os.setpgid(0, 0)
            try:
                program()
            finally:
                os._exit(0)
        pids.append(pid)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGTERM)
        for pid in pids:
            os.waitpid(pid, 0)


@contextmanager
def hub(settings: Settings, rules: Rules, *, web: bool = True, worker: bool = True) -> Iterator[int]:
    """The hub's own web and worker processes on a migrated database; yields the port."""
    set_up_logs("json", settings.log_level)
    store = open_store(settings.database_url)
    store.migrate()
    store.close()
    listener = listen("127.0.0.1", 0)
    serving = Serving(rules=rules, since=datetime.now(UTC))
    programs = []
    if web:
        programs.append(
            lambda: serve_web(
                listener,
                settings.web_processes,
                lambda: make_app(settings, serving, None),
                ends_with_parent=True,
            )
        )
    if worker:
        programs.append(lambda: run_worker(settings, serving, None, ends_with_parent=True))
    with forked(*programs):
        if web:
            _wait_until_up(listener)
        yield listener.getsockname()[1]
    listener.close()


@contextmanager
def plain(processes: int, handle: Callable[[bytes], None] | None = None) -> Iterator[int]:
    """A Flask route that verifies, and does nothing else or what `handle` does inline; yields the port."""

    def make() -> Flask:
        from svix.webhooks import Webhook

        app = Flask("plain")
        webhook = Webhook(SECRET)

        @app.get("/healthz")
        def healthz() -> str:
            return "ok"

        @app.post("/api/webhooks")
        def webhooks() -> dict[str, bool]:
            body = request.get_data()
            webhook.verify(body, dict(request.headers))
            if handle is not None:
                handle(body)
            return {"ok": True}

        return app

    listener = listen("127.0.0.1", 0)
    with forked(lambda: serve_web(listener, processes, make, ends_with_parent=True)):
        _wait_until_up(listener)
        yield listener.getsockname()[1]
    listener.close()


def sqlite_settings(folder: Path, **changes: object) -> Settings:
    return Settings(database_url=f"sqlite:///{folder / 'hub.db'}", log_level="error", **changes)  # type: ignore[arg-type]


def _wait_until_up(listener: socket.socket) -> None:
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/healthz"
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            if requests.get(url, timeout=1).status_code == 200:
                return
        except requests.RequestException:
            time.sleep(0.05)
    raise TimeoutError(f"{url} does not answer")
