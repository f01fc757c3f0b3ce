"""The parameters of a request's query; those that cannot be used are refused in words."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from urllib.parse import parse_qsl

from flask import g, request

from hub import operator
from hub.catalog.terms import WORDS_LIMIT, words_of
from hub.durations import parse_duration
from hub.errors import NotFound
from hub.humanize import did_you_mean, there_are
from hub.ingest.route import Rules
from hub.model.audit import Act
from hub.model.delivery import State
from hub.model.event import HUB_SOURCE
from hub.model.filter import Filter, Period
from hub.model.routing import PROBLEMS, UNMATCHED
from hub.store.store import Transaction
from hub.web.error_handlers import BadParameter

USUAL_LIMIT, LARGEST_LIMIT = 50, 500

FILTERS = ("q", "type", "source", "route", "destination", "state", "degraded", "since", "until")
"""The parameters that `chosen` reads."""

ORIGIN_LIMIT = 4_000
"""The most characters of the filter of a list in a link."""

STARS = 8
"""The most `*` of a pattern: what matches it takes longer with each."""

_ODD_IN_PATTERN = re.compile(r"[?\[\]{}(),|\s]")

_ID = re.compile(r"[a-z]{1,10}_[0-9a-f]{1,29}")


class UnusableWords(BadParameter):
    """A search is for no word, or for more than can be searched for."""


def only(*known: str) -> None:
    """Refuse a parameter that is not known: a misspelt filter would answer, or act on, too much."""
    unknown = [name for name in request.args if name not in known]
    if unknown:
        takes = f"takes {', '.join(known)}" if known else "takes no parameters"
        raise BadParameter(f"there is no parameter {_quoted(unknown[0])}; this {takes}")


def take_filter(values: Mapping[str, str]) -> None:
    """Take the parameters of this request from the filter in its body, and not from its query."""
    g.parameters = values


def text(name: str) -> str | None:
    """Return a parameter as it is; None where it is missing or empty."""
    value = g.get("parameters", request.args).get(name) or None
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


def chosen(rules: Rules, snapshot: Transaction) -> Filter:
    """Return the filter that is asked for; raises NotFound for names that never were."""
    return Filter(
        type=_pattern("type"),
        source=_name("source", {*rules.config.sources, HUB_SOURCE}, snapshot.event_list.has_source),
        route=_name("route", _routes(rules), snapshot.delivery_list.has_route),
        destination=destination(rules, snapshot),
        state=state(),
        degraded=flag("degraded"),
        period=_period(snapshot.now),
        words=_words("q"),
    )


def given() -> dict[str, str]:
    """Return the parameters of the filter that are given, as they are: for links to other pages of a list."""
    return {name: request.args[name] for name in FILTERS if request.args.get(name)}


def take_origin() -> dict[str, str]:
    """Take the filter of the list that this page was reached from, which `from` holds as a query."""
    value = request.args.get("from", "")
    try:
        pairs = parse_qsl(value, keep_blank_values=True, max_num_fields=len(FILTERS))
    except ValueError:
        pairs = [("", "")]
    if len(value) > ORIGIN_LIMIT or not {name for name, _ in pairs} <= {*FILTERS}:
        raise BadParameter(f"from is {_quoted(value)}; it must be the filter of a list, such as state=dead")
    take_filter(dict(pairs))
    return {name: text for name, text in pairs if text}


def since(now: datetime) -> datetime | None:
    """Return the moment from which on; as `_moment`."""
    return _moment("since", now)


def _period(now: datetime) -> Period:
    period = Period(since=_moment("since", now), until=_moment("until", now))
    if period.since and period.until and period.since >= period.until:
        raise BadParameter("until is not later than since; nothing lies between them")
    return period


def _moment(name: str, now: datetime) -> datetime | None:
    """Return a moment given as ISO 8601 (UTC unless it says otherwise) or as a duration back from now."""
    value = text(name)
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
            f"{name} is {_quoted(value)}; say a time such as 2026-01-31T12:00:00Z or a duration such as 2h"
        ) from error


def _words(name: str) -> tuple[str, ...]:
    """Return the words that are searched for."""
    value = text(name)
    if value is None:
        return ()
    words = words_of(value)
    if not 0 < len(words) <= WORDS_LIMIT:
        raise UnusableWords(
            f"{name} is {_quoted(value)}; say 1 to {WORDS_LIMIT} words of ids, addresses or names"
        )
    return words


def _pattern(name: str) -> str | None:
    """Return a type of event, or a pattern of some."""
    value = text(name)
    if value is None:
        return None
    if _ODD_IN_PATTERN.search(value):
        raise BadParameter(
            f"{name} is {_quoted(value)}; say one type such as user.created, or a pattern such as user.*, "
            "where * stands for any characters"
        )
    if value.count("*") > STARS:
        raise BadParameter(f"{name} is {_quoted(value)}; a pattern has at most {STARS} *")
    return re.sub(r"\*+", "*", value)


def _name(kind: str, known: Collection[str], was_used: Callable[[str], bool]) -> str | None:
    """Return a name of today's configuration, or one that the store still knows; raises NotFound."""
    value = text(kind)
    if value is None or value in known or was_used(value):
        return value
    advice = did_you_mean(value, known, there_are(known, "; there is none yet"))
    raise NotFound(f"there is no {kind} {_quoted(value)}{advice}")


def _routes(rules: Rules) -> Collection[str]:
    blocks = {UNMATCHED: rules.config.unmatched, PROBLEMS: rules.config.problems}
    return [*(route.name for route in rules.config.routes), *(name for name in blocks if blocks[name])]


def known_id(kind: str, value: str) -> str:
    """Return the id of an event or delivery from a path; raises NotFound for anything that cannot be one."""
    if not _ID.fullmatch(value):
        raise NotFound(f"there is no {kind} {_quoted(value)}")
    return value


def _quoted(value: str) -> str:
    return ascii(value[:60])
