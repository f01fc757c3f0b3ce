"""The WSGI app: sources' paths first and cheaply, then the pages, the API, health and metrics."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

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
from hub.web import access, actions, api, error_handlers, health, metrics, pages
from hub.web.context import Context
from hub.web.sessions import HubSessions

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


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

    def __init__(self, store: Store, rules: Callable[[], Rules]) -> None:
        super().__init__("hub.web")
        self._store = store
        self._rules = rules
        self.requests = RequestCounter(store)

    def wsgi_app(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
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


def create_app(store: Store, serving: Callable[[], Serving], settings: Settings) -> Hub:
    """Return the app of one web process; make it after forking. It starts while the database is down, too."""
    context = Context(store=store, serving=serving, settings=settings)
    app = Hub(store, context.rules)
    # Flask reads FLASK_DEBUG by itself: errors would be passed on to gunicorn.
    app.config["DEBUG"] = False
    app.extensions["hub"] = context
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    app.session_interface = HubSessions(store)
    app.before_request(_take_body)
    app.after_request(_protect)
    access.init_app(app)
    error_handlers.init_app(app)
    for module in (health, metrics, api, access, pages, actions):
        app.register_blueprint(module.blueprint)
    access.limit(app, api.blueprint, metrics.blueprint)
    if settings.trusted_proxies:
        count = settings.trusted_proxies
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]  # Flask's documented way to wrap an app
            app.wsgi_app, x_for=count, x_proto=count, x_host=count
        )
    return app


def _take_body() -> None:
    """Read a body before anything is refused: closing on an upload may lose the answer."""
    if "wsgi.input_terminated" in request.environ or request.content_length:
        body = read_body(request)
        if body is None:
            abort(413)
        request.stream = io.BytesIO(body)


def _protect(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    if request.endpoint != "static":
        response.headers["Cache-Control"] = "no-store"
    return response
