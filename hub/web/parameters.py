"""The parameters of a request's query; those that cannot be used are refused in words."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import UTC, datetime

from flask import request

from hub import operator
from hub.durations import parse_duration
from hub.errors import NotFound
from hub.ingest.route import Rules
from hub.model.audit import Act
from hub.model.delivery import State
from hub.store.store import Transaction
from hub.web.error_handlers import BadParameter

USUAL_LIMIT, LARGEST_LIMIT = 50, 500

_ID = re.compile(r"[a-z]{1,10}_[0-9a-f]{1,29}")


def only(*known: str) -> None:
    """Refuse a parameter that is not known: a misspelt filter would answer, or act on, too much."""
    unknown = [name for name in request.args if name not in known]
    if unknown:
        takes = f"takes {', '.join(known)}" if known else "takes no parameters"
        raise BadParameter(f"there is no parameter {_quoted(unknown[0])}; this {takes}")


def text(name: str) -> str | None:
    """Return a parameter as it is; None where it is missing or empty."""
    value = request.args.get(name) or None
    if value is not None and not (len(value) <= 300 and value.isprintable()):
        raise BadParameter(f"{name} must be at most 300 printable characters")
    return value


def several(name: str) -> tuple[str, ...]:
    """Return the values of a parameter that may be given more than once; the empty ones are left out."""
    values = tuple(filter(None, request.args.getlist(name)))
    if not all(len(value) <= 300 and value.isprintable() for value in values):
        raise BadParameter(f"{name} must be at most 300 printable characters")
    return values


def limit() -> int:
    """Return the number of items of a page; one past the largest is cut."""
    value = text("limit")
    if value is None:
        return USUAL_LIMIT
    if not re.fullmatch(r"[0-9]{1,18}", value) or int(value) < 1:
        raise BadParameter(f"limit is {_quoted(value)}; it must be a whole number from 1 to {LARGEST_LIMIT}")
    return min(int(value), LARGEST_LIMIT)


def state(default: State | None = None, among: Collection[State] = tuple(State)) -> State | None:
    """Return the state of deliveries that is asked for, else the default."""
    value = text("state")
    if value is None:
        return default
    if value not in among:
        raise BadParameter(f"state is {_quoted(value)}; it must be one of {', '.join(among)}")
    return State(value)


def destination(rules: Rules, snapshot: Transaction) -> str | None:
    """Return the name of a destination that is asked for; raises NotFound for one that never was."""
    name = text("destination")
    if name is not None:
        operator.require_destination(name, rules, snapshot)
    return name


def event(snapshot: Transaction) -> str | None:
    """Return the id of an event that is asked for; raises NotFound where there is none."""
    event_id = text("event")
    if event_id is not None and not snapshot.events.is_known(event_id):
        raise NotFound(f"there is no event {_quoted(event_id)}")
    return event_id


def act() -> Act | None:
    """Return the act that is asked for."""
    value = text("act")
    if value is not None and value not in tuple(Act):
        raise BadParameter(f"act is {_quoted(value)}; it must be one of {', '.join(Act)}")
    return None if value is None else Act(value)


def before() -> str | None:
    """Return the cursor that the page before answered as `next`."""
    value = text("before")
    if value is not None and not _ID.fullmatch(value):
        raise BadParameter(f"before is {_quoted(value)}; it must be the next of the page before")
    return value


def choice(name: str, among: Collection[str]) -> str:
    """Return a parameter that must be given and be one of these."""
    value = text(name)
    if value is None or value not in among:
        raise BadParameter(f"say {' or '.join(f'{name}={value}' for value in among)}")
    return value


def flag(name: str) -> bool:
    """Return True for a parameter that is `true`, False for one that is `false` or left out."""
    value = text(name)
    if value not in (None, "true", "false"):
        raise BadParameter(f"{name} is {_quoted(value)}; it must be true or false")
    return value == "true"


def since(now: datetime) -> datetime | None:
    """Return a moment given as ISO 8601 (UTC unless it says otherwise) or as a duration back from now."""
    value = text("since")
    if value is None:
        return None
    duration = parse_duration(value)
    if duration is not None:
        return now - duration
    try:
        # A "+" of an offset that was not percent-encoded arrives as a space.
        moment = datetime.fromisoformat(re.sub(r" (?=\d\d:?\d\d$)", "+", value) if "T" in value else value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadParameter(
            f"since is {_quoted(value)}; say a time such as 2026-01-31T12:00:00Z or a duration such as 2h"
        ) from error


def known_id(kind: str, value: str) -> str:
    """Return the id of an event or delivery from a path; raises NotFound for anything that cannot be one."""
    if not _ID.fullmatch(value):
        raise NotFound(f"there is no {kind} {_quoted(value)}")
    return value


def _quoted(value: str) -> str:
    return ascii(value[:60])
