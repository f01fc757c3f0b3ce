"""Records -> what the API answers and the pages show: plain values, every secret masked."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from hub import catalog
from hub.catalog.redaction import Redaction, body_of
from hub.destinations.base import find_destination
from hub.model.delivery import State
from hub.model.destination import DestinationConfig, DestinationState
from hub.model.records import AttemptRecord, DeliveryRecord, EventRecord
from hub.model.routing import Verdict
from hub.model.stats import Stats
from hub.store.store import Transaction
from hub.web.context import Context

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


def destinations(context: Context, reading: Transaction) -> list[Shown]:
    """Today's destinations in the order of routes.yaml, then those that are gone but still owed to."""
    stats = reading.reports.stats()
    states = reading.destinations.all()
    configs = context.rules().config.destinations
    shown = [_destination(config, states.get(name), stats) for name, config in configs.items()]
    left = sorted({name for name, state in stats.deliveries if state in _OWED} - set(configs))
    return shown + [_removed(name, stats) for name in left]


def destination(context: Context, reading: Transaction, name: str) -> Shown:
    """One destination that is known."""
    return next(each for each in destinations(context, reading) if each["name"] == name)


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


def _destination(config: DestinationConfig, known: DestinationState | None, stats: Stats) -> Shown:
    state = known or DestinationState(name=config.name)
    return {
        "name": config.name,
        "type": config.type,
        "state": _state(config, state),
        "advice": _advice(config, state),
        "paused_reason": state.paused_reason if state.paused_at else None,
        "paused_at": state.paused_at,
        "missing": list(config.missing),
        "sends_to": describe(config),
        "failures": state.failures,
        "probe_at": state.probe_at,
        **_owed(config.name, stats),
    }


def _removed(name: str, stats: Stats) -> Shown:
    return {
        "name": name,
        "type": None,
        "state": "removed",
        "advice": "It is no longer in routes.yaml. Put it back, or cancel what it is owed.",
        "paused_reason": None,
        "paused_at": None,
        "missing": [],
        "sends_to": None,
        "failures": 0,
        "probe_at": None,
        **_owed(name, stats),
    }


def _owed(name: str, stats: Stats) -> Mapping[str, Any]:
    counts = {state.value: stats.count(state, name) for state in State}
    return {**counts, "oldest_due_seconds": _age(stats.oldest_due.get(name), stats.now)}


def _state(config: DestinationConfig, state: DestinationState) -> str:
    if not config.enabled:
        return "disabled"
    if config.options is None:
        return "not_configured"
    if state.paused_at is not None:
        return "paused"
    return "failing" if state.probe_at is not None else "ok"


def _advice(config: DestinationConfig, state: DestinationState) -> str | None:
    """What to do, where there is something to do."""
    match _state(config, state):
        case "not_configured":
            return f"Set {' and '.join(config.missing)}. What it is owed waits, and nothing is lost."
        case "paused":
            return "Put right what the reason names, then resume it. What it is owed waits."
        case "failing":
            return f"{state.failures} failures in a row. The hub keeps trying, one message at a time."
        case "disabled":
            return "Nothing is owed to it while routes.yaml says enabled: false."
        case _:
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
