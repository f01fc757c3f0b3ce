"""Records -> the plain values that the API answers and the pages show, every secret masked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from hub import catalog
from hub.catalog.redaction import Redaction
from hub.delivery.throttle import believed
from hub.health.assess import Area
from hub.health.facts import Facts
from hub.health.places import describe
from hub.health.status import status_of
from hub.health.waiting import WaitReason, lasting_reason, why
from hub.ingest.route import Rules
from hub.model.audit import AuditEntry
from hub.model.delivery import State
from hub.model.finding import Finding, FindingCode
from hub.model.records import AttemptRecord, DeliveryRecord, EventRecord
from hub.model.routing import Verdict
from hub.model.stats import Stats
from hub.operator import Wait
from hub.templating.placeholders import shown
from hub.web.context import Health
from hub.web.event_words import EventWords, words_of_delivery

Fields = dict[str, Any]

_OWED = (State.PENDING, State.SENDING, State.HELD, State.DEAD)


def event(record: EventRecord, words: EventWords) -> Fields:
    """Return an event as lists have it; `deliveries` counts by state."""
    redaction = words.redaction
    return {
        "id": record.id,
        "source": record.source,
        "message_id": record.message_id,
        "type": record.type,
        **words.fields,
        "received_at": record.received_at,
        "version": record.version,
        "routes": [verdict.route for verdict in record.verdicts if verdict.matched],
        "verdicts": [_verdict(verdict, redaction) for verdict in record.verdicts],
        "deliveries": {state.value: record.states.get(state, 0) for state in State if state in record.states},
    }


def whole_event(record: EventRecord, words: EventWords) -> Fields:
    """Return an event alone: with its payload, null once it was pruned."""
    payload = None if record.payload is None else catalog.mask_body(record.type, words.body)
    return {**event(record, words), "payload": words.redaction.anything(payload)}


def deliveries(records: Iterable[DeliveryRecord], rules: Rules, facts: Facts) -> Iterator[Fields]:
    """Yield deliveries as lists have them; the secrets of an event are looked for once."""
    of_event: dict[str, EventWords] = {}
    for record in records:
        if record.event not in of_event:
            of_event[record.event] = words_of_delivery(record, rules)
        yield _delivery(record, of_event[record.event], facts)


def _delivery(record: DeliveryRecord, words: EventWords, facts: Facts) -> Fields:
    """Return a delivery as lists have it. `facts` say why it waits."""
    redaction = words.redaction
    return {
        "id": record.id,
        "event": record.event,
        "type": record.type,
        **words.fields,
        "route": record.route,
        "destination": record.destination,
        "state": record.state.value,
        "reason": redaction.optional(record.reason),
        "why": _wait(why(record, facts), redaction),
        "attempts": record.attempts,
        "due_at": record.due_at,
        "created_at": record.created_at,
        "delivered_at": record.delivered_at,
        "degraded": record.degraded is not None,
        "message": redaction.anything(record.message and shown(record.message)),
    }


def whole_delivery(record: DeliveryRecord, rules: Rules, facts: Facts) -> Fields:
    """Return a delivery alone: with its attempts, oldest first."""
    words = words_of_delivery(record, rules)
    return {
        **_delivery(record, words, facts),
        "attempt_list": [_attempt(attempt, words.redaction) for attempt in record.attempt_list],
    }


def destinations(health: Health) -> list[Fields]:
    """Return today's destinations in the order of routes.yaml, then those that are gone but still owed to."""
    return [_destination(name, health) for name in owed_names(health.facts, health.stats.deliveries)]


def owed_names(facts: Facts, counts: Mapping[tuple[str, State], int]) -> list[str]:
    """Return the names of today's destinations, then of those that are gone but still owed to."""
    configs = facts.config.destinations if facts.config else {}
    owed = {name for name, state in counts if state in _OWED}
    return [*configs, *sorted(owed - set(configs))]


def destination(health: Health, name: str) -> Fields:
    """Return one destination that is known."""
    return _destination(name, health)


