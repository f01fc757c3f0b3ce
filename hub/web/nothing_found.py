"""The words of a list: how many it has, and where there is none, what was searched and how far back."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hub import catalog
from hub.catalog.terms import WORDS_LIMIT
from hub.humanize import counted, day, did_you_mean, in_days, period, sentence, utc
from hub.model.event import first_id, made_at
from hub.model.filter import Matches
from hub.store.repositories.search import LOOKED_AT
from hub.web.chips import in_words

COUNTED = 1_000
"""So many are counted at most."""

_ID = re.compile(r"(evt|dlv)_[0-9a-f]{12,29}")
_OLDEST_ID = first_id("", datetime(2020, 1, 1, tzinfo=UTC))


@dataclass(frozen=True, kw_only=True)
class Search:
    """A search of a list: its query, and where it began and how far it went.

    `noun` is `event` or `delivery`. `before` is the cursor of a page that is not the first. `read_until` is
    until when events can be found by words, None where that is all. `pruned` is the id of the event that
    was searched for by an id and was pruned. `is_searchable` is False for words that nothing is found by.
    """

    noun: str
    query: Mapping[str, str]
    before: str | None
    matches: Matches
    read_until: datetime | None
    retention: timedelta
    is_searchable: bool = True
    pruned: str | None
    now: datetime


def count_words(search: Search) -> str:
    """Return how many a list has and in which order."""
    parts = [_count(search), "newest first"] if search.matches.ids else []
    if search.matches.resume and search.matches.ids:
        parts.append(f"looked through {'the newest' if search.before is None else 'the next'} {LOOKED_AT:,}")
    if search.read_until is not None:
        parts.append(f"read until {utc(search.read_until)} UTC; what came later is found in a moment")
    return " · ".join(filter(None, parts))


def nothing_words(search: Search) -> list[str]:
    """Return why a list has nothing, a sentence each; none for a list that no filter made empty."""
    return list(_nothing(search)) if search.query else []


def _count(search: Search) -> str:
    count = len(search.matches.ids)
    if search.before is not None or not count or not search.matches.is_counted:
        return ""
    number = f"more than {COUNTED:,}" if count > COUNTED else f"{count:,}"
    return f"{number} found" if search.query else f"{number} {_nouns(search.noun, count)}"


def _nothing(search: Search) -> Iterator[str]:
    words = in_words(search.query)
    if not search.is_searchable:
        yield f'"{search.query["q"][:60]}" cannot be searched for.'
        yield f"Say 1 to {WORDS_LIMIT} words of ids, addresses or names, each with a letter or a digit."
        return
    if search.matches.resume is not None:
        newest = "newest" if search.before is None else "next"
        yield f"None of the {newest} {LOOKED_AT:,} {_nouns(search.noun)} fits {words}; older ones may."
        return
    older = "older " if search.before is not None else ""
    yield sentence(f"No {older}{search.noun} fits {words}{_other_type(search.query)}")
    if "q" in search.query:
        yield "Ids, addresses and names are searched, whole or by the beginning of any of their words."
    yield _kept(search.retention)
    yield from _pruned(search)


def _pruned(search: Search) -> Iterator[str]:
    words = search.query.get("q", "").strip()
    if search.pruned is not None:
        received = day(made_at(search.pruned), UTC)
        yield f"{words[:60]} was received on {received} and was pruned since then."
    elif _ID.fullmatch(words) and _OLDEST_ID < _ending(words) < first_id("", search.now - search.retention):
        yield f"{words} is of {day(made_at(words), UTC)}: whatever it was, it was pruned."


def _ending(id_: str) -> str:
    """Return an id without its kind: no moment is read from one that nobody ever made."""
    return id_[id_.index("_") :]


def _kept(retention: timedelta) -> str:
    length = in_days(period(retention.total_seconds()))
    return f"{length} {'is' if length == '1 day' else 'are'} kept (HUB_RETENTION); what is older was pruned."


def _other_type(query: Mapping[str, str]) -> str:
    type_ = query.get("type", "*")
    known = catalog.event_types()
    return "" if "*" in type_ or type_ in known else did_you_mean(type_, known)


def _nouns(noun: str, count: int = 2) -> str:
    return counted(count, noun, "deliveries" if noun == "delivery" else "").partition(" ")[2]
