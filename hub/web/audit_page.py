"""The audit's page: each act with the thing that it was done to, by a name that people know it by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hub.ingest.route import Rules
from hub.model.audit import Act, AuditEntry
from hub.model.finding import HUB
from hub.store.store import Transaction
from hub.web.event_words import words_of_delivery, words_of_event

_COUNTED = {
    Act.REFUSED: ("try", "tries"),
    Act.RETRY: ("message", "messages"),
    Act.CANCEL: ("message", "messages"),
    Act.RESOLVE: ("message", "messages"),
    Act.REPLAY: ("new message", "new messages"),
}
"""The things that an act's number counts; other acts change one thing alone."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """The thing that an act was done to. `page` is the kind of its page; empty where it has none any more."""

    text: str = ""
    page: str = ""


@dataclass(frozen=True, kw_only=True)
class Line:
    """An entry of the audit for people. `changed` is empty where the act itself says it all."""

    entry: AuditEntry
    subject: Subject
    changed: str


def lines_of(entries: Sequence[AuditEntry], rules: Rules, snapshot: Transaction) -> list[Line]:
    """Return the lines of entries in their order; what was pruned keeps its id as its name."""
    ids = {entry.subject for entry in entries}
    known = {
        **_deliveries(sorted(id_ for id_ in ids if id_.startswith("dlv_")), rules, snapshot),
        **_events(sorted(id_ for id_ in ids if id_.startswith("evt_")), rules, snapshot),
        HUB: Subject(),
    }
    return [
        Line(entry=entry, subject=known.get(entry.subject, _other(entry.subject)), changed=_changed(entry))
        for entry in entries
    ]


def _deliveries(ids: Sequence[str], rules: Rules, snapshot: Transaction) -> dict[str, Subject]:
    records = snapshot.delivery_list.records_of(ids, messages=False)
    return {
        record.id: Subject(
            text=f"{words_of_delivery(record, rules).summary.headline} → {record.destination}",
            page="delivery",
        )
        for record in records
    }


def _events(ids: Sequence[str], rules: Rules, snapshot: Transaction) -> dict[str, Subject]:
    records = snapshot.event_list.records_of(ids)
    return {
        record.id: Subject(text=words_of_event(record, rules).summary.headline, page="event")
        for record in records
    }


def _other(name: str) -> Subject:
    """Return the subject of a name that is no delivery's or event's any more: a destination, or an old id."""
    is_id = name.startswith(("dlv_", "evt_"))
    return Subject(text=f"{name}, pruned" if is_id else name, page="" if is_id else "destination")


def _changed(entry: AuditEntry) -> str:
    if entry.act not in _COUNTED:
        return ""
    one, many = _COUNTED[entry.act]
    return f"{entry.changed:,} {one if entry.changed == 1 else many}"
