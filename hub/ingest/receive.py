"""A webhook's receipt: verify the raw bytes, fan out, and answer only when all of it is committed."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

import structlog
from werkzeug import Request, Response
from werkzeug.exceptions import BadRequest

from hub.errors import NotConfigured, NotVerified, StoreError
from hub.ingest.fanout import fan_out
from hub.ingest.route import Rules, is_ignored
from hub.model.config import Config, SourceConfig
from hub.model.event import Event, new_id
from hub.sources.base import source_of
from hub.store.store import Store

BODY_LIMIT_BYTES = 1024 * 1024
DRAIN_LIMIT_BYTES = 8 * 1024 * 1024
"""As much of a body that is too large is read and thrown away: closing on an upload loses the 413."""

RETRY_AFTER_SECONDS = 5

log = structlog.get_logger()


def receive(request: Request, source: SourceConfig, rules: Rules, store: Store) -> Response:
    """Return the response to a request to a source's path."""
    if request.method != "POST":
        return _refused(405, "method_not_allowed", "send webhooks here with POST; nothing is shown here")
    try:
        body = read_body(request)
    except BadRequest:
        return _refused(400, "invalid_payload", "the body broke off before its end; send it again")
    if body is None:
        limit = BODY_LIMIT_BYTES // 1024 // 1024
        return _refused(413, "payload_too_large", f"a body may have at most {limit} MiB")
    try:
        return _accept(request, body, source, rules, store)
    except NotVerified as error:
        log.warning("event.refused", source=source.name, code=error.code)
        return _refused(400, error.code, str(error))
    except NotConfigured:
        return _not_configured(source)
    except StoreError as error:
        log.error("event.not_stored", source=source.name, error=str(error))
        return _later(503, "unavailable", f"the event was not stored, for {error.headline}; send it again")
    except Exception:  # the last frame of ours: gunicorn would answer with a page
        log.exception("event.failed", source=source.name)
        return _later(500, "internal_error", "the hub made a mistake; its log says which")


def _accept(request: Request, body: bytes, source: SourceConfig, rules: Rules, store: Store) -> Response:
    now = time.time()
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
    """Return the raw body; None where it is too large, after reading on so that the sender sees the response.

    Raises BadRequest for a body that cannot be read to its end: a chunk that is none, a sender that left.
    """
    try:
        body = request.stream.read(BODY_LIMIT_BYTES + 1)
        if len(body) <= BODY_LIMIT_BYTES:
            return bytes(body)
        _drain(request, len(body))
    except Exception as error:  # the server's own stream: gunicorn raises more than OSError
        raise BadRequest("the body broke off") from error
    return None


def _drain(request: Request, drained: int) -> None:
    while drained < DRAIN_LIMIT_BYTES:
        chunk = request.stream.read(64 * 1024)
        if not chunk:
            break
        drained += len(chunk)


def known_paths(config: Config) -> list[str]:
    """Return the paths that webhooks may be sent to."""
    return sorted(source.path for source in config.sources.values())


def _not_configured(source: SourceConfig) -> Response:
    names = " and ".join(source.missing) or "its signing secret"
    return _later(
        503,
        "not_configured",
        f"set {names} to the signing secret of the endpoint that sends here, then retry",
    )


def _later(status: int, code: str, message: str) -> Response:
    response = _refused(status, code, message)
    response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


def _refused(status: int, code: str, message: str) -> Response:
    response = _response(status, error=code, message=message)
    if status == 405:
        response.headers["Allow"] = "POST"
    return response


def _response(status: int, **body: Any) -> Response:
    text = json.dumps(body, separators=(",", ":"))
    return Response(text + "\n", status, mimetype="application/json")