def audit_entry(entry: AuditEntry) -> Fields:
    """Return who did what."""
    return {
        "at": entry.at,
        "act": entry.act.value,
        "subject": entry.subject,
        "by": entry.actor.by.value,
        "address": entry.actor.address,
        "changed": entry.changed,
    }


def finding(judged: Finding) -> Fields:
    """Return a finding with all its fields."""
    return judged.fields


def stats(numbers: Stats) -> Fields:
    """Return the store in numbers."""
    by_destination: dict[str, dict[str, int]] = {}
    for (name, state), count in sorted(numbers.deliveries.items()):
        by_destination.setdefault(name, {})[state.value] = count
    return {
        "events": numbers.events,
        "events_last_day": numbers.events_last_day,
        "last_event_at": numbers.last_event_at,
        "deliveries": {state.value: numbers.count(state) for state in State},
        "by_destination": by_destination,
        "oldest_due_seconds": _age(min(numbers.oldest_due.values(), default=None), numbers.now),
        "worker_beat_seconds": _age(numbers.worker_seen_at, numbers.now),
    }


def _verdict(verdict: Verdict, redaction: Redaction) -> Fields:
    return {
        "route": verdict.route,
        "matched": verdict.matched,
        "condition": verdict.condition,
        "value": redaction.optional(verdict.value),
        "unowed": verdict.unowed,
        "sends": [
            {"to": sent.to, "condition": sent.condition, "value": redaction.text(sent.value)}
            for sent in verdict.sends
        ],
    }


def _wait(reason: WaitReason | None, redaction: Redaction) -> Fields | None:
    if reason is None:
        return None
    return {"code": reason.code.value, "text": redaction.own_text(reason.text), "until": reason.until}


def wait_after_act(wait: Wait, redaction: Redaction) -> Fields:
    """Return what an act owed to a destination and waits, with why."""
    return {
        "destination": wait.destination,
        "deliveries": wait.count,
        "why": _wait(wait.reason, redaction),
    }


def _attempt(record: AttemptRecord, redaction: Redaction) -> Fields:
    return {
        "at": record.at,
        "seconds": record.seconds,
        "outcome": record.outcome.value if record.outcome else None,
        "status": record.status,
        "detail": redaction.optional(record.detail),
        "answer": None if record.answer is None else redaction.text(record.answer),
    }


def _destination(name: str, health: Health) -> Fields:
    config, state = health.facts.destination_config(name), health.facts.state(name)
    status = status_of(name, health.facts)
    is_paused = config is not None and state.paused_at is not None
    judged = [*health.findings[Area.DESTINATIONS], *health.findings[Area.MIRROR]]
    worst = next((one for one in judged if one.subject == name), None)
    return {
        "name": name,
        "type": config.type if config else None,
        "state": status.value,
        "reason": _reason(worst),
        "since": worst.since if worst is not None else None,
        "why": _wait(lasting_reason(name, health.facts), health.redaction),
        "paused_reason": health.redaction.optional(state.paused_reason) if is_paused else None,
        "paused_at": state.paused_at if is_paused else None,
        "missing": list(config.missing) if config else [],
        "sends_to": describe(config) if config else None,
        "failures": state.failures if config else 0,
        "probe_at": believed(config, state, health.facts.now).probe_at if config else None,
        **{state.value: health.stats.count(state, name) for state in State},
        "oldest_due_seconds": _age(health.stats.oldest_due.get(name), health.facts.now),
    }


def _reason(judged: Finding | None) -> str | None:
    """Return what is the matter with a destination in the words of its finding; None where nothing is."""
    if judged is None:
        return None
    return judged.reason if judged.code is FindingCode.NOT_CONFIGURED else judged.headline


def _age(moment: datetime | None, now: datetime) -> float | None:
    """Return how many seconds ago a moment was; None where there is none."""
    return None if moment is None else round(max((now - moment).total_seconds(), 0.0), 3)
