"""The targets of an act: destinations, and apart from their own recipients those whom a send block names."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hub.destinations.base import find_destination
from hub.errors import Conflict
from hub.ingest.route import Rules
from hub.model.age import too_old, valid_until
from hub.model.audit import Act
from hub.model.event import Event
from hub.model.routing import RoutedSend
from hub.operator.deliveries import DeliveryAct, Row
from hub.operator.events import LEFT_OUT, Takes
from hub.store.repositories.operator import Owed
from hub.store.store import Transaction


@dataclass(frozen=True, kw_only=True, order=True)
class Target:
    """A destination. `is_outside` stands for its messages to others than its own recipients."""

    is_outside: bool = False
    destination: str


def target_of(destination: str, fields: Mapping[str, Any], rules: Rules) -> Target:
    """Return the target of a message by the send block that it is owed by."""
    config = rules.config.destinations.get(destination)
    kind = find_destination(config.type) if config else None
    keys = kind.recipient_keys if kind else ()
    return Target(destination=destination, is_outside=any(fields.get(key) for key in keys))


def takes_only(targets: Collection[Target], rules: Rules) -> Takes:
    """Return the choice, among the sends of an event, of those to some targets that are not too old."""

    def takes(event: Event, routed: RoutedSend, now: datetime) -> bool:
        send = routed.send
        if too_old(event, valid_until(event, send.max_age_seconds), now):
            return False
        return target_of(send.to, send.fields, rules) in targets

    return takes


@dataclass(frozen=True, kw_only=True)
class OnlyTo:
    """An act on deliveries, done to those alone whose target was chosen."""

    whole: DeliveryAct
    targets: Collection[Target]
    rules: Rules

    @property
    def act(self) -> Act:
        return self.whole.act

    def decide(self, transaction: Transaction, row: Row) -> Owed | None:
        owed = self.whole.decide(transaction, row)
        if target_of(row.destination, owed.fields if owed else row.send, self.rules) not in self.targets:
            raise Conflict(LEFT_OUT)
        return owed

    def carry_out(self, transaction: Transaction, rows: Sequence[Row], owed: Sequence[Owed | None]) -> None:
        self.whole.carry_out(transaction, rows, owed)
