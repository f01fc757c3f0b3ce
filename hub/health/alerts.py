"""What the hub has to say of itself, when, and in which words: pure.

A trouble is told once it has lasted for a moment, together with others; again an hour later at the earliest,
if more deliveries died, or a day later if it lasts; and once more when it is over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hub import catalog
from hub.humanize import counted, span
from hub.model.alert import Alert, AlertKind, DeadLetters
from hub.model.config import Config
from hub.model.delivery import Settlement, State
from hub.model.destination import DestinationState
from hub.model.routing import Send
from hub.model.stats import DiskSpace

Key = tuple[AlertKind, str]

AT_MOST_EVERY = timedelta(hours=1)
AGAIN_AFTER = timedelta(days=1)

PATIENCE = {
    AlertKind.DIED: timedelta(seconds=5),
    AlertKind.REFUSED: timedelta(seconds=5),
    AlertKind.PAUSED: timedelta(seconds=5),
    AlertKind.FAILING: timedelta(seconds=60),
    AlertKind.RELOAD: timedelta(seconds=5),
    AlertKind.DISK: timedelta(0),
    AlertKind.QUIET: timedelta(0),
}
"""How long each must have lasted: what belongs together is told together, and a hiccup is no trouble."""

_DEATHS = (AlertKind.DIED, AlertKind.REFUSED)
_BREAKS = (AlertKind.DIED, AlertKind.PAUSED, AlertKind.FAILING)
"""Alerts of a destination itself, through which nothing is told meanwhile."""

SHOWN, REASON_LIMIT = 6, 160


@dataclass(frozen=True, kw_only=True)
class Look:
    """What there is to see. `refusal` is what was wrong with the last edit; empty where it serves.

    `dead` counts dead deliveries of destinations that some died of; `last_received` is by source.
    """

    now: datetime
    states: Mapping[str, DestinationState]
    room: DiskSpace | None = None
    refusal: str = ""
    dead: Mapping[str, int] = field(default_factory=dict)
    last_received: Mapping[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Telling:
    """What to tell together, and to whom."""

    sends: tuple[Send, ...]
    troubles: tuple[Alert, ...]


@dataclass(frozen=True, kw_only=True)
class Decision:
    """`kept` is how troubles stand once all `tellings` are told; `unsaid` nobody can be told of now."""

    tellings: tuple[Telling, ...]
    unsaid: tuple[Alert, ...]
    kept: tuple[Alert, ...]
    forgotten: tuple[Alert, ...]


def dead_letters(settlements: Sequence[Settlement], gave_up: Mapping[str, int]) -> list[DeadLetters]:
    """The deliveries that died in a turn, by destination; messages about problems do not count."""
    found: dict[str, DeadLetters] = {}
    for each in settlements:
        event, name = each.claim.event, each.claim.destination
        if each.state is State.DEAD and event.type != catalog.PROBLEM:
            reason = catalog.mask(each.reason or "", catalog.secret_values(event.type, event.body))
            before = found[name].count if name in found else 0
            found[name] = DeadLetters(destination=name, count=before + 1, reason=reason)
    for name, count in gave_up.items():
        if count:
            before = found[name].count if name in found else 0
            reason = "they waited longer than give_up_after"
            found[name] = DeadLetters(destination=name, count=before + count, reason=reason)
    return list(found.values())


def decide(kept: Sequence[Alert], look: Look, config: Config) -> Decision:
    """What to tell now, given what was told before."""
    known = {trouble.key: trouble for trouble in kept}
    seen = _seen(known, look, config)
    standing = [_as_of_now(known.get(key), seen.get(key), look.now) for key in sorted(known | seen)]
    broken = {subject for kind, subject in seen if kind in _BREAKS}
    ways: dict[tuple[int, ...], list[Alert]] = {}
    for trouble in standing:
        if _is_due(trouble, look.now):
            ways.setdefault(_ways(trouble, config, broken), []).append(trouble)
    unsaid = ways.pop((), [])
    told = {trouble.key for troubles in ways.values() for trouble in troubles}
    after = [_told(each, look.now) if each.key in told else each for each in standing]
    forgotten = tuple(each for each in after if _is_forgotten(each, look.now))
    return Decision(
        tellings=tuple(
            Telling(sends=tuple(config.problems[index] for index in way), troubles=tuple(each))
            for way, each in ways.items()
        ),
        unsaid=tuple(unsaid),
        kept=tuple(each for each in after if each not in forgotten),
        forgotten=forgotten,
    )


def _seen(known: Mapping[Key, Alert], look: Look, config: Config) -> dict[Key, Alert]:
    """What is wrong now."""
    found = [*_of_destinations(look, config), *_of_sources(look, config)]
    if look.refusal:
        found.append(Alert(kind=AlertKind.RELOAD, reason=look.refusal))
    if look.room is not None and look.room.is_low:
        found.append(Alert(kind=AlertKind.DISK, reason="of the database's volume too little is free"))
    found += [each for each in known.values() if each.kind in _DEATHS and _lasts(each, look)]
    return {trouble.key: trouble for trouble in found}


def _of_destinations(look: Look, config: Config) -> list[Alert]:
    found = []
    for name, state in look.states.items():
        if name not in config.destinations:
            continue
        if state.paused_at is not None:
            found.append(
                Alert(kind=AlertKind.PAUSED, subject=name, since=state.paused_at, reason=state.paused_reason)
            )
        elif state.probe_at is not None:
            reason = f"{counted(state.failures, 'failure')} in a row"
            found.append(Alert(kind=AlertKind.FAILING, subject=name, reason=reason))
    return found


def _of_sources(look: Look, config: Config) -> list[Alert]:
    if config.quiet_after_seconds is None:
        return []
    quiet = timedelta(seconds=config.quiet_after_seconds)
    return [
        Alert(kind=AlertKind.QUIET, subject=name, since=at)
        for name, at in look.last_received.items()
        if look.now - at > quiet
    ]


def _lasts(trouble: Alert, look: Look) -> bool:
    """Whether deliveries that died are still a trouble: some are dead, and their destination still fails."""
    if trouble.since is None or not look.dead.get(trouble.subject):
        return False
    state = look.states.get(trouble.subject)
    return trouble.kind is AlertKind.REFUSED or state is None or state.failures > 0


def _as_of_now(known: Alert | None, seen: Alert | None, now: datetime) -> Alert:
    if seen is None:
        assert known is not None
        return replace(known, since=None)
    if known is None or known.since is None:
        began = replace(known or seen, since=seen.since or now, reason=seen.reason, count=seen.count)
        return replace(began, notified_count=0)
    return replace(known, reason=seen.reason, count=seen.count)


def _is_due(trouble: Alert, now: datetime) -> bool:
    if trouble.since is None:
        return trouble.is_notified
    rested = trouble.notified_at is None or now - trouble.notified_at >= AT_MOST_EVERY
    if not trouble.is_notified:
        return rested and now - trouble.since >= PATIENCE[trouble.kind]
    if trouble.kind in _DEATHS:
        return rested and trouble.count > trouble.notified_count
    return trouble.notified_at is None or now - trouble.notified_at >= AGAIN_AFTER


def _ways(trouble: Alert, config: Config, broken: set[str]) -> tuple[int, ...]:
    """Which of `problems:` hear of it: never through a destination in trouble, or that this is about."""
    about = trouble.subject if trouble.kind in _DEATHS and trouble.since is not None else None
    return tuple(
        index
        for index, send in enumerate(config.problems)
        if send.to not in broken and send.to != about and config.destinations[send.to].enabled
    )


def _told(trouble: Alert, now: datetime) -> Alert:
    if trouble.since is None:
        return replace(trouble, is_notified=False)
    return replace(trouble, notified_at=now, notified_count=trouble.count, is_notified=True)


def _is_forgotten(trouble: Alert, now: datetime) -> bool:
    """What is over and was told so; for an hour it is remembered, in case it begins anew."""
    if trouble.since is not None or trouble.is_notified:
        return False
    return trouble.notified_at is None or now - trouble.notified_at >= AT_MOST_EVERY


# -- words ----------------------------------------------------------------------------------------


def message(
    troubles: Sequence[Alert],
    *,
    now: datetime,
    waiting: Mapping[str, int],
    dead: Mapping[str, int],
    page: str,
) -> dict[str, Any]:
    """The data of a `hub.problem`: a headline, its lines, and the same for machines.

    `waiting` and `dead` count deliveries by destination; `page` is the status page's address, if known.
    """
    headlines = [headline(trouble, now) for trouble in troubles]
    lines = []
    for trouble in troubles[:SHOWN]:
        lines += _lines(trouble, now, waiting.get(trouble.subject, 0), dead.get(trouble.subject, 0))
    if len(troubles) > SHOWN:
        lines.append({"label": "And", "text": f"{len(troubles) - SHOWN} more, on the status page"})
    if page:
        lines.append({"label": "Page", "text": page})
    return {
        "headline": "; ".join(headlines),
        "lines": lines,
        "troubles": [
            {
                "kind": trouble.kind.value,
                "subject": trouble.subject,
                "over": trouble.since is None,
                "since": trouble.since.isoformat() if trouble.since else None,
                "count": trouble.count,
                "reason": trouble.reason,
            }
            for trouble in troubles
        ],
    }


def headline(trouble: Alert, now: datetime) -> str:
    """A trouble, or its end, in a few words."""
    name = trouble.subject
    if trouble.since is None:
        return _OVER[trouble.kind].format(name=name)
    match trouble.kind:
        case AlertKind.DIED | AlertKind.REFUSED:
            return f"{counted(trouble.count, 'delivery', 'deliveries')} to {name} died"
        case AlertKind.QUIET:
            return f"{name} has sent nothing for {span((now - trouble.since).total_seconds())}"
        case _:
            return _BEGAN[trouble.kind].format(name=name)


_BEGAN = {
    AlertKind.PAUSED: "{name} is paused",
    AlertKind.FAILING: "{name} is failing",
    AlertKind.RELOAD: "An edit of the configuration was refused",
    AlertKind.DISK: "The disk fills",
}
_OVER = {
    AlertKind.DIED: "{name} accepts again",
    AlertKind.REFUSED: "No delivery to {name} is dead any more",
    AlertKind.PAUSED: "{name} goes on",
    AlertKind.FAILING: "{name} accepts again",
    AlertKind.RELOAD: "The configuration is as its files have it again",
    AlertKind.DISK: "The disk has room again",
    AlertKind.QUIET: "{name} sends again",
}
_TO_DO = {
    AlertKind.DIED: "See why: hub deliveries --state dead --destination {name}",
    AlertKind.REFUSED: "See why: hub deliveries --state dead --destination {name}; then: "
    "hub retry --state dead --destination {name}",
    AlertKind.PAUSED: "Put that right, then: hub resume {name}",
    AlertKind.FAILING: "See why: hub deliveries --destination {name}; the hub keeps trying",
    AlertKind.RELOAD: "Mend the files; hub check prints every problem. What served before still does",
    AlertKind.DISK: "Make room or a larger volume; a lower HUB_RETENTION keeps less",
    AlertKind.QUIET: "See in the sender's dashboard whether its requests arrive; hub doctor looks here",
}


def _lines(trouble: Alert, now: datetime, waiting: int, dead: int) -> list[dict[str, str]]:
    """What a person needs to act: what and since when, the last reason, and the command to run."""
    words = headline(trouble, now)
    if trouble.since is None:
        lines = [_line("Over", words)]
        if dead:
            left = f"{counted(dead, 'dead letter is', 'dead letters are')} left"
            lines.append(_line("To do", f"{left}: hub retry --state dead --destination {trouble.subject}"))
        return lines
    waits = f"; {counted(waiting, 'delivery waits', 'deliveries wait')}" if waiting else ""
    lines = [_line("Problem", f"{words}, since {trouble.since.astimezone(UTC):%Y-%m-%d %H:%M} UTC{waits}")]
    if trouble.reason:
        lines.append(_line("Reason", trouble.reason[:REASON_LIMIT]))
    return [*lines, _line("To do", _TO_DO[trouble.kind].format(name=trouble.subject))]


def _line(label: str, text: str) -> dict[str, str]:
    return {"label": label, "text": text}
