"""The status page: what was sent, what was not, and why."""

from __future__ import annotations

import json
from typing import Any

from flask import Blueprint, Response, make_response, render_template, request

from hub import catalog
from hub.catalog.redaction import Redaction, redaction_of
from hub.humanize import ago, counted, span, utc
from hub.model.config import SourceConfig
from hub.model.delivery import State
from hub.model.event import Event
from hub.model.records import EventRecord
from hub.web import access, parameters, serializers
from hub.web.context import Context, context
from hub.web.messages import parts
from hub.web.overview import overview
from hub.web.parameters import known_id

PAGE_SIZE = 50
LAST_EVENTS = 8
EVENT_DELIVERIES = 200

blueprint = Blueprint("pages", __name__)
blueprint.before_request(access.require_session)
for _filter in (ago, counted, span, utc):
    blueprint.app_template_filter()(_filter)


@blueprint.get("/")
def status() -> Response:
    here = context()
    masks = redaction_of(here.settings.environment)
    with here.store.read() as reading:
        outlook = here.look_up(reading)
        events = [_listed(record, masks) for record in reading.reports.events(limit=LAST_EVENTS)]
    serving = here.serving()
    config = serving.rules.config
    sources = [(source, _address(here, source)) for source in config.sources.values()]
    return page(
        "status.html",
        now=outlook.facts.now,
        stats=outlook.stats,
        overview=overview(outlook.findings),
        serving=serving,
        destinations=serializers.destinations(outlook),
        events=events,
        unset_sources=[(source, address) for source, address in sources if source.missing],
        addresses=[address for _, address in sources],
        State=State,
    )


@blueprint.get("/events")
def events() -> Response:
    here = context()
    masks = redaction_of(here.settings.environment)
    type_, before = parameters.text("type"), parameters.before()
    with here.store.read() as reading:
        records = reading.reports.events(type_=type_, limit=PAGE_SIZE + 1, before=before)
        now = reading.now
    items = [_listed(record, masks) for record in records[:PAGE_SIZE]]
    return page(
        "events.html",
        now=now,
        events=items,
        type=type_,
        types=catalog.event_types(),
        before=before,
        next=items[-1]["id"] if len(records) > PAGE_SIZE else None,
        addresses=[_address(here, source) for source in here.rules().config.sources.values()],
    )


@blueprint.get("/events/<event_id>")
def event(event_id: str) -> Response:
    here = context()
    masks = redaction_of(here.settings.environment)
    with here.store.read() as reading:
        record = reading.reports.event(known_id("event", event_id))
        owed = reading.reports.deliveries(event=record.id, limit=EVENT_DELIVERIES)
        now = reading.now
    whole = serializers.whole_event(record, masks)
    return page(
        "event.html",
        now=now,
        event={**whole, **_summary(record, masks)},
        payload=None if whole["payload"] is None else _pretty(whole["payload"]),
        meaning=_meaning(record.type),
        deliveries=[serializers.delivery(each, masks) for each in owed],
    )


@blueprint.get("/deliveries")
def deliveries() -> Response:
    here = context()
    masks = redaction_of(here.settings.environment)
    state, name, before = parameters.state(), parameters.text("destination"), parameters.before()
    with here.store.read() as reading:
        records = reading.reports.deliveries(
            state=state, destination=name, limit=PAGE_SIZE + 1, before=before
        )
        now, known = reading.now, reading.destinations.all()
    items = [serializers.delivery(record, masks) for record in records[:PAGE_SIZE]]
    return page(
        "deliveries.html",
        now=now,
        deliveries=items,
        state=state,
        destination=name,
        states=list(State),
        names=sorted({*here.rules().config.destinations, *known}),
        before=before,
        next=items[-1]["id"] if len(records) > PAGE_SIZE else None,
    )


@blueprint.get("/deliveries/<delivery_id>")
def delivery(delivery_id: str) -> Response:
    here = context()
    masks = redaction_of(here.settings.environment)
    with here.store.read() as reading:
        record = reading.reports.delivery(known_id("delivery", delivery_id))
        now = reading.now
    whole = serializers.whole_delivery(record, masks)
    place = here.rules().config.destinations.get(record.destination)
    return page(
        "delivery.html",
        now=now,
        delivery=whole,
        parts_of_message=parts(whole["message"], place.type if place else None) if whole["message"] else [],
        message=_pretty(whole["message"]) if whole["message"] else None,
    )


@blueprint.get("/destinations")
def destinations() -> Response:
    here = context()
    with here.store.read() as reading:
        outlook = here.look_up(reading)
    shown = serializers.destinations(outlook)
    return page("destinations.html", now=outlook.facts.now, destinations=shown)


@blueprint.get("/routes")
def routes() -> Response:
    here = context()
    masks = redaction_of(here.settings.environment)
    serving = here.serving()
    return page(
        "routes.html",
        serving=serving,
        config=serving.rules.config,
        path=here.settings.config_path.as_posix(),
        fields=lambda send: _fields(send.fields, masks),
    )


def page(template: str, **values: Any) -> Response:
    """A page in UTF-8; what UTF-8 cannot carry (half a surrogate pair in a payload) becomes a `?`."""
    live = request.full_path.rstrip("?")
    return make_response(render_template(template, live=live, **values).encode("utf-8", "replace"))


def _listed(record: EventRecord, masks: Redaction) -> serializers.Shown:
    return {**serializers.event(record, masks), **_summary(record, masks)}


def _summary(record: EventRecord, masks: Redaction) -> serializers.Shown:
    """What happened in words, without secrets; nothing once the payload is pruned."""
    if record.payload is None:
        return {"headline": None, "facts": []}
    told = catalog.summarise(
        Event(
            id=record.id,
            source=record.source,
            message_id=record.message_id,
            type=record.type,
            payload=record.payload,
            received_at=record.received_at,
        )
    )
    own = masks.of_event(record.type, record.payload)
    facts = [(own.text(label), own.text(value)) for label, value in told.fields]
    return {"headline": own.text(told.headline), "facts": facts}


def _meaning(type_: str) -> str | None:
    known = catalog.find_event_type(type_)
    return known.meaning if known else None


def _address(here: Context, source: SourceConfig) -> str:
    """The whole URL to paste into the sender's dashboard."""
    return (here.settings.public_url or request.url_root.rstrip("/")) + source.path


def _fields(fields: Any, masks: Redaction) -> list[tuple[str, str]]:
    """A send block's fields as the user wrote them: texts as they are, structures as JSON."""
    shown_fields = masks.anything(dict(fields))
    return [
        (name, value if isinstance(value, str) else _pretty(value)) for name, value in shown_fields.items()
    ]


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
