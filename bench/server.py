"""The hub and its plain counterparts, served for one measurement each by the same gunicorn settings."""

from __future__ import annotations

import os
import signal
import socket
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import requests
from flask import Flask, request
from gunicorn.app.base import BaseApplication

from bench.load import CONNECTIONS, SECRET
from hub.destinations.base import find_destination
from hub.ingest.route import Rules, load_rules
from hub.model.config import Config, SigningSecrets, SourceConfig
from hub.model.destination import DestinationConfig
from hub.model.routing import Route, Send
from hub.process.logs import set_up_server_logs
from hub.process.start import make_app, run_worker
from hub.rules.reload import Serving
from hub.settings import Settings
from hub.web.server import listen, serve_web

CHECKOUT = Path(__file__).parents[1]

STOP_SECONDS = 15.0
"""Time that a process has to end by itself; a worker lets its sends finish first."""


LEAD = {
    "json": {"kind": "lead", "email": "{{ data.email_address }}", "since": "{{ data.created_at | datetime }}"}
}
"""The body that the shipped routes send to a CRM."""

SLACK_TEXT = (CHECKOUT / "templates/slack/waitlist.j2").read_text()


def rules_for(
    url: str,
    *,
    sends: int = 1,
    concurrency: int = 16,
    beside: str | None = None,
    destination_type: str = "http",
    fields: Mapping[str, object] | None = None,
) -> Rules:
    """One source, one route, and `sends` destinations that all lead to one endpoint.

    `fields` is the send block; an empty one sends the event itself to an `http` destination. `beside` is the
    address of one more destination, called so, to which no route leads.
    """
    names = tuple(f"to{number}" for number in range(sends))
    destinations = {name: destination(name, url, concurrency, destination_type) for name in names}
    if beside is not None:
        destinations["beside"] = destination("beside", beside, concurrency=4)
    blocks = tuple(Send(to=name, fields=fields or {}) for name in names)
    route = Route(name="waitlist", events=("waitlistEntry.created",), sends=blocks)
    return load_rules(config_of(destinations, (route,)))


def config_of(destinations: Mapping[str, DestinationConfig], routes: tuple[Route, ...]) -> Config:
    signing = SigningSecrets(secrets=(SECRET,))
    source = SourceConfig(name="clerk", type="clerk", path="/api/webhooks", signing=signing)
    return Config(version="bench", sources={"clerk": source}, destinations=destinations, routes=routes)


def destination(name: str, url: str, concurrency: int, type_: str = "http") -> DestinationConfig:
    """A destination with the product's own limits, but for the concurrency."""
    option = {"http": "url", "database": "url", "slack": "webhook_url", "email": "smtp_url"}[type_]
    parties = {"from": "hub@example.com", "to": "team@example.com"} if type_ == "email" else {}
    destination_class = find_destination(type_)
    assert destination_class is not None
    return DestinationConfig(
        name=name,
        type=type_,
        options=destination_class.Options.model_validate({option: url, **parties}),
        retry_seconds=(5.0, 300.0, 1800.0),
        timeout_seconds=10.0,
        give_up_after_seconds=3 * 86400.0,
        concurrency=concurrency,
    )


@contextmanager
def forked(*programs: Callable[[], None]) -> Iterator[list[int]]:
    """Run each program in a process group of its own while the block runs; yields their pids."""
    pids: list[int] = []
    try:
        for program in programs:
            pids.append(_fork(program))
        yield pids
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        for pid in pids:
            _reap(pid, deadline)


def _fork(program: Callable[[], None]) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.setpgid(0, 0)
            program()
        except Exception:  # noqa: BLE001 - the last frame of a process
            traceback.print_exc()
        finally:
            os._exit(0)
    return pid


def _reap(pid: int, deadline: float) -> None:
    """Wait for a process of ours that was told to end; end it by force where that takes too long."""
    while os.waitpid(pid, os.WNOHANG)[0] == 0:
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return
        time.sleep(0.01)


@contextmanager
def hub(settings: Settings, rules: Rules) -> Iterator[int]:
    """The hub's own web and worker processes on a migrated database; yields the port."""
    with web(settings, rules) as port, worker(settings, rules):
        yield port


Serve = Callable[..., None]
"""`serve_web`, or what takes the same."""


@contextmanager
def web(settings: Settings, rules: Rules, serve: Serve = serve_web) -> Iterator[int]:
    """The hub's web processes; yields the port."""
    set_up_server_logs("json", settings.log_level)
    listener = listen("127.0.0.1", 0)
    serving = Serving(rules=rules, since=datetime.now(UTC))

    def run() -> None:
        make = partial(make_app, settings, serving, None)
        serve(listener, settings.web_processes, make, ends_with_parent=True)

    with closing(listener), forked(run):
        port = listener.getsockname()[1]
        wait_until_up(port)
        yield port


def serve_by_threads(
    listener: socket.socket, processes: int, make_app: Callable[[], Flask], **options: object
) -> None:
    """Serve as `serve_web` does, but with gunicorn's own worker, whose threads read from the sockets."""
    server = _Threads(listener, processes, make_app)
    server.run()


class _Threads(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    def __init__(self, listener: socket.socket, processes: int, make_app: Callable[[], Flask]) -> None:
        self._settings = {
            "bind": f"fd://{listener.detach()}",
            "workers": processes,
            "worker_class": "gthread",
            "threads": CONNECTIONS,
            "keepalive": 30,
            "loglevel": "error",
            "control_socket_disable": True,
        }
        self._make_app = make_app
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._settings.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        return self._make_app()


@contextmanager
def worker(settings: Settings, rules: Rules) -> Iterator[int]:
    """One worker process of the hub; yields its pid."""
    set_up_server_logs("json", settings.log_level)
    serving = Serving(rules=rules, since=datetime.now(UTC))
    with forked(lambda: run_worker(settings, serving, None, ends_with_parent=True)) as (pid,):
        yield pid


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
    serve = partial(serve_web, listener, processes, make, ends_with_parent=True)
    with closing(listener), forked(serve):
        port = listener.getsockname()[1]
        wait_until_up(port)
        yield port


_reserved: list[socket.socket] = []


def free_port() -> int:
    """Return a port for a hub that is started later; it stays bound here, so that nobody else is given it."""
    reserved = socket.socket()
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reserved.bind(("127.0.0.1", 0))
    _reserved.append(reserved)
    port: int = reserved.getsockname()[1]
    return port


def wait_until_up(port: int) -> None:
    """Return once `/healthz` answers; raise TimeoutError after 90 s."""
    url = f"http://127.0.0.1:{port}/healthz"
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        try:
            if requests.get(url, timeout=30).status_code == 200:
                return
        except requests.RequestException:
            time.sleep(0.05)
    raise TimeoutError(f"{url} does not answer")
