"""Runs over one whole mirror, with what they find out kept in the store for page, metrics and findings."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hub.errors import HubError, SendError
from hub.mirror.mirror import open_mirror
from hub.mirror.tables import tables
from hub.model.mirror import DriftKind
from hub.store.store import Store
from hub.sync.api import BackendApi, OnRetry
from hub.sync.mirroring import Mirroring
from hub.sync.repair import MOST_OBJECTS, MaxDeletes, Repaired, repair
from hub.sync.targets import Target
from hub.sync.verify import Comparison, Verifier


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One table that was compared, and mended where that was asked for. `drift` is what differs still."""

    comparison: Comparison
    repaired: Repaired | None = None

    @property
    def drift(self) -> dict[str, dict[DriftKind, int]]:
        """The rows that differ still, by table and kind."""
        mended = self.repaired.mended if self.repaired else set()
        table = self.comparison.table
        counts = {name: dict.fromkeys(DriftKind, 0) for name in (table, *tables()[table].sets)}
        for object_ in self.comparison.differing:
            for drift in object_.drift if object_.id not in mended else ():
                counts[drift.table][drift.kind] += 1
        return counts


@contextmanager
def opened(
    target: Target,
    wait: Callable[[float], object] = time.sleep,
    rate: float | None = None,
    on_retry: OnRetry = lambda reason, seconds: None,
) -> Iterator[tuple[BackendApi, Mirroring]]:
    """Yield Clerk's API and the mirror of a target, and close both. Raises HubError."""
    try:
        mirror = open_mirror(target.options, target.destination)
    except SendError as error:
        raise HubError(f"{target.destination}: {error}") from error
    api = BackendApi(target.access, wait=wait, rate=rate, on_retry=on_retry)
    try:
        yield api, Mirroring(mirror, target.destination, wait, on_retry)
    finally:
        api.close()
        mirror.close()


def verify(
    store: Store,
    target: Target,
    api: BackendApi,
    mirroring: Mirroring,
    *,
    max_deletes: MaxDeletes | None = None,
    wait: Callable[[float], object] = time.sleep,
    on_progress: Callable[[str, int], None] = lambda table, objects: None,
) -> Iterator[Outcome]:
    """Compare table by table, parents first, and yield each; with `max_deletes` mend it. Raises HubError."""
    mirroring.claim(api)
    verifier = Verifier(
        api,
        mirroring,
        owed_to(store, target),
        wait=wait,
        on_progress=on_progress,
        whole=MOST_OBJECTS if max_deletes is not None else 0,
    )
    for table in target.tables:
        comparison = verifier.compare(table)
        repaired = None
        if max_deletes is not None:
            repaired = repair(api, mirroring, comparison, max_deletes)
        outcome = Outcome(comparison=comparison, repaired=repaired)
        _keep(store, target, mirroring, outcome)
        yield outcome
    compared = {name for table in target.tables for name in (table, *tables()[table].sets)}
    with store.transaction() as transaction:
        transaction.mirrors.forget_failure(target.destination)
        transaction.mirrors.forget_others(target.destination, compared)


def owed_to(store: Store, target: Target) -> Callable[[Any], set[str]]:
    """Return a function that says of which objects a delivery to a mirror is owed."""

    def owed(keys: Any) -> set[str]:
        with store.read() as snapshot:
            return snapshot.mirrors.owed(target.destination, keys)

    return owed


def keep_backfill(store: Store, target: Target, mirroring: Mirroring, filled: Sequence[str]) -> None:
    """Keep that these tables were filled just now."""
    for table in filled:
        known = _known(mirroring, table)
        with store.transaction() as transaction:
            at = transaction.now
            transaction.mirrors.keep(target.destination, table, **known, backfilled_at=at)
            for name in tables()[table].sets:
                transaction.mirrors.keep(target.destination, name, backfilled_at=at)


def _keep(store: Store, target: Target, mirroring: Mirroring, outcome: Outcome) -> None:
    known = _known(mirroring, outcome.comparison.table)
    with store.transaction() as transaction:
        for name, counts in outcome.drift.items():
            transaction.mirrors.keep(
                target.destination,
                name,
                **(known if name == outcome.comparison.table else {}),
                **{kind.value: count for kind, count in counts.items()},
                verified_at=transaction.now,
            )


def _known(mirroring: Mirroring, table: str) -> dict[str, Any]:
    newest = mirroring.call(mirroring.mirror.newest, table)
    return {
        "rows": mirroring.call(mirroring.mirror.count, table),
        "newest_at": None if newest is None else datetime.fromtimestamp(newest / 1000, UTC),
    }
