"""The rows of destinations: what each sent, what waits, and what is the matter with it, in a few words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hub.delivery.throttle import believed
from hub.health.facts import Facts
from hub.health.places import server_of
from hub.health.status import DestinationStatus, status_of
from hub.health.words import short
from hub.humanize import enumerated, not_set, span
from hub.model.delivery import State
from hub.model.destination import DestinationConfig, DestinationState
from hub.model.stats import Day
from hub.web.destination_page import Strip, strip_of
from hub.web.serializers import owed_names

CLEAR_SHOWN_SECONDS = 5.0
"""A rate limit that makes nobody wait for longer is not told of."""

FEW = 15
"""So many destinations have room on the overview, whatever they do."""


@dataclass(frozen=True, kw_only=True)
class Matter:
    """The trouble of a destination in words; it ends in the distance of `until`, where a moment is named."""

    text: str = ""
    until: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Row:
    """A destination as the table of them has it; `counts` are by state, those being sent wait, too."""

    name: str
    type: str
    status: DestinationStatus
    where: str
    strip: Strip
    counts: Mapping[State, int]
    matter: Matter

    @property
    def is_idle(self) -> bool:
        """True of one that works and had nothing to send within a day."""
        owed = any(self.counts[state] for state in (State.PENDING, State.DEAD, State.HELD))
        tried = self.strip.sent or self.strip.failed or self.strip.unknown
        return self.status is DestinationStatus.OK and not (owed or tried or self.matter.text)


def rows_of(facts: Facts, counts: Mapping[tuple[str, State], int], days: Mapping[str, Day]) -> list[Row]:
    """Return today's destinations in the order of routes.yaml, then those that are gone but still owed to."""
    return [_row(name, facts, counts, days.get(name, Day())) for name in owed_names(facts, counts)]


def without_idle(rows: Sequence[Row]) -> Sequence[Row]:
    """Return a few rows as they are; of more, those that have something to tell."""
    if len(rows) <= FEW:
        return rows
    return [row for row in rows if not row.is_idle] or rows[:FEW]


def _row(name: str, facts: Facts, counts: Mapping[tuple[str, State], int], day: Day) -> Row:
    config, status = facts.destination_config(name), status_of(name, facts)
    by_state = {state: counts.get((name, state), 0) for state in State}
    by_state[State.PENDING] += by_state[State.SENDING]
    return Row(
        name=name,
        type=config.type if config is not None else "",
        status=status,
        where=_where(config),
        strip=strip_of(day),
        counts=by_state,
        matter=matter_of(name, status, facts, by_state[State.PENDING]),
    )


def _where(config: DestinationConfig | None) -> str:
    if config is None:
        return "gone"
    place = server_of(config)
    if place is None:
        return "not configured"
    if config.type != "slack":
        return place
    # A webhook has its server, a bot its channel: by its name or by its id.
    is_name = "." not in place and not place.startswith(("#", "C"))
    return f"slack {'#' if is_name else ''}{place}"


def matter_of(name: str, status: DestinationStatus, facts: Facts, waiting: int) -> Matter:
    """Return what is the matter with a destination, of which so many deliveries wait."""
    config, state = facts.destination_config(name), facts.state(name)
    if config is None:
        return Matter(text="no longer in routes.yaml")
    state = believed(config, state, facts.now)
    match status:
        case DestinationStatus.NOT_CONFIGURED:
            verb = "set" if config.fault in ("", not_set(config.missing)) else "mend"
            return Matter(text=f"{verb} {enumerated(config.missing) or 'its variables'}")
        case DestinationStatus.PAUSED:
            reason = short(state.paused_reason)
            return Matter(text=reason if reason.startswith("paused") else f"paused · {reason}")
        case DestinationStatus.FAILING:
            reason = " · ".join(filter(None, ("failing", short(state.last_error))))
            return Matter(text=f"{reason} · next", until=state.probe_at) if waiting else Matter(text=reason)
        case DestinationStatus.DISABLED:
            return Matter(text="switched off")
    return _of_working(config, state, facts, waiting)


def _of_working(config: DestinationConfig, state: DestinationState, facts: Facts, waiting: int) -> Matter:
    """Return what slows a destination that takes messages, or its last error."""
    if state.throttled_until is not None and state.throttled_until > facts.now:
        return Matter(text="asks to wait, again in", until=state.throttled_until)
    clear_at = _clear_at(config, state, facts.now, waiting)
    if (clear_at - facts.now).total_seconds() >= CLEAR_SHOWN_SECONDS:
        return Matter(text=f"{config.rate_limit} limit, clear in", until=clear_at)
    stuck = facts.store.stuck.get((config.name, State.HELD)) if facts.store is not None else None
    held = stuck.causes[0].reason if stuck is not None and stuck.causes else None
    return Matter(text=short(held or state.last_error))


def _clear_at(config: DestinationConfig, state: DestinationState, now: datetime, waiting: int) -> datetime:
    """Return when a rate limit will have let through all that waits; now where there is none."""
    limit = config.rate_limit
    if limit is None or not waiting:
        return now
    next_at = max(state.rate_limited_until or now, now)
    return next_at + timedelta(seconds=(waiting - 1) * limit.seconds / limit.count)


def distance(moment: datetime, now: datetime) -> str:
    """Return the distance of a moment ahead: `44 s`, `now`."""
    ahead = int((moment - now).total_seconds())
    return span(ahead) if ahead > 0 else "now"
