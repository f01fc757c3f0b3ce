"""The words for stored events and for those of deliveries, made when they are read, every secret masked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hub import catalog
from hub.catalog.redaction import Redaction
from hub.delivery.earlier import EarlierEvents
from hub.humanize import counted
from hub.ingest.route import Rules
from hub.model.delivery import State
from hub.model.event import Event
from hub.model.records import DeliveryRecord, EventRecord
from hub.model.routing import is_relayed
from hub.model.summary import Earlier, Summary
from hub.store.store import Store


@dataclass(frozen=True, kw_only=True)
class EventWords:
    """An event's summary without its secrets, its parsed payload with them, and a redaction that knows them.

    Without a payload, because it was pruned or is too large for a list, the summary tells the kind alone.
    """

    summary: Summary
    body: Mapping[str, Any]
    redaction: Redaction

    @property
    def fields(self) -> dict[str, str]:
        """The part of the summary that lists have."""
        summary = self.summary
        return {"about": summary.about, "headline": summary.headline, "tone": summary.tone.value}


def words_of_event(record: EventRecord, rules: Rules, store: Store | None = None) -> EventWords:
    """Return the words for a stored event; with the store also what earlier events say of its object."""
    event = record.event
    return _words(event, rules, EarlierEvents(store=store, event=event) if store is not None else None)


def words_of_delivery(record: DeliveryRecord, rules: Rules) -> EventWords:
    """Return the words for the event of a delivery."""
    event = Event(
        id=record.event,
        source="",
        message_id="",
        type=record.type,
        payload=record.payload or b"{}",
        received_at=record.created_at,
    )
    return _words(event, rules)


def _words(event: Event, rules: Rules, earlier: Earlier | None = None) -> EventWords:
    own = rules.redaction.of_body(event.type, event.body)
    relayed = is_relayed(event.type, rules.config.routes)
    summary = catalog.summarise(event, earlier=earlier, is_relayed=relayed)
    return EventWords(summary=_masked(summary, own), body=event.body, redaction=own)


def _masked(summary: Summary, redaction: Redaction) -> Summary:
    return replace(
        summary,
        headline=redaction.text(summary.headline),
        about=redaction.text(summary.about),
        fields=tuple((redaction.text(label), redaction.text(value)) for label, value in summary.fields),
        details=redaction.text(summary.details),
    )


@dataclass(frozen=True, kw_only=True)
class Became:
    """The end of an event so far, in a few words, with the state that decides its mark."""

    state: str
    text: str


_REMAINING = {
    State.DEAD: ("dead", "dead"),
    State.HELD: ("may have arrived", "may have arrived"),
    State.PENDING: ("waits", "wait"),
    State.SENDING: ("is being sent", "are being sent"),
    State.CANCELLED: ("canceled", "canceled"),
}
"""What is worst comes first."""

NAMED = 3
"""So many destinations are named."""


def became(event: Mapping[str, Any], owed: Mapping[State, Sequence[str]]) -> Became:
    """Return what became of an event as lists have it; `owed` are the destinations of what was not sent."""
    total = sum(event["deliveries"].values())
    if not total:
        return Became(state="none", text="nothing owed" if event["routes"] else "no route")
    for state, (one, many) in _REMAINING.items():
        count = event["deliveries"].get(state.value)
        if count:
            names = list(dict.fromkeys(owed.get(state, ())))
            more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
            words = counted(count, one, many)
            return Became(state=state.value, text=f"{words}: {', '.join(names[:NAMED])}{more}")
    return Became(state=State.DELIVERED.value, text=f"{total:,} of {total:,} sent" if total > 1 else "sent")


def after_subject(headline: str, about: str) -> str:
    """Return what a headline says of its subject, which stands beside it: `signed up`; else all of it."""
    subject = about.partition(", ")[0]
    return headline.removeprefix(f"{subject} ") if subject else headline
