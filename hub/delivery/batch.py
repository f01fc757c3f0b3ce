"""A batch of work for one cycle of a worker, and its result."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import datetime

from hub.errors import SendError
from hub.model.delivery import Claim, NotBegun, Receipt, Settlement
from hub.model.destination import DestinationConfig, DestinationState

_NOT_KEPT = "the database could not keep what came back; the hub's log says more"


@dataclass(frozen=True, kw_only=True)
class Completion:
    """A claim that came to its end: what came back from the attempt, or that none began.

    `claim` has the message, if one was rendered. `seconds` is None where nothing was sent.
    """

    claim: Claim
    result: Receipt | SendError | NotBegun
    seconds: float | None = None


def without_words(completion: Completion) -> Completion:
    """Return a completion that means the same without the message and without what others said."""
    claim, result = replace(completion.claim, message=None, degraded=None), completion.result
    match result:
        case Receipt():
            result = replace(result, detail=_NOT_KEPT, answer="")
        case NotBegun(reason=str()):
            result = replace(result, reason=_NOT_KEPT)
        case SendError():
            result = copy(result)
            result.reason, result.answer = _NOT_KEPT, ""
    return replace(completion, claim=claim, result=result)


@dataclass(frozen=True, kw_only=True)
class Batch:
    """The completions that a cycle is to settle, and the bounds of what it may claim.

    `destinations` may be claimed from, none where nothing is to be; `configs` are those and what they were
    before a change of the configuration, for deliveries that are under way. `in_flight` counts what this
    worker has under way by destination, what is completed not included. `counts_dead` asks for dead letters
    to be counted, for `problems:` to tell.
    """

    completions: tuple[Completion, ...] = ()
    destinations: Mapping[str, DestinationConfig] = field(default_factory=dict)
    configs: Mapping[str, DestinationConfig]
    threads: int
    in_flight: Mapping[str, int] = field(default_factory=dict)
    counts_dead: bool = False


@dataclass(kw_only=True)
class CycleResult:
    """The result of a committed cycle.

    `late` are completions that somebody else settled before. `unreadable` are ids of deliveries that were
    claimed and hold what nobody can read. `more_waits` says whether more is due where something was claimed;
    None where nothing was free to claim for. `next_at` is when something falls due by time alone; None for
    nothing known. `lacks_row` says that a destination has no row that could be locked.
    """

    now: datetime
    claims: list[Claim] = field(default_factory=list)
    settlements: list[Settlement] = field(default_factory=list)
    late: list[Claim] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    paused: list[DestinationState] = field(default_factory=list)
    more_waits: bool | None = None
    next_at: datetime | None = None
    lacks_row: bool = False
