"""Acts on many at once: batch by batch, each of them whole, and one entry in the audit for all of them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial, reduce

from hub.errors import StoreError
from hub.model.audit import AuditEntry
from hub.operator.audited import log_entry
from hub.store.store import Store, Transaction

LARGEST = 10_000
"""So many at most one act is done to."""

BATCH = 100
"""So many at most are changed in one transaction: a cycle of the worker waits for no longer."""

REST_SECONDS = 0.005
"""After each batch others who write have their turn for so long."""


@dataclass(frozen=True, kw_only=True)
class Skipped:
    """One that an act was not done to, with the reason as a part of a sentence."""

    id: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The end of an act on many, or of a dry run of it.

    `changed` are the ids that it was done to. `deliveries` counts what it owed or ended, by destination;
    `examples` has one that was changed for each.
    """

    changed: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    deliveries: Mapping[str, int] = field(default_factory=dict)
    examples: Mapping[str, str] = field(default_factory=dict)

    @property
    def delivery_count(self) -> int:
        """Return the number of deliveries that were owed or ended."""
        return sum(self.deliveries.values())

    def plus(self, other: Outcome) -> Outcome:
        """Return both as one."""
        return Outcome(
            changed=self.changed + other.changed,
            skipped=self.skipped + other.skipped,
            deliveries=Counter(self.deliveries) + Counter(other.deliveries),
            examples={**self.examples, **other.examples},
        )


Work = Callable[[Transaction], Outcome]
"""Acts on a batch in a transaction, and returns the outcome."""


def in_batches(
    store: Store,
    prepare: Callable[[Sequence[str]], Work],
    batches: Iterable[Sequence[str]],
    entry: AuditEntry,
) -> Outcome:
    """Act on batches of ids, each with its part of the entry in one transaction, and wake the workers.

    `prepare` runs before that of its batch begins. Where the database fails after the first batch, the rest
    is skipped with that reason: what was done stays done. Raises StoreError where nothing was.
    """
    outcome = Outcome()
    for batch in batches:
        try:
            outcome = outcome.plus(store.write(partial(_audited, prepare(batch), entry)))
        except StoreError as error:
            if not outcome.changed:
                raise
            outcome = outcome.plus(_not_done(batch, error))
            continue
        store.wake()
        time.sleep(REST_SECONDS)
    if outcome.changed:
        log_entry(replace(entry, changed=outcome.delivery_count))
    return outcome


def total(outcomes: Iterable[Outcome]) -> Outcome:
    """Return outcomes as one."""
    return reduce(Outcome.plus, outcomes, Outcome())


def batches_of(ids: Collection[str], size: int = BATCH) -> Iterator[Sequence[str]]:
    """Yield ids in the order of their age, each once."""
    ordered = sorted(set(ids))
    for start in range(0, len(ordered), size):
        yield ordered[start : start + size]


def _audited(work: Work, entry: AuditEntry, transaction: Transaction) -> Outcome:
    outcome = work(transaction)
    if outcome.changed:
        subjects = {*outcome.changed, *outcome.deliveries} - {entry.subject}
        transaction.audit.add(replace(entry, changed=outcome.delivery_count), sorted(subjects))
    return outcome


def _not_done(ids: Sequence[str], error: StoreError) -> Outcome:
    return Outcome(skipped=tuple(Skipped(id=id_, why=f"not done: {error.headline}") for id_ in ids))
