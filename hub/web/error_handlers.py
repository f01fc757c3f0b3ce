"""Every refusal in words: JSON for programs, a small page for browsers."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import structlog
from flask import Flask, Response, current_app, jsonify, make_response, request
from flask_wtf.csrf import CSRFError  # type: ignore[import-untyped]
from werkzeug.exceptions import BadRequest, HTTPException

from hub.errors import Conflict, FileRefused, HubError, NotFound, NotStorable, StoreError
from hub.ingest.receive import known_paths
from hub.ingest.request_counter import RequestCounter
from hub.model.source import NO_SOURCE, UNKNOWN_PATH
from hub.sources.base import source_of
from hub.web.context import context
from hub.web.markup import render_page

RETRY_AFTER_SECONDS = 5
LIMITED_SECONDS = 60
OUTAGE_SECONDS = 10.0

log = structlog.get_logger()

_WORDS = {
    400: ("bad_request", "the request cannot be understood"),
    401: ("unauthorized", "sign in, or send Authorization: Bearer with the hub's password (HUB_PASSWORD)"),
    404: ("not_found", "there is nothing here"),
    405: ("method_not_allowed", "this path does not take that method"),
    409: ("conflict", "its state forbids that"),
    413: ("payload_too_large", "the request is too large"),
    429: ("too_many_attempts", "too many attempts from your address; wait a minute, then try again"),
    500: ("internal_error", "the hub made a mistake; its log says which"),
    503: ("unavailable", "the database does not answer now; try again in a moment"),
}
_TITLES = {
    400: "That request makes no sense",
    404: "Nothing is here",
    405: "Not that way",
    409: "Not now",
    413: "Too large",
    429: "Too many attempts",
    500: "Our mistake",
    503: "Not available now",
}
CSRF_WORDS = "the form is out of date or came without its cookie; go back, reload the page and try again"


class BadParameter(HubError):
    """A request asks with a parameter that cannot be used."""


class OutageLog:
    """A line about a store that does not answer, at most one in ten seconds: strangers ask at any rate."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._due_at = float("-inf")
        self._untold = 0

    def tell(self, error: StoreError) -> None:
        """Log the error with the number of requests that met one, once it is time again."""
        self._untold += 1
        if self._clock() >= self._due_at:
            self._due_at = self._clock() + OUTAGE_SECONDS
            log.error("store.unavailable", error=str(error), requests=self._untold)
            self._untold = 0


def init_app(app: Flask) -> None:
    """Answer every error of the app in words."""
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(HubError, partial(_hub_error, OutageLog()))


def wants_page() -> bool:
    """True where a browser asks for something that is not the API's.

    Where the Host header is no host no link can be made, so no page.
    """
    if isinstance(request.routing_exception, BadRequest):
        return False
    return "text/html" in request.headers.get("Accept", "") and not request.path.startswith("/api/")


def _http_error(error: HTTPException) -> Response:
    status = error.code or 500
    if status < 400:
        return make_response(error.get_response())
    _, words = _words(status)
    sources = known_paths(context().rules().config) if request.url_rule is None and status == 404 else None
    if sources is not None:
        words = _unknown_path(sources)
        _count_if_signed()
    if isinstance(error, CSRFError):
        words = CSRF_WORDS
    response = _refused(status, words, sources)
    for name, value in error.get_headers(request.environ):
        if name in ("Allow", "WWW-Authenticate"):
            response.headers[name] = value
    if status == 429:
        response.headers["Retry-After"] = str(LIMITED_SECONDS)
    return response


def _hub_error(outages: OutageLog, error: HubError) -> Response:
    if isinstance(error, StoreError):
        outages.tell(error)
        advice = error.cure if isinstance(error, FileRefused) else "try again in a moment"
        response = _refused(503, f"{error.headline}; {advice}")
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
        return response
    if isinstance(error, BadParameter | NotStorable):
        return _refused(400, str(error))
    status = {NotFound: 404, Conflict: 409}.get(type(error), 500)
    return _refused(status, str(error) if status < 500 else _words(500)[1])


def _refused(status: int, words: str, sources: list[str] | None = None) -> Response:
    if wants_page():
        title = _TITLES.get(status, "Refused")
        return render_page("refused.html", status, status=status, title=title, words=words)
    code, _ = _words(status)
    body = {"error": code, "message": words}
    return make_response(jsonify(body if sources is None else {**body, "sources": sources}), status)


def _count_if_signed() -> None:
    """Count a request that has all that a source's signature needs: its sender has the wrong address."""
    sources = context().rules().config.sources.values()
    if any(source_of(source).is_complete(request.headers) for source in sources):
        requests: RequestCounter = current_app.requests  # type: ignore[attr-defined]  # it is a Hub
        requests.refuse(NO_SOURCE, UNKNOWN_PATH, time.time(), is_complete=False, clock_ahead_seconds=None)


def _unknown_path(sources: list[str]) -> str:
    if not sources:
        return "there is nothing at this path, and no source is configured"
    return f"there is nothing at this path; webhooks are received at {' and '.join(sources)}"


def _words(status: int) -> tuple[str, str]:
    return _WORDS.get(status, ("refused", "the request was refused"))
