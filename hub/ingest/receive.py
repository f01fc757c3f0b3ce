"""A webhook's receipt: verify the raw bytes, fan out, and answer only when all of it is committed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
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
from hub.sources.base import Source, find_source
from hub.store.store import Store

BODY_LIMIT_BYTES = 1024 * 1024
DRAIN_LIMIT_BYTES = 8 * 1024 * 1024
"""As much of a body that is too large is read and thrown away: closing on an upload loses the 413."""

RETRY_AFTER_SECONDS = 5

log = structlog.get_logger()


class Receiver:
    """The handler of requests to the sources' paths."""

    def __init__(self, store: Store, rules: Callable[[], Rules]) -> None:
        self._store = store
        self._rules = rules
        self._sources: dict[str, tuple[SourceConfig, Source]] = {}
        self._paths: tuple[Config | None, dict[str, SourceConfig]] = (None, {})

    def paths(self) -> dict[str, SourceConfig]:
        """Return today's sources by their paths, collected once for each configuration."""
        config = self._rules().config
        collected_from, paths = self._paths
        if collected_from is not config:
            paths = {source.path: source for source in config.sources.values()}
            self._paths = (config, paths)
        return paths

    def receive(self, source: SourceConfig, request: Request) -> Response:
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
            return self._accept(source, body, request)
        except NotVerified as error:
            log.warning("event.refused", source=source.name, code=error.code)
            return _refused(400, error.code, str(error))
        except NotConfigured:
            return _not_configured(source)
        except StoreError as error:
            log.error("event.not_stored", source=source.name, error=str(error))
            return _later(503, "unavailable", "the event could not be stored now; send it again")
        except Exception:  # the last frame of ours: gunicorn would answer with a page
            log.exception("event.failed", source=source.name)
            return _later(500, "internal_error", "the hub made a mistake; its log says which")

    def _accept(self, source: SourceConfig, body: bytes, request: Request) -> Response:
        rules = self._rules()
        now = time.time()
        verified = self._source(source).verify(body, _headers(request), now)
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
        result = fan_out(event, rules, self._store)
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

    def _source(self, config: SourceConfig) -> Source:
        """Return the verifier of a source, made anew when its configuration changes."""
        cached = self._sources.get(config.name)
        if cached is None or cached[0] != config:
            source_class = find_source(config.type)
            if source_class is None:
                raise LookupError(f"no source type {config.type}: the configuration was not checked")
            cached = self._sources[config.name] = (config, source_class(config))
        return cached[1]


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


def _headers(request: Request) -> dict[str, str]:
    """Return the headers by name, in WSGI's spelling; werkzeug's own mapping writes each name anew."""
    return {
        name.removeprefix("HTTP_").replace("_", "-"): value
        for name, value in request.environ.items()
        if name.startswith(("HTTP_", "CONTENT_"))
    }


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
