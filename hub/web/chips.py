"""Chips: the filters of a list as its query has them, and the queries that one more or one less leads to."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from hub.model.delivery import State
from hub.store.repositories.choices import MOST_COUNTED, Values

VALUES_SHOWN = 12
"""So many values of a name are offered, those of most rows; any other can be written."""

PERIODS = {"last hour": "1h", "last 24 h": "24h", "last 7 days": "7d"}

_TYPE = re.compile(r"[A-Za-z]\w*(\.[\w*]+)+")


@dataclass(frozen=True, kw_only=True)
class Chip:
    """One filter of a list, and the query of the list without it."""

    label: str
    without: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Option:
    """A value that a filter may get, with the query of the list then and how many rows have it, in words."""

    label: str
    query: Mapping[str, str]
    count: str
    is_chosen: bool


def chips_of(query: Mapping[str, str]) -> list[Chip]:
    """Return a chip for each filter of a query but its words, which stand in the search box."""
    return [
        Chip(label=_label(name, value), without={other: query[other] for other in query if other != name})
        for name, value in query.items()
        if name != "q"
    ]


def in_words(query: Mapping[str, str]) -> str:
    """Return a query as part of a sentence: `"jane", state: dead`; empty for the whole list."""
    return ", ".join(f'"{value}"' if name == "q" else _label(name, value) for name, value in query.items())


def origin_of(query: Mapping[str, str]) -> dict[str, str]:
    """Return the parameter that tells a page which list leads to it; none for the whole list."""
    return {"from": urlencode(query)} if query else {}


def searched_type(query: Mapping[str, str], known: Collection[str]) -> dict[str, Any] | None:
    """Return the query by type where its words are a type of event or a pattern of some, else None."""
    words = query.get("q", "").strip()
    is_type = words in known or ("*" in words and _TYPE.fullmatch(words) is not None)
    if not is_type or "type" in query:
        return None
    return {"type": words} | {name: value for name, value in query.items() if name != "q"}


def options_of(values: Values, query: Mapping[str, str]) -> dict[str, Sequence[Option]]:
    """Return the values of each name that a list may be filtered by, those of most rows first."""
    states = {state.value: values.states[state] for state in State}
    rest = {name: value for name, value in query.items() if name != "until"}
    names = {"type": values.types, "source": values.sources, "route": values.routes}
    offered = {
        "state": list(_options("state", states, query)),
        "destination": _most("destination", values.destinations, query),
        **{name: _most(name, counts, query) for name, counts in names.items()},
        "degraded": list(_options("degraded", {"true": values.degraded}, query)),
        "time": [
            Option(
                label=label,
                query={**rest, "since": length},
                count="",
                is_chosen=query.get("since") == length,
            )
            for label, length in PERIODS.items()
        ],
    }
    return {name: options for name, options in offered.items() if options}


def _most(name: str, counts: Mapping[str, int], query: Mapping[str, str]) -> Sequence[Option]:
    most = sorted(counts, key=lambda value: (-counts[value], value))[:VALUES_SHOWN]
    return list(_options(name, {value: counts[value] for value in most}, query))


def _options(name: str, counts: Mapping[str, int], query: Mapping[str, str]) -> Iterator[Option]:
    for value, count in counts.items():
        words = f"{MOST_COUNTED:,}+" if count > MOST_COUNTED else f"{count:,}" if count else ""
        label = "in another form" if name == "degraded" else value
        chosen = query.get(name) == value
        yield Option(label=label, query={**query, name: value}, count=words, is_chosen=chosen)


def _label(name: str, value: str) -> str:
    return name if name == "degraded" else f"{name}: {value}"
