"""The API: the contents of the pages as JSON, and the acts of an operator."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from hub import operator
from hub.model.delivery import State
from hub.store.repositories.payloads import LISTED_PAYLOAD_BYTES, WHOLE_PAYLOAD_BYTES
from hub.web import access, parameters, serializers
from hub.web.context import Context, context
from hub.web.event_words import words_of_event
from hub.web.paging import answer_page, page_of
from hub.web.parameters import FILTERS, known_id

blueprint = Blueprint("api", __name__, url_prefix="/api")
blueprint.before_request(access.require_key)


@blueprint.get("/events")
def events() -> Response:
    """Answer a page of events; with `payload=true` each with its payload."""
    parameters.only(*FILTERS, "payload", "limit", "before")
    here, limit, whole = context(), parameters.limit(), parameters.flag("payload")
    with here.store.read() as snapshot:
        where = parameters.chosen(here.rules(), snapshot)
        matches = snapshot.event_list.find(where, limit=limit + 1, before=parameters.before())
        sizes = snapshot.event_list.sizes_of(matches.ids) if whole else [(one, 0) for one in matches.ids]
        chosen = page_of(sizes, limit, matches.resume)
        largest = WHOLE_PAYLOAD_BYTES if whole else LISTED_PAYLOAD_BYTES
        records = snapshot.event_list.records_of(chosen.ids, largest=largest)
        read_until = snapshot.terms.read_until() if where.words else None
    serialize = serializers.whole_event if whole else serializers.event
    rules = here.rules()
    items = ((record.id, serialize(record, words_of_event(record, rules))) for record in records)
    return answer_page(items, chosen.next, read_until)


@blueprint.get("/events/<event_id>")
def event(event_id: str) -> Response:
    here = context()
    with here.store.read() as snapshot:
        record = snapshot.event_list.record(known_id("event", event_id))
    return jsonify(serializers.whole_event(record, words_of_event(record, here.rules(), here.store)))


@blueprint.post("/events/<event_id>/replay")
def replay(event_id: str) -> Response:
    """Route an event again by today's rules, to the destinations that are named, or to all of them."""
    parameters.only("destination")
    here = context()
    names = parameters.several("destination")
    replayed = operator.replay(known_id("event", event_id), here.rules(), here.store, access.actor(), names)
    return jsonify(event=replayed.event_id, routes=list(replayed.routes), deliveries=replayed.deliveries)


@blueprint.get("/deliveries")
def deliveries() -> Response:
    parameters.only(*FILTERS, "event", "limit", "before")
    here, limit = context(), parameters.limit()
    with here.store.read() as snapshot:
        where = parameters.chosen(here.rules(), snapshot)
        read_until = snapshot.terms.read_until() if where.words else None
        matches = snapshot.delivery_list.find(
            where,
            event=parameters.event(snapshot),
            limit=limit + 1,
            before=parameters.before(),
        )
        chosen = page_of(snapshot.delivery_list.sizes_of(matches.ids), limit, matches.resume)
        records = snapshot.delivery_list.records_of(chosen.ids)
        facts = here.waiting_facts(snapshot)
    items = serializers.deliveries(records, here.rules(), facts)
    return answer_page(((item["id"], item) for item in items), chosen.next, read_until)


@blueprint.get("/deliveries/<delivery_id>")
def delivery(delivery_id: str) -> Response:
    return _delivery(known_id("delivery", delivery_id))


@blueprint.post("/deliveries/<delivery_id>/retry")
def retry(delivery_id: str) -> Response:
    parameters.only()
    here = context()
    operator.retry(here.store, here.rules(), known_id("delivery", delivery_id), access.actor())
    return _delivery(delivery_id)


@blueprint.post("/deliveries/<delivery_id>/cancel")
def cancel(delivery_id: str) -> Response:
    parameters.only()
    operator.cancel(context().store, known_id("delivery", delivery_id), access.actor())
    return _delivery(delivery_id)


@blueprint.post("/deliveries/<delivery_id>/resolve")
def resolve(delivery_id: str) -> Response:
    parameters.only("as")
    known_id("delivery", delivery_id)
    operator.resolve(
        context().store, delivery_id, parameters.choice("as", ("delivered", "retry")), access.actor()
    )
    return _delivery(delivery_id)


@blueprint.post("/retry")
def retry_all() -> Response:
    """Retry all that are dead (or cancelled) at once."""
    parameters.only("state", "destination", "since")
    here = context()
    state = parameters.state(default=State.DEAD) or State.DEAD
    with here.store.read() as snapshot:
        since = parameters.since(snapshot.now)
        destination = parameters.destination(here.rules(), snapshot)
    retried = operator.retry_all(
        here.store,
        here.rules(),
        state=state,
        destination=destination,
        since=since,
        actor=access.actor(),
    )
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
    operator.pause(here.store, here.rules(), known_destination(here, name), access.actor())
    return _destination(here, name)


@blueprint.post("/destinations/<name>/resume")
def resume(name: str) -> Response:
    parameters.only()
    here = context()
    operator.resume(here.store, here.rules(), known_destination(here, name), access.actor())
    return _destination(here, name)


@blueprint.get("/findings")
def findings() -> Response:
    """Answer all that somebody should know, as the status page has it."""
    parameters.only()
    here = context()
    with here.store.read() as snapshot:
        health = here.health(snapshot)
    return jsonify(items=[serializers.finding(finding) for finding in health.all_findings()], next=None)


@blueprint.get("/audit")
def audit() -> Response:
    """Answer who did what, and who failed to get in."""
    parameters.only("subject", "act", "limit", "before")
    limit, subject = parameters.limit(), parameters.text("subject")
    with context().store.read() as snapshot:
        entries = snapshot.audit.entries(
            subjects=[subject] if subject else [],
            act=parameters.act(),
            limit=limit + 1,
            before=parameters.before(),
        )
    chosen = page_of([(entry.id, 0) for entry in entries], limit)
    items = ((entry.id, serializers.audit_entry(entry)) for entry in entries[:limit])
    return answer_page(items, chosen.next)


@blueprint.get("/stats")
def stats() -> Response:
    parameters.only()
    with context().store.read() as snapshot:
        return jsonify(serializers.stats(snapshot.numbers.stats()))


def known_destination(here: Context, name: str) -> str:
    """Return the name of one of today's destinations; raises NotFound."""
    names = here.rules().config.destinations
    if name not in names:
        raise operator.no_destination(name, names)
    return name


def _delivery(delivery_id: str) -> Response:
    here = context()
    with here.store.read() as snapshot:
        record = snapshot.delivery_list.record(delivery_id)
        facts = here.waiting_facts(snapshot)
    return jsonify(serializers.whole_delivery(record, here.rules(), facts))


def _destination(here: Context, name: str) -> Response:
    with here.store.read() as snapshot:
        health = here.health(snapshot)
    return jsonify(serializers.destination(health, name))
