"""Whether this process serves, and whether the whole hub is ready to work."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from hub.errors import StoreError
from hub.model.stats import WORKER_SILENT_AFTER
from hub.store.copy import MOVED
from hub.store.store import MOVED_WORDS
from hub.web.context import context

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def healthz() -> Response:
    """200 while the process serves, whatever the database does."""
    return jsonify(status="ok")


@blueprint.get("/readyz")
def readyz() -> tuple[Response, int]:
    """What is not ready, in words. A refused edit and what is not configured yet do not count."""
    database, worker = _database_and_worker()
    parts = {"database": database, "config": "ok", "worker": worker}
    return jsonify(parts), 200 if all(word == "ok" for word in parts.values()) else 503


def _database_and_worker() -> tuple[str, str]:
    try:
        with context().store.read() as reading:
            seen_at, now = reading.workers.last_seen_at(), reading.now
            has_moved = reading.settings.get(MOVED) is not None
    except StoreError:
        return "the database does not answer", "unknown while the database does not answer"
    if has_moved:
        return (
            MOVED_WORDS,
            "none works on a database that has moved",
        )
    if seen_at is None:
        return "ok", "no worker has run yet; start hub worker, or hub serve for both"
    if now - seen_at > WORKER_SILENT_AFTER:
        silent = int((now - seen_at).total_seconds())
        return "ok", f"no sign of life from a worker for {silent} s"
    return "ok", "ok"
