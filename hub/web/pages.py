"""The status page: events, deliveries and destinations, for people."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, g, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from hub import catalog, operator
from hub.humanize import ago, byte_size, capitalised, clock, counted, exact, sentence, span, stamp
from hub.ingest.route import Rules
from hub.model.audit import Act
from hub.model.problem import Severity
from hub.model.records import DeliveryRecord
from hub.model.stats import Day
from hub.preview.curl import curl
from hub.preview.drawing import pretty
from hub.web import access, live, parameters, serializers
from hub.web.audit_page import lines_of
from hub.web.chips import searched_type
from hub.web.context import context
from hub.web.delivery_page import ATTEMPTS_OPEN, delivery_words, without_state
from hub.web.destination_page import routes_to, settings_of, strip_of
from hub.web.destination_rows import distance, rows_of
from hub.web.event_page import beside_headline, tree_of
from hub.web.event_words import after_subject, words_of_event
from hub.web.find_page import PAGE_SIZE, found_deliveries, found_events, neighbours, source_address
from hub.web.markup import beginning_of, code_words, render_page
from hub.web.messages import event_to_render, mail_frame, shown_message, views_of
from hub.web.mirror_part import mirror_lines
from hub.web.overview import notes_of
from hub.web.overview_page import overview_values
from hub.web.parameters import known_id
from hub.web.problem_lines import shown_problems
from hub.web.routes_page import asked_event, chosen, fields_of

EVENT_DELIVERIES = 200
DAY = timedelta(days=1)
HISTORY = 20
"""The most acts that the page of an event or a delivery shows; /audit has all."""

blueprint = Blueprint("pages", __name__)
blueprint.before_request(access.require_session)
blueprint.before_request(live.answer_unchanged)
for _filter in (
    *(after_subject, ago, byte_size, capitalised, clock, code_words, counted, distance, exact, sentence),
    *(span, stamp, without_state),
):
    blueprint.app_template_filter()(_filter)


@blueprint.get("/")
def status() -> Response:
    return page("status.html", **overview_values(context(), request.url_root))


@blueprint.get("/events")
def events() -> AnyResponse:
    by_type = searched_type(parameters.given(), catalog.event_types())
    if by_type is not None:
        return redirect(url_for("pages.events", **by_type))
    return page("events.html", types=catalog.event_types(), **found_events(context()))


@blueprint.get("/events/<event_id>")
def event(event_id: str) -> Response:
    here = context()
    rules = here.rules()
    with here.store.read() as snapshot:
        record = snapshot.event_list.record(known_id("event", event_id))
        ids = snapshot.delivery_list.find(event=record.id, limit=EVENT_DELIVERIES + 1).ids
        owed = snapshot.delivery_list.records_of(ids[:EVENT_DELIVERIES], messages=False)
        attempts = snapshot.attempts.of([one.id for one in owed])
        facts = here.waiting_facts(snapshot)
        history = snapshot.audit.entries(subjects=[record.id, *(one.id for one in owed)], limit=HISTORY)
        reached = snapshot.audit.destinations_of(history)
        crumbs = neighbours("event", record.id, rules, snapshot)
    words = words_of_event(record, rules, here.store)
    whole = serializers.whole_event(record, words)
    payload = None if whole["payload"] is None else pretty(whole["payload"])
    beginning = payload and beginning_of(payload)
    lines = list(zip(owed, serializers.deliveries(owed, rules, facts), strict=True))[::-1]
    return page(
        "event.html",
        now=facts.now,
        crumbs=crumbs,
        event=whole,
        tree=tree_of(record, lines, attempts, rules, words.redaction),
        serves=rules.config.version,
        about=beside_headline(whole["about"], whole["headline"]),
        summary=words.summary,
        payload=beginning,
        is_cut=beginning != payload,
        size=len(record.payload or b""),
        meaning=_meaning(record.type),
        unowed="; ".join(dict.fromkeys(verdict.unowed for verdict in record.verdicts if verdict.unowed)),
        deliveries=owed,
        more=len(ids) > EVENT_DELIVERIES,
        history=history,
        reached=reached,
    )


@blueprint.get("/deliveries")
def deliveries() -> AnyResponse:
    by_type = searched_type(parameters.given(), catalog.event_types())
    if by_type is not None:
        return redirect(url_for("pages.deliveries", **by_type))
    return page("deliveries.html", types=catalog.event_types(), **found_deliveries(context()))


@blueprint.get("/deliveries/<delivery_id>")
def delivery(delivery_id: str) -> Response:
    here = context()
    rules = here.rules()
    with here.store.read() as snapshot:
        record = snapshot.delivery_list.record(known_id("delivery", delivery_id))
        facts = here.waiting_facts(snapshot)
        history = snapshot.audit.entries(subjects=[record.id], limit=HISTORY)
        to_render = event_to_render(record, snapshot)
        crumbs = neighbours("delivery", record.id, rules, snapshot)
    whole = serializers.whole_delivery(record, rules, facts)
    message = shown_message(record, to_render, here)
    command = curl(message.parts) if _is_http(record, rules) else None
    return page(
        "delivery.html",
        now=facts.now,
        crumbs=crumbs,
        delivery=whole,
        decided_by=record.version,
        serves=rules.config.version,
        words=delivery_words(record, whole, facts, rules.redaction),
        message=message,
        command=command if command and beginning_of(command) == command else None,
        views=views_of(message.parts, mail_frame(record.id)),
        kept=beginning_of(pretty(whole["message"])) if whole["message"] else None,
        attempts_open=ATTEMPTS_OPEN,
        history=history,
    )


@blueprint.get("/destinations")
def destinations() -> Response:
    here = context()
    with here.store.read() as snapshot:
        health = here.health(snapshot)
        rows = rows_of(health.facts, health.stats.deliveries, snapshot.attempts.last_day())
        latest = [
            (row.name, entry)
            for row in rows
            for entry in snapshot.audit.entries(subjects=[row.name], limit=1)
        ]
    return page("destinations.html", now=health.facts.now, rows=rows, latest=latest)


@blueprint.get("/destinations/<name>")
def destination(name: str) -> Response:
    here = context()
    rules = here.rules()
    with here.store.read() as snapshot:
        operator.require_destination(name, rules, snapshot)
        health = here.health(snapshot)
        since = snapshot.now - DAY
        failures = snapshot.attempts.failures(name, since)
        latest = snapshot.delivery_list.records_of([cause.latest for cause in failures], messages=False)
        day = snapshot.attempts.last_day(name).get(name, Day())
        median = snapshot.attempts.median_seconds(name, since)
        history = snapshot.audit.entries(subjects=[name], limit=HISTORY)
    return page(
        "destination.html",
        now=health.facts.now,
        destination=serializers.destination(health, name),
        notes=notes_of(
            [finding for finding in health.all_findings() if finding.subject == name],
            health.facts.now,
            health.facts.zone,
        ),
        failures=failures,
        states={one.id: one.state.value for one in latest},
        strip=strip_of(day),
        median=median,
        mirror=mirror_lines(name, rules.config, health.facts),
        settings=settings_of(rules.config.destinations.get(name)),
        routes=routes_to(name, rules.config),
        history=history,
    )


@blueprint.get("/audit")
def audit() -> Response:
    here = context()
    subject, act, before = parameters.text("subject"), parameters.act(), parameters.before()
    with here.store.read() as snapshot:
        entries = snapshot.audit.entries(
            subjects=[subject] if subject else [], act=act, limit=PAGE_SIZE + 1, before=before
        )
        lines = lines_of(entries[:PAGE_SIZE], here.rules(), snapshot)
        now = snapshot.now
    return page(
        "audit.html",
        now=now,
        lines=lines,
        subject=subject,
        act=act,
        acts=list(Act),
        before=before,
        next=lines[-1].entry.id if len(entries) > PAGE_SIZE else None,
    )


@blueprint.get("/routes")
def routes() -> Response:
    here = context()
    serving = here.serving()
    asked, name = parameters.text("q") or "", parameters.text("route") or ""
    with here.store.read() as snapshot:
        now = snapshot.now
        taken = snapshot.event_list.taken(now - DAY)
        states = snapshot.sources.all()
        event, fault = asked_event(asked, snapshot)
    redaction = here.redaction()
    errors = [problem for problem in serving.refused if problem.severity is Severity.ERROR]
    return page(
        "routes.html",
        now=now,
        serving=serving,
        path=here.settings.config_path.as_posix(),
        asked=asked,
        name=name,
        fault=fault,
        chosen=chosen(asked, name, event, serving.rules),
        taken=taken,
        sources=[
            (source, source_address(here, source), states.get(source.name))
            for source in serving.rules.config.sources.values()
        ],
        refused=shown_problems(errors, serving.refused_files, redaction),
        warnings=shown_problems(serving.rules.config.warnings, serving.files, redaction),
        fields=lambda send: fields_of(send, redaction),
    )


def page(template: str, **values: Any) -> Response:
    """Answer a page that may be live: `seen` is the version that it shows, `zone` that of its times."""
    zone = ZoneInfo(context().rules().config.timezone)
    return render_page(template, **{"seen": g.seen, "zone": zone, **values})


def _is_http(record: DeliveryRecord, rules: Rules) -> bool:
    config = rules.config.destinations.get(record.destination)
    return config is not None and config.type == "http"


def _meaning(type_: str) -> str | None:
    event_type = catalog.find_event_type(type_)
    return event_type.meaning if event_type else None
