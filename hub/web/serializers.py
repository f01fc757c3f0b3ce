"""Records -> what the API answers and the pages show: plain values, every secret masked."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from hub import catalog
from hub.catalog.redaction import Redaction, body_of
from hub.destinations.base import find_destination
from hub.health.assess import Area
from hub.health.status import DestinationStatus, status_of
from hub.humanize import sentence
from hub.model.delivery import State
from hub.model.destination import DestinationConfig
from hub.model.finding import Finding
from hub.model.records import AttemptRecord, DeliveryRecord, EventRecord
from hub.model.routing import Verdict
from hub.model.stats import Stats
from hub.web.context import Outlook

Shown = dict[str, Any]


def event(record: EventRecord, masks: Redaction) -> Shown:
    """An event as lists have it; `deliveries` counts by state."""
    masks = masks.of_event(record.type, record.payload)
    return {
        "id": record.id,
        "source": record.source,
        "message_id": record.message_id,
        "type": record.type,
        "received_at": record.received_at,
        "routes": [verdict.route for verdict in record.verdicts if verdict.matched],
        "verdicts": [_verdict(each, masks) for each in record.verdicts],
        "deliveries": {state.value: record.states.get(state, 0) for state in State if state in record.states},
    }


def whole_event(record: EventRecord, masks: Redaction) -> Shown:
    """An event alone: with its payload, null once it was pruned."""
    payload = None if record.payload is None else catalog.mask_body(record.type, body_of(record.payload))
    return {**event(record, masks), "payload": payload}


def delivery(record: DeliveryRecord, masks: Redaction) -> Shown:
    """A delivery as lists have it."""
    masks = masks.of_event(record.type, record.payload)
    return {
        "id": record.id,
        "event": record.event,
        "type": record.type,
        "route": record.route,
        "destination": record.destination,
        "state": record.state.value,
        "reason": masks.optional(record.reason),
        "attempts": record.attempts,
        "due_at": record.due_at,
        "created_at": record.created_at,
        "delivered_at": record.delivered_at,
        "degraded": record.degraded is not None,
        "message": masks.anything(record.message),
    }


def whole_delivery(record: DeliveryRecord, masks: Redaction) -> Shown:
    """A delivery alone: with its attempts, oldest first."""
    own = masks.of_event(record.type, record.payload)
    return {
        **delivery(record, masks),
        "attempt_list": [_attempt(each, own) for each in record.attempt_list],
    }


def destinations(outlook: Outlook) -> list[Shown]:
    """Today's destinations in the order of routes.yaml, then those that are gone but still owed to."""
    configs = outlook.facts.config.destinations if outlook.facts.config else {}
    owed = {name for name, state in outlook.stats.deliveries if state in _OWED}
    return [_destination(name, outlook) for name in (*configs, *sorted(owed - set(configs)))]


def destination(outlook: Outlook, name: str) -> Shown:
    """One destination that is known."""
    return next(shown for shown in destinations(outlook) if shown["name"] == name)


def finding(judged: Finding) -> Shown:
    """A finding, all its fields."""
    return vars(judged)


def stats(numbers: Stats) -> Shown:
    """The store in numbers."""
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


_OWED = (State.PENDING, State.SENDING, State.HELD, State.DEAD)


def _verdict(verdict: Verdict, masks: Redaction) -> Shown:
    return {
        "route": verdict.route,
        "matched": verdict.matched,
        "condition": verdict.condition,
        "value": masks.optional(verdict.value),
    }


def _attempt(record: AttemptRecord, masks: Redaction) -> Shown:
    return {
        "at": record.at,
        "seconds": record.seconds,
        "outcome": record.outcome.value if record.outcome else None,
        "status": record.status,
        "detail": masks.optional(record.detail),
    }


def _destination(name: str, outlook: Outlook) -> Shown:
    configs = outlook.facts.config.destinations if outlook.facts.config else {}
    config, state = configs.get(name), outlook.facts.state(name)
    status = status_of(config, state)
    is_paused = config is not None and state.paused_at is not None
    return {
        "name": name,
        "type": config.type if config else None,
        "state": status.value,
        "advice": _advice(name, status, outlook),
        "paused_reason": outlook.redaction.optional(state.paused_reason) if is_paused else None,
        "paused_at": state.paused_at if is_paused else None,
        "missing": list(config.missing) if config else [],
        "sends_to": describe(config) if config else None,
        "failures": state.failures if config else 0,
        "probe_at": state.probe_at if config else None,
        **{state.value: outlook.stats.count(state, name) for state in State},
        "oldest_due_seconds": _age(outlook.stats.oldest_due.get(name), outlook.facts.now),
    }


def _advice(name: str, status: DestinationStatus, outlook: Outlook) -> str | None:
    """What to do, where there is something to do; a pause's reason stands beside it."""
    if status is DestinationStatus.DISABLED:
        return "Nothing is owed to it while routes.yaml says enabled: false."
    for its_finding in outlook.findings.get(Area.DESTINATIONS, ()):
        if its_finding.subject == name:
            reason = "" if status is DestinationStatus.PAUSED else sentence(its_finding.reason)
            return " ".join(filter(None, (reason, sentence(its_finding.cure))))
    return None


def describe(config: DestinationConfig) -> str | None:
    """Where a destination sends to, as its type tells it; None while it is not configured."""
    kind = find_destination(config.type)
    if kind is None or config.options is None:
        return None
    place = kind(config.options, config.name)  # type: ignore[arg-type]  # its own, validated options
    try:
        return place.describe()
    finally:
        place.close()


def _age(moment: datetime | None, now: datetime) -> float | None:
    """How long ago, in seconds; None where there is no moment."""
    return None if moment is None else round(max((now - moment).total_seconds(), 0.0), 3)
