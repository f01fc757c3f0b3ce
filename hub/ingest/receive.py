"""A webhook's receipt: verify the raw bytes, fan out, and answer only when all of it is committed."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

import structlog
from werkzeug import Request, Response
from werkzeug.exceptions import BadRequest, MethodNotAllowed, RequestEntityTooLarge

from hub.errors import NotConfigured, NotVerified, StoreError
from hub.ingest.fanout import fan_out
from hub.ingest.request_counter import RequestCounter
from hub.ingest.route import Rules, is_ignored
from hub.model.config import Config, SigningSecrets, SourceConfig
from hub.model.event import Event, new_id
from hub.sources.base import find_source, source_of
from hub.store.store import Store

BODY_LIMIT_BYTES = 1024 * 1024
RETRY_AFTER_SECONDS = 5

UNAVAILABLE = "unavailable"
"""The code where the store is away. The sender repeats it, and the database has findings of its own."""

log = structlog.get_logger()


def receive(
    request: Request, source: SourceConfig, rules: Rules, store: Store, requests: RequestCounter
) -> Response:
    """Return the response to a request to a source's path, and count it."""
    now = time.time()
    try:
        response = _accept(request, source, rules, store, now)
    except Exception as error:  # noqa: BLE001 - the last frame of ours: gunicorn would answer with a page
        return _refuse(error, request, source, requests, now)
    requests.accepted_at[source.name] = now
    return response


def _accept(request: Request, source: SourceConfig, rules: Rules, store: Store, now: float) -> Response:
    if request.method != "POST":
        raise MethodNotAllowed
    body = read_body(request)
    if body is None:
        raise RequestEntityTooLarge
    verified = source_of(source).verify(body, request.headers, now)
    if is_ignored(source, verified.type):
        return _response(200, event=None, duplicate=False, routes=[], deliveries=0, ignored=True)
    received_at = datetime.fromtimestamp(now, UTC)
    event = Event(
        id=new_id("evt", received_at),
        source=source.name,
        message_id=verified.message_id,
        type=verified.type,
        payload=body,
        received_at=received_at,
        parsed=verified.body,
    )
    result = fan_out(event, rules, store)
    log.info(
        "event.received",
        event_id=result.event_id,
        source=event.source,
        type=event.type,
        duplicate=result.duplicate,
        routes=",".join(result.routes),
        deliveries=result.deliveries,
    )
    return _response(
        200,
        event=result.event_id,
        duplicate=result.duplicate,
        routes=result.routes,
        deliveries=result.deliveries,
    )


def read_body(request: Request) -> bytes | None:
    """Return the raw body; None where it is too large.

    Raises BadRequest for a body that cannot be read to its end: a chunk that is none, a sender that left.
    """
    try:
        body = bytes(request.stream.read(BODY_LIMIT_BYTES + 1))
    except Exception as error:  # the server's own stream: gunicorn raises more than OSError
        raise BadRequest("the body broke off") from error
    return body if len(body) <= BODY_LIMIT_BYTES else None


def known_paths(config: Config) -> list[str]:
    """Return the paths that webhooks may be sent to."""
    return sorted(source.path for source in config.sources.values())


def _refuse(
    error: Exception, request: Request, source: SourceConfig, requests: RequestCounter, now: float
) -> Response:
    """Return the response to a request that is not accepted, and count it; the first of a kind is logged."""
    status, code, message = _refusal(error, source)
    is_first = requests.refuse(
        source.name,
        code,
        now,
        is_complete=code != UNAVAILABLE and _is_complete(request, source),
        clock_ahead_seconds=error.clock_ahead_seconds if isinstance(error, NotVerified) else None,
    )
    if status == 500:
        log.error("event.failed", source=source.name, exc_info=error)
    elif isinstance(error, StoreError):
        log.error("event.not_stored", source=source.name, error=str(error))
    elif is_first:
        log.warning("event.refused", source=source.name, code=code)
    response = _response(status, error=code, message=message)
    if status == 405:
        response.headers["Allow"] = "POST"
    if status >= 500:
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


def _refusal(error: Exception, source: SourceConfig) -> tuple[int, str, str]:
    """Return status, code and message for what kept a request from being accepted."""
    match error:
        case MethodNotAllowed():
            return 405, "method_not_allowed", "send webhooks here with POST; nothing is shown here"
        case RequestEntityTooLarge():
            limit = BODY_LIMIT_BYTES // 1024 // 1024
            return 413, "payload_too_large", f"a body may have at most {limit} MiB"
        case BadRequest():
            return 400, "invalid_payload", "the body broke off before its end; send it again"
        case NotVerified():
            return 400, error.code, str(error)
        case NotConfigured():
            return 503, "not_configured", _how_to_configure(source.signing)
        case StoreError():
            return 503, UNAVAILABLE, f"the event was not stored, for {error.headline}; send it again"
        case _:
            return 500, "internal_error", "the hub made a mistake; its log says which"


def _how_to_configure(signing: SigningSecrets) -> str:
    names = " and ".join(signing.missing) or "its signing secret"
    return f"set {names} to the signing secret of the endpoint that sends here, then retry: {signing.fault}"


def _is_complete(request: Request, source: SourceConfig) -> bool:
    """Return True where the request may be the sender's: it has all that a signature needs."""
    return find_source(source.type) is not None and source_of(source).is_complete(request.headers)


def _response(status: int, **body: Any) -> Response:
    text = json.dumps(body, separators=(",", ":"))
    return Response(text + "\n", status, mimetype="application/json")
