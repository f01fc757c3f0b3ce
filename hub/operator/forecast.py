"""The forecast of an act: to which targets it would reach, and what it would not be done to, with why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from hub.ingest.route import Rules
from hub.model.age import too_old, valid_until
from hub.model.delivery import State
from hub.operator.batch import Skipped, batches_of
from hub.operator.deliveries import DeliveryAct, decide
from hub.operator.events import EVENTS_AT_ONCE, plan
from hub.operator.targets import Target, target_of
from hub.store.repositories.events import RoutedEvent
from hub.store.store import Store

EXAMPLES = 3
"""So many of the newest of each target are named."""


@dataclass(frozen=True, kw_only=True)
class Share:
    """The part of an act that reaches one target.

    `count` counts deliveries; `examples` are the ids of the newest of them, or of the events that would owe
    them.
    """

    target: Target
    count: int
    examples: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Refused:
    """Deliveries, or events, that an act would not be done to for one reason.

    `destination` is empty for events as wholes.
    """

    destination: str
    why: str
    count: int = 1


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """An act as it would go now: shares by their targets, and what is refused, most of it first.

    `count` counts the things that it would be done to.
    """

    shares: tuple[Share, ...]
    refused: tuple[Refused, ...]
    count: int


def forecast_deliveries(
    store: Store, rules: Rules, act: DeliveryAct, ids: Collection[str], state: State | None = None
) -> Forecast:
    """Return the forecast of an act on deliveries; as `act_on_deliveries`, and changes nothing."""
    reached: list[tuple[Target, str]] = []
    refused: list[Refused] = []
    for batch in batches_of(ids):
        with store.read() as snapshot:
            rows = snapshot.operator.rows(batch, locks=False)
            decided, skipped = decide(act, state, batch, rows, snapshot)
        for row, owed in decided:
            target = target_of(row.destination, owed.fields if owed else row.send, rules)
            reached.append((target, row.id))
        refused += [
            Refused(destination=rows[one.id].destination if one.id in rows else "", why=one.why)
            for one in skipped
        ]
    return Forecast(shares=_shares(reached), refused=_summed(refused), count=len(reached))


def forecast_replay(store: Store, rules: Rules, ids: Collection[str]) -> Forecast:
    """Return the forecast of a replay of events by today's rules; changes nothing.

    What is too old is refused by its destination, though the rest of its event is sent.
    """
    reached: list[tuple[Target, str]] = []
    refused: list[Refused] = []
    count = 0
    for batch in batches_of(ids, EVENTS_AT_ONCE):
        routed, skipped = plan(store, rules, (), batch)
        with store.read() as snapshot:
            now = snapshot.now
        for event in routed:
            reached += _reached(event, rules, now)
            refused += _too_old(event, now)
        refused += [_whole(one) for one in skipped]
        count += len(routed)
    return Forecast(shares=_shares(reached), refused=_summed(refused), count=count)


def _reached(routed: RoutedEvent, rules: Rules, now: datetime) -> Iterator[tuple[Target, str]]:
    for one in routed.routing.sends:
        if not too_old(routed.event, valid_until(routed.event, one.send.max_age_seconds), now):
            yield target_of(one.send.to, one.send.fields, rules), routed.event.id


def _too_old(routed: RoutedEvent, now: datetime) -> Iterator[Refused]:
    for one in routed.routing.sends:
        reason = too_old(routed.event, valid_until(routed.event, one.send.max_age_seconds), now)
        if reason:
            yield Refused(destination=one.send.to, why=reason)


def _whole(skipped: Skipped) -> Refused:
    return Refused(destination="", why=skipped.why)


def _shares(reached: Sequence[tuple[Target, str]]) -> tuple[Share, ...]:
    counts = Counter(target for target, _ in reached)
    newest: dict[Target, list[str]] = {target: [] for target in counts}
    for target, id_ in reversed(reached):
        if len(newest[target]) < EXAMPLES and id_ not in newest[target]:
            newest[target].append(id_)
    return tuple(
        Share(target=target, count=counts[target], examples=tuple(newest[target]))
        for target in sorted(counts)
    )


def _summed(refused: Iterable[Refused]) -> tuple[Refused, ...]:
    """Return one for each destination and reason. Ages differ from one to the next: too old is one reason."""
    first: dict[tuple[str, str], Refused] = {}
    counts: Counter[tuple[str, str]] = Counter()
    for one in refused:
        key = (one.destination, one.why.partition(":")[0] if "too old" in one.why else one.why)
        first.setdefault(key, one)
        counts[key] += 1
    return tuple(
        Refused(destination=first[key].destination, why=first[key].why, count=count)
        for key, count in counts.most_common()
    )
