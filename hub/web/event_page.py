"""An event's page: its routes, and below each the deliveries that it owes with their attempts in time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from hub.catalog.redaction import Redaction
from hub.humanize import span
from hub.ingest.route import Rules, fits
from hub.model.delivery import State
from hub.model.records import AttemptRecord, DeliveryRecord, EventRecord
from hub.model.routing import Verdict
from hub.operator import FOUND_DELIVERED
from hub.web.delivery_page import ending, without_state
from hub.web.timeline import Scale, scale_of

Fields = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Mark:
    """An attempt on the time line. `x` is its place, `state` gives its shape."""

    x: str
    state: str
    number: int
    words: str


@dataclass(frozen=True, kw_only=True)
class OwedLine:
    """One delivery of an event. `next_x` is the place of the next attempt; None where none is to come."""

    delivery: Fields
    type: str
    marks: tuple[Mark, ...]
    next_x: str | None
    words: str


@dataclass(frozen=True, kw_only=True)
class Branch:
    """A route of an event, with its verdict and the deliveries that it owes.

    `missed` are the reasons why it owes nothing, or less than it has sends.
    """

    route: str
    matched: bool
    missed: tuple[tuple[str, str], ...] = ()
    lines: tuple[OwedLine, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Tree:
    """An event from top to bottom; `others` are the routes of today whose events it does not fit."""

    branches: tuple[Branch, ...]
    others: tuple[str, ...]
    scale: Scale


def tree_of(
    record: EventRecord,
    owed: Sequence[tuple[DeliveryRecord, Fields]],
    attempts: Mapping[str, tuple[AttemptRecord, ...]],
    rules: Rules,
    redaction: Redaction,
) -> Tree:
    """Return the tree of an event; `owed` are its deliveries, oldest first, each as the API has it too."""
    scale = scale_of(_moments(record, owed, attempts))
    places = {name: place for place, name in enumerate(rules.config.destinations)}
    owed = sorted(owed, key=lambda pair: places.get(pair[0].destination, len(places)))
    lines: dict[str, list[OwedLine]] = {}
    for delivery, fields in owed:
        of_type = rules.config.destinations.get(delivery.destination)
        lines.setdefault(delivery.route, []).append(
            OwedLine(
                delivery=fields,
                type=of_type.type if of_type else "gone",
                marks=tuple(
                    _mark(attempt, record.received_at, scale, redaction)
                    for attempt in attempts.get(delivery.id, ())
                ),
                next_x=_next_x(fields, record.received_at, scale),
                words=_words(delivery, fields, record.received_at),
            )
        )
    verdicts = {verdict.route: verdict for verdict in record.verdicts}
    branches = [
        replace(_branch(verdict, redaction), lines=tuple(lines.pop(verdict.route, ())))
        for verdict in sorted(record.verdicts, key=lambda verdict: not verdict.matched)
    ]
    rest = [Branch(route=route, matched=True, lines=tuple(its)) for route, its in lines.items()]
    unreached = _unreached(record, rules) if record.version == rules.config.version else {}
    branches += [Branch(route=route, matched=False, missed=(("", why),)) for route, why in unreached.items()]
    known = {*verdicts, *unreached}
    others = tuple(route.name for route in rules.config.routes if route.name not in known)
    return Tree(branches=(*rest, *branches), others=others, scale=scale)


def _unreached(record: EventRecord, rules: Rules) -> dict[str, str]:
    """Return the routes whose events it fits and that were not asked, each with why."""
    taking = [verdict.route for verdict in record.verdicts if verdict.matched]
    asked = {verdict.route for verdict in record.verdicts}
    reasons = {}
    for route in rules.config.routes:
        if route.name in asked or not fits(route, record.event):
            continue
        if not route.enabled:
            reasons[route.name] = "is switched off"
        elif taking:
            reasons[route.name] = f"is not reached: {taking[-1]} stops"
    return reasons


def _branch(verdict: Verdict, redaction: Redaction) -> Branch:
    missed = [
        (f"{skipped.to}: {skipped.condition}", redaction.own_text(skipped.value)) for skipped in verdict.sends
    ]
    if verdict.condition:
        missed.insert(0, (verdict.condition, redaction.optional(verdict.value) or ""))
    if verdict.unowed:
        missed.append(("", verdict.unowed))
    return Branch(route=verdict.route, matched=verdict.matched, missed=tuple(missed))


def _mark(attempt: AttemptRecord, received_at: datetime, scale: Scale, redaction: Redaction) -> Mark:
    seconds = max((attempt.at - received_at).total_seconds(), 0.0)
    return Mark(
        x=scale.x(seconds),
        state=attempt.outcome.value if attempt.outcome else State.SENDING.value,
        number=attempt.number,
        words=f"try {attempt.number} after {span(seconds)}: {ending(attempt, redaction)}",
    )


def _next_x(fields: Fields, received_at: datetime, scale: Scale) -> str | None:
    if fields["state"] != State.PENDING:
        return None
    until = _until(fields)
    return scale.x((until - received_at).total_seconds()) if until else "100%"


def _until(fields: Fields) -> datetime | None:
    until: datetime | None = fields["why"]["until"] if fields["why"] else None
    return until


def _words(delivery: DeliveryRecord, fields: Fields, received_at: datetime) -> str:
    """Return what became of a delivery, behind the word of its state."""
    is_seen_by_hub = delivery.state is State.DELIVERED and delivery.reason != FOUND_DELIVERED
    if is_seen_by_hub and delivery.delivered_at is not None:
        return f"after {span(max((delivery.delivered_at - received_at).total_seconds(), 0.001))}"
    if fields["why"] and delivery.state is State.PENDING:
        return str(fields["why"]["text"])
    if delivery.state is State.SENDING:
        return f"try {delivery.attempts}"
    return without_state(str(fields["reason"] or ""))


def beside_headline(about: str, headline: str) -> str:
    """Return what `about` says that the headline above it does not: the address of whom it names."""
    subject, _, rest = about.partition(", ")
    return rest if headline.startswith(subject) else about


def _moments(
    record: EventRecord,
    owed: Iterable[tuple[DeliveryRecord, Fields]],
    attempts: Mapping[str, tuple[AttemptRecord, ...]],
) -> Iterable[float]:
    for delivery, fields in owed:
        moments = [attempt.at for attempt in attempts.get(delivery.id, ())]
        moments += [moment for moment in (delivery.delivered_at, _until(fields)) if moment is not None]
        yield from ((moment - record.received_at).total_seconds() for moment in moments)
