"""What a worker asks of a turn, and what the turn answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hub.errors import SendError
from hub.model.delivery import Claim, Message, Receipt, Settlement
from hub.model.destination import DestinationConfig, DestinationState


@dataclass(frozen=True, kw_only=True)
class Sent:
    """What came back from one attempt."""

    claim: Claim
    seconds: float
    result: Receipt | SendError


@dataclass(frozen=True, kw_only=True)
class News:
    """What happened since the last turn: what the sender threads finished, and what fell due.

    `settled` are those without an attempt. `due` are destinations that one delivery each fell due to, where
    every wake-up said for which.
    """

    rendered: tuple[Claim, ...] = ()
    sent: tuple[Sent, ...] = ()
    settled: tuple[Settlement, ...] = ()
    due: frozenset[str] = frozenset()

    @property
    def claims(self) -> list[Claim]:
        """What they are about."""
        return [
            *self.rendered,
            *(sent.claim for sent in self.sent),
            *(settlement.claim for settlement in self.settled),
        ]

    def each(self) -> Iterator[News]:
        """One piece of what was finished after the other."""
        yield from (News(rendered=(each,)) for each in self.rendered)
        yield from (News(sent=(each,)) for each in self.sent)
        yield from (News(settled=(each,)) for each in self.settled)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a turn is to do.

    `destinations` may be claimed from; `configs` are those and what they were before a change of the
    configuration, for deliveries that are under way. `in_hand` counts what this worker holds, by
    destination, what is settled in this turn not included. `prunes` is the retention, where it is time.
    `tells` are the destinations that hear of problems. `compose` makes the message of a claim that none of
    the user's templates is asked for. `passes_on` makes it a short turn, for these destinations alone, each
    with the message of an empty send block.
    """

    worker: str
    threads: int
    destinations: Mapping[str, DestinationConfig]
    configs: Mapping[str, DestinationConfig]
    news: News
    in_hand: Mapping[str, int]
    compose: Callable[[Claim], Claim] = lambda claim: claim
    passes_on: Mapping[str, Message] = field(default_factory=dict)
    configured: Mapping[str, bool] | None = None
    tells: frozenset[str] = frozenset()
    beats: bool = False
    looks_after: bool = False
    gives_up: bool = False
    prunes: timedelta | None = None
    claims: bool = True


@dataclass(kw_only=True)
class Done:
    """What a turn did.

    `more_waits` says whether more is due where something was claimed; None where nothing was free to claim
    for. `next_at` is when something falls due by time alone; None for nothing known. `unmarked` asks for
    `configured` in the next plan: a destination has no row that could be locked.
    """

    now: datetime
    claimed: list[Claim] = field(default_factory=list)
    started: list[Claim] = field(default_factory=list)
    settlements: list[Settlement] = field(default_factory=list)
    late: list[Claim] = field(default_factory=list)
    paused: list[DestinationState] = field(default_factory=list)
    gave_up: Counter[str] = field(default_factory=Counter)
    pruned: int = 0
    unmarked: bool = False
    more_waits: bool | None = None
    next_at: datetime | None = None
