"""The index of terms: filled soon after events have arrived, and read by searches."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, Select, Text, func, literal, select, union
from sqlalchemy.dialects import postgresql, sqlite

from hub.model.event import Event, made_at
from hub.store.repositories.kinds import MOST_KINDS
from hub.store.repositories.search import Bounds, Candidates, Conditions, has_row
from hub.store.session import Repository, Session
from hub.store.tables import deliveries, events, settings, terms

FRESH = timedelta(seconds=5)
"""The index is not behind because of events that came within this time."""

READ = "terms_read"
"""The shared value with the id of the last event that was read for its terms."""

_DELIVERY_ID = re.compile(r"dlv_[0-9a-f]*")
_BEHIND_ALL = "\U0010ffff"


class Terms(Repository):
    """The terms of events. An event that was read has its own id among them."""

    def unread(self, behind: str, count: int) -> list[Event]:
        """Return the oldest events, behind an id, that were not read for their terms yet."""
        was_read = select(terms.c.term).where(terms.c.event_id == events.c.id, terms.c.term == events.c.id)
        columns = (events.c.id, events.c.source, events.c.message_id, events.c.type, events.c.payload)
        statement = (
            select(*columns, events.c.received_at)
            .where(events.c.id > behind, events.c.payload.is_not(None), ~was_read.exists())
            .order_by(events.c.id)
            .limit(count)
        )
        return [Event(**row) for row in self._session.connection.execute(statement).mappings()]

    def read_until(self) -> datetime | None:
        """Return the moment until which events are found where the index is behind; None where it is not."""
        last = self._session.connection.execute(
            select(settings.c.value).where(settings.c.name == READ)
        ).scalar()
        oldest = select(func.min(events.c.id)).where(events.c.id > (last or ""))
        unread = self._session.connection.execute(oldest).scalar()
        if unread is None or made_at(unread) > self._session.now - FRESH:
            return None
        return made_at(last or unread)

    def add(self, terms_of: Mapping[str, Set[str]]) -> None:
        """Keep the terms of events, by their ids; another process may do the same."""
        # In one order everywhere, so that two who add do not wait for each other.
        rows = sorted((event_id, term) for event_id, its in terms_of.items() for term in {event_id, *its})
        if self._session.is_remote:
            # One statement for all rows: one for each costs both sides twice as much.
            columns = [func.unnest(literal(list(column), ARRAY(Text))) for column in zip(*rows, strict=True)]
            insert = postgresql.insert(terms).from_select(["event_id", "term"], select(*columns))
            self._session.connection.execute(insert.on_conflict_do_nothing())
        else:
            self._session.connection.execute(
                sqlite.insert(terms).on_conflict_do_nothing(),
                [{"event_id": event_id, "term": term} for event_id, term in rows],
            )


class TermSearch:
    """The search for the events, or their deliveries, that have a term for every word."""

    def __init__(self, session: Session, words: Sequence[str]) -> None:
        self._session = session
        self._words = words

    def events(self) -> Iterator[Select[Any]]:
        """Yield the ids of the events that have a word, one statement for each word."""
        for word in self._words:
            if _DELIVERY_ID.fullmatch(word):
                yield select(deliveries.c.event_id).where(*_is_delivery(deliveries.c.id, word))
            else:
                yield select(terms.c.event_id).where(*_begins(terms.c.term, word))

    def conditions_on_events(self, *, without: str | None = None) -> Conditions:
        """Return the conditions on events, one for each word but one."""
        return [self._of_event(word, events.c.id) for word in self._words if word != without]

    def conditions_on_deliveries(self) -> Conditions:
        """Return the conditions on deliveries, one or more for each word."""
        conditions: list[ColumnElement[bool]] = []
        for word in self._words:
            if _DELIVERY_ID.fullmatch(word):
                conditions += _is_delivery(deliveries.c.id, word)
            else:
                conditions.append(self._of_event(word, deliveries.c.event_id))
        return conditions

    def _of_event(self, word: str, event_id: ColumnElement[str]) -> ColumnElement[bool]:
        # Of one event there are few rows: the word is no key, or a planner might read all that begin with it.
        if _DELIVERY_ID.fullmatch(word):
            its = deliveries.alias()
            is_word = _is_delivery(its.c.id.concat(""), word)
        else:
            its = terms.alias()
            is_word = _begins(its.c.term.concat(""), word)
        return has_row(select(its.c.event_id).where(its.c.event_id == event_id, *is_word))

    def candidates(self) -> tuple[str, Candidates] | None:
        """Return the first word that begins few terms, with its events; None where all begin too many."""
        for word in self._words:
            values = [] if _DELIVERY_ID.fullmatch(word) else _values(self._session, word)
            if 0 < len(values) <= MOST_KINDS:
                return word, _newest_of_each(values)
        return None


def _begins(term: ColumnElement[str], word: str) -> Conditions:
    return term >= word, term < word + _BEHIND_ALL


def _is_delivery(id_: ColumnElement[str], word: str) -> Conditions:
    # Ids are hexadecimal: in the order of every language, a "g" stands behind all that may follow.
    return id_ >= word, id_ < f"{word}g"


def _values(session: Session, word: str) -> list[str]:
    """Return the terms that begin with a word, with one look into the index for each, and at most so many."""
    first = select(func.min(terms.c.term).label("value")).where(*_begins(terms.c.term, word))
    values = first.cte("values_of_word", recursive=True)
    following = select(func.min(terms.c.term)).where(
        terms.c.term > values.c.value, terms.c.term < word + _BEHIND_ALL
    )
    values = values.union_all(select(following.scalar_subquery()).where(values.c.value.is_not(None)))
    statement = select(values.c.value).where(values.c.value.is_not(None)).limit(MOST_KINDS + 1)
    return list(session.connection.execute(statement).scalars())


def _newest_of_each(values: Sequence[str]) -> Candidates:
    def candidates(bounds: Bounds, further: Conditions, limit: int, offset: int = 0, /) -> Select[Any]:
        of_each = [_of_term(value, bounds, further, limit + offset) for value in values]
        ids = union(*(select(rows.subquery()) for rows in of_each)).subquery().c.event_id
        return select(ids).order_by(bounds.order(ids)).limit(limit).offset(offset)

    return candidates


def _of_term(value: str, bounds: Bounds, further: Conditions, limit: int) -> Select[Any]:
    statement = select(terms.c.event_id).where(terms.c.term == value, *bounds.of(terms.c.event_id))
    if further:
        statement = statement.join(events, events.c.id == terms.c.event_id).where(*further)
    return statement.order_by(bounds.order(terms.c.event_id)).limit(limit)
