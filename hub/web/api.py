"""The API: the contents of the pages as JSON, and the acts of an operator."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify

from hub import operator
from hub.errors import NotFound
from hub.ingest import fanout
from hub.model.delivery import State
from hub.web import access, parameters, serializers
from hub.web.context import Context, context
from hub.web.parameters import known_id

WHOLE_EVENTS = 100
"""So many events with their payloads, of at most 1 MiB each, are answered at once."""

blueprint = Blueprint("api", __name__, url_prefix="/api")
blueprint.before_request(access.require_key)


@blueprint.get("/events")
def events() -> Response:
    """Answer a page of events; with `payload=true` each with its payload, and then fewer at once."""
    parameters.only("type", "since", "payload", "limit", "before")
    whole = parameters.flag("payload")
    with context().store.read() as snapshot:
        limit = min(parameters.limit(), WHOLE_EVENTS) if whole else parameters.limit()
        records = snapshot.reports.events(
            type_=parameters.text("type"),
            since=parameters.since(snapshot.now),
            limit=limit + 1,
            before=parameters.before(),
        )
    serialize = serializers.whole_event if whole else serializers.event
    redaction = context().redaction()
    return _page([serialize(record, redaction) for record in records], limit)


@blueprint.get("/events/<event_id>")
def event(event_id: str) -> Response:
    with context().store.read() as snapshot:
        record = snapshot.reports.event(known_id("event", event_id))
    return jsonify(serializers.whole_event(record, context().redaction()))


@blueprint.post("/events/<event_id>/replay")
def replay(event_id: str) -> Response:
    """Route an event again by today's rules."""
    parameters.only()
    here = context()
    replayed = fanout.replay(known_id("event", event_id), here.rules(), here.store)
    return jsonify(event=replayed.event_id, routes=list(replayed.routes), deliveries=replayed.deliveries)


@blueprint.get("/deliveries")
def deliveries() -> Response:
    parameters.only("state", "destination", "event", "limit", "before")
    here, limit = context(), parameters.limit()
    with here.store.read() as snapshot:
        records = snapshot.reports.deliveries(
            state=parameters.state(),
            destination=parameters.text("destination"),
            event=parameters.text("event"),
            limit=limit + 1,
            before=parameters.before(),
        )
        facts = here.waiting_facts(snapshot)
    redaction = here.redaction()
    return _page([serializers.delivery(record, redaction, facts) for record in records], limit)


@blueprint.get("/deliveries/<delivery_id>")
def delivery(delivery_id: str) -> Response:
    return _delivery(known_id("delivery", delivery_id))


@blueprint.post("/deliveries/<delivery_id>/retry")
def retry(delivery_id: str) -> Response:
    parameters.only()
    here = context()
    operator.retry(here.store, here.rules(), known_id("delivery", delivery_id))
    return _delivery(delivery_id)


@blueprint.post("/deliveries/<delivery_id>/cancel")
def cancel(delivery_id: str) -> Response:
    parameters.only()
    operator.cancel(context().store, known_id("delivery", delivery_id))
    return _delivery(delivery_id)


@blueprint.post("/deliveries/<delivery_id>/resolve")
def resolve(delivery_id: str) -> Response:
    parameters.only("as")
    known_id("delivery", delivery_id)
    operator.resolve(context().store, delivery_id, parameters.choice("as", ("delivered", "retry")))
    return _delivery(delivery_id)


@blueprint.post("/retry")
def retry_all() -> Response:
    """Retry all that are dead (or cancelled) at once."""
    parameters.only("state", "destination", "since")
    here = context()
    state = parameters.state(default=State.DEAD) or State.DEAD
    destination = parameters.text("destination")
    with here.store.read() as snapshot:
        since = parameters.since(snapshot.now)
        known = {*here.rules().config.destinations, *snapshot.destinations.all()}
    if destination is not None and destination not in known:
        raise NotFound(f"there is no destination {destination}")
    retried = operator.retry_all(here.store, here.rules(), state=state, destination=destination, since=since)
    return jsonify(retried=retried)


@blueprint.get("/destinations")
def destinations() -> Response:
    parameters.only()
    here = context()
    with here.store.read() as snapshot:
        health = here.health(snapshot)
    return jsonify(items=serializers.destinations(health), next=None)


@blueprint.post("/destinations/<name>/pause")
def pause(name: str) -> Response:
    parameters.only()
    here = context()
    operator.pause(here.store, here.rules(), known_destination(here, name))
    return _destination(here, name)


@blueprint.post("/destinations/<name>/resume")
def resume(name: str) -> Response:
    parameters.only()
    here = context()
    operator.resume(here.store, here.rules(), known_destination(here, name))
    return _destination(here, name)


@blueprint.get("/findings")
def findings() -> Response:
    """Answer all that somebody should know, as the status page has it."""
    parameters.only()
    here = context()
    with here.store.read() as snapshot:
        health = here.health(snapshot)
    return jsonify(items=[serializers.finding(finding) for finding in health.all_findings()], next=None)


@blueprint.get("/stats")
def stats() -> Response:
    parameters.only()
    with context().store.read() as snapshot:
        return jsonify(serializers.stats(snapshot.reports.stats()))


def known_destination(here: Context, name: str) -> str:
    """Return the name of one of today's destinations; raises NotFound."""
    names = here.rules().config.destinations
    if name not in names:
        raise NotFound(f"there is no destination of that name; there are {', '.join(names) or 'none'}")
    return name


def _delivery(delivery_id: str) -> Response:
    here = context()
    with here.store.read() as snapshot:
        record = snapshot.reports.delivery(delivery_id)
        facts = here.waiting_facts(snapshot)
    return jsonify(serializers.whole_delivery(record, here.redaction(), facts))


def _destination(here: Context, name: str) -> Response:
    with here.store.read() as snapshot:
        health = here.health(snapshot)
    return jsonify(serializers.destination(health, name))


def _page(items: list[dict[str, Any]], limit: int) -> Response:
    """Answer a page of a list that was read one item further, to know whether another page follows."""
    more = len(items) > limit
    items = items[:limit]
    return jsonify(items=items, next=items[-1]["id"] if more else None)
