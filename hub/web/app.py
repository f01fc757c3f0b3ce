"""The WSGI app: sources' paths first and cheaply, then the pages, the API, health and metrics."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit
from wsgiref.types import StartResponse, WSGIEnvironment

from flask import Flask, Response, abort, request
from flask.json.provider import DefaultJSONProvider
from werkzeug import Request as PlainRequest
from werkzeug.middleware.proxy_fix import ProxyFix

from hub.ingest.receive import read_body, receive
from hub.ingest.request_counter import RequestCounter
from hub.ingest.route import Rules
from hub.rules.reload import Serving
from hub.settings import Settings
from hub.store.store import Store
from hub.web import (
    access,
    actions,
    acts,
    api,
    api_acts,
    error_handlers,
    health,
    messages,
    metrics,
    pages,
    try_page,
)
from hub.web.context import Context
from hub.web.key_limit import KeyLimit
from hub.web.proxies import FORWARDED, UntrustedProxies
from hub.web.sessions import HubSessions

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

HTTPS_ONLY = "max-age=31536000"
"""For a year the browser comes by https alone, once it did: https://www.rfc-editor.org/rfc/rfc6797."""


class HubJson(DefaultJSONProvider):
    """JSON as the API speaks it: moments in ISO 8601, in UTC."""

    sort_keys = False

    @staticmethod
    def default(value: Any) -> Any:
        if isinstance(value, datetime):
            return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return DefaultJSONProvider.default(value)


class Hub(Flask):
    """The app. A request to a source's path goes straight to ingest, past Flask's own machinery."""

    json_provider_class = HubJson

    def __init__(self, store: Store, rules: Callable[[], Rules], path: str) -> None:
        super().__init__("hub.web")
        self._store = store
        self._rules = rules
        self.requests = RequestCounter(store)
        self._path = path
        self.untrusted_proxies: UntrustedProxies | None = None

    def wsgi_app(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if self.untrusted_proxies is not None and not environ.keys().isdisjoint(FORWARDED):
            self.untrusted_proxies.notice()
        if self._path:
            _mount(self._path, environ)
        # Flask's own asks an app for its limits; and it is not to hold what holds it.
        incoming = PlainRequest(environ, populate_request=False)
        rules = self._rules()
        # People paste the address with a slash at its end, and a redirect would lose events.
        source = rules.sources.get(incoming.path.rstrip("/"))
        if source is None:
            return super().wsgi_app(environ, start_response)
        return receive(incoming, source, rules, self._store, self.requests)(environ, start_response)

    def close(self) -> None:
        """Keep what was counted, for its process ends."""
        self.requests.close()
        self.extensions["hub"].key_limit.close()


def create_app(store: Store, serving: Callable[[], Serving], settings: Settings) -> Hub:
    """Return the app of one web process; make it after forking. It starts while the database is down, too."""
    context = Context(store=store, serving=serving, settings=settings, key_limit=KeyLimit(store))
    path = urlsplit(settings.public_url).path.rstrip("/")
    app = Hub(store, context.rules, path)
    # Flask reads FLASK_DEBUG by itself: errors would be passed on to gunicorn.
    app.config["DEBUG"] = False
    app.extensions["hub"] = context
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    app.session_interface = HubSessions(store)
    app.before_request(_take_body)
    app.after_request(_protect)
    access.init_app(app, path)
    error_handlers.init_app(app)
    for module in (health, metrics, api, api_acts, access, pages, actions, acts, messages, try_page):
        app.register_blueprint(module.blueprint)
    app.register_blueprint(messages.styles)
    if settings.trusted_proxies == 0:
        app.untrusted_proxies = UntrustedProxies(store)
    else:
        count = settings.trusted_proxies
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]  # Flask's documented way to wrap an app
            app.wsgi_app, x_for=count, x_proto=count, x_host=count
        )
    return app


def _mount(path: str, environ: WSGIEnvironment) -> None:
    """Serve below a path, for a proxy in front that takes it off as for one that leaves it on."""
    asked = environ.get("PATH_INFO", "")
    if asked == path or asked.startswith(f"{path}/"):
        environ["PATH_INFO"] = asked.removeprefix(path) or "/"
    environ["SCRIPT_NAME"] = path


def _take_body() -> None:
    """Read a body before anything is refused: closing on an upload may lose the answer."""
    if "wsgi.input_terminated" in request.environ or request.content_length:
        body = read_body(request)
        if body is None:
            abort(413)
        request.stream = io.BytesIO(body)


def _protect(response: Response) -> Response:
    response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    if request.is_secure:
        response.headers["Strict-Transport-Security"] = HTTPS_ONLY
    if request.endpoint not in ("static", "styles.static"):
        response.headers["Cache-Control"] = "no-store"
    return response
