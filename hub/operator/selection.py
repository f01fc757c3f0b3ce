"""The things that a filter finds, for an act on all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from hub.model.filter import Filter, Matches
from hub.operator.batch import LARGEST
from hub.store.store import Store, Transaction


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The ids that a filter finds, the newest that one act may be done to; `is_cut` where there are more."""

    ids: Sequence[str]
    is_cut: bool = False


def select_deliveries(
    store: Store,
    where: Filter,
    event: str | None = None,
    *,
    before: str | None = None,
    limit: int | None = None,
) -> Selection:
    """Return the deliveries that a filter finds, of one event or of all, with ids before one."""

    def find(snapshot: Transaction, limit: int, before: str | None) -> Matches:
        return snapshot.delivery_list.find(where, event=event, limit=limit, before=before)

    return _selection(partial(_find, store, find), before, limit)


def select_events(
    store: Store, where: Filter, *, before: str | None = None, limit: int | None = None
) -> Selection:
    """Return the events that a filter finds, with ids before one."""

    def find(snapshot: Transaction, limit: int, before: str | None) -> Matches:
        return snapshot.event_list.find(where, limit=limit, before=before)

    return _selection(partial(_find, store, find), before, limit)


def _find(
    store: Store,
    find: Callable[[Transaction, int, str | None], Matches],
    limit: int,
    before: str | None,
) -> Matches:
    with store.read() as snapshot:
        return find(snapshot, limit, before)


def _selection(
    find: Callable[[int, str | None], Matches], before: str | None, limit: int | None
) -> Selection:
    """Search on, a snapshot for each part, until the search is complete or enough is selected.

    Without a limit as many are enough as one act may be done to.
    """
    most = LARGEST if limit is None else limit
    ids: list[str] = []
    while len(ids) <= most:
        matches = find(most + 1 - len(ids), before)
        ids += matches.ids
        before = matches.resume
        if before is None:
            break
    return Selection(ids=ids[:most], is_cut=len(ids) > most)
