"""Retention: old rows are removed in batches, and stay in the counters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import and_, delete, func, select, update

from hub.model.delivery import State
from hub.model.event import first_id
from hub.model.stats import DELIVERY_SECONDS_BOUNDS
from hub.store.repositories.totals import MICROSECONDS, Totals
from hub.store.session import Repository
from hub.store.tables import (
    attempts,
    audit,
    audit_subjects,
    deliveries,
    events,
    is_in,
    refusals,
    terms,
    threads,
    versions,
)

IDS_KEPT = timedelta(days=90)
"""The time that a message id is remembered, so that a late resend is still recognised."""

AUDIT_KEPT = timedelta(days=90)

VERSIONS_KEPT = 10
"""So many versions of the user's files stay, the last that served, though no delivery names them."""

IN_USE = timedelta(days=1)
"""A process says much more often that it goes by a version."""

PRUNE_BATCH = 500
"""The most rows of a kind that one transaction removes: requests wait no longer than that."""


class Prunable(StrEnum):
    """A kind of old row, in the order in which they go: finished deliveries first."""

    DELIVERED = "delivered"
    CANCELLED = "cancelled"
    TOO_OLD = "too_old"
    PAYLOADS = "payloads"
    TERMS = "terms"
    EVENTS = "events"
    THREADS = "threads"
    REFUSALS = "refusals"
    AUDIT = "audit"
    VERSIONS = "versions"


class Retention(Repository):
    """The removal of old rows."""

    def prune_by_age(self, kind: Prunable, retention: timedelta) -> int:
        """Remove a batch of a kind that is older than the retention; return its number."""
        before = self._session.now - retention
        if kind is Prunable.EVENTS:
            before = self._session.now - max(IDS_KEPT, retention)
        if kind is Prunable.AUDIT:
            before = self._session.now - AUDIT_KEPT
        if kind is Prunable.VERSIONS:
            before = self._session.now - max(IN_USE, retention)
        return self.prune(kind, before, PRUNE_BATCH)

    def prune(self, kind: Prunable, before: datetime, limit: int) -> int:
        """Remove at most `limit` old rows of a kind; return the number of those removed or emptied.

        The counters keep count of them. What a delivery keeps goes after the delivery, and an event after its
        payload.
        """
        match kind:
            case Prunable.DELIVERED:
                return self._prune_finished(State.DELIVERED, before, limit)
            case Prunable.CANCELLED:
                return self._prune_finished(State.CANCELLED, before, limit)
            case Prunable.TOO_OLD:
                return self._prune_finished(State.DEAD, before, limit)
            case Prunable.PAYLOADS:
                return self._prune_payloads(before, limit)
            case Prunable.TERMS:
                return self._prune_terms(before, limit)
            case Prunable.EVENTS:
                return self._prune_events(before, limit)
            case Prunable.THREADS:
                return self._prune_threads(before, limit)
            case Prunable.REFUSALS:
                return self._prune_refusals(before, limit)
            case Prunable.AUDIT:
                return self._prune_audit(before, limit)
            case Prunable.VERSIONS:
                return self._prune_versions(before)

    def _prune_finished(self, state: State, before: datetime, limit: int) -> int:
        since = self._totals.lock()
        old = (
            select(
                deliveries.c.id,
                deliveries.c.event_id,
                deliveries.c.destination,
                deliveries.c.degraded.is_not(None).label("is_degraded"),
                deliveries.c.created_at,
                deliveries.c.delivered_at,
                deliveries.c.finished_at,
            )
            .where(is_in(state), deliveries.c.finished_at < before)
            .order_by(deliveries.c.finished_at, deliveries.c.id)
            .limit(limit)
        )
        rows = self._session.connection.execute(self._session.locking(old, skips=True)).all()
        ids = [row.id for row in rows]
        if not ids:
            return 0
        tried = self._session.connection.execute(
            select(attempts.c.destination, attempts.c.outcome, func.count())
            .where(attempts.c.delivery_id.in_(ids), attempts.c.outcome.is_not(None), attempts.c.at >= since)
            .group_by(attempts.c.destination, attempts.c.outcome)
        ).all()
        # In one order everywhere, so that two who prune do not wait for each other.
        for destination, outcome, count in sorted(tried):
            self._count("attempts", f"{destination}\n{outcome}", count)
        degraded = Counter(row.destination for row in rows if row.is_degraded and row.delivered_at)
        for destination, count in sorted(degraded.items()):
            self._count("degraded", destination, count)
        uncounted = [row for row in rows if state is State.DELIVERED and row.finished_at >= since]
        for destination, count in sorted(Counter(row.destination for row in uncounted).items()):
            self._count("delivered", destination, count)
        self._count_seconds([row.delivered_at - row.created_at for row in uncounted if row.delivered_at])
        for destination, count in sorted(Counter(row.destination for row in rows).items()):
            self._count("pruned_deliveries", f"{destination}\n{state}", count)
        self._session.connection.execute(delete(attempts).where(attempts.c.delivery_id.in_(ids)))
        self._session.connection.execute(delete(deliveries).where(deliveries.c.id.in_(ids)))
        self._owe_less(Counter(row.event_id for row in rows))
        return len(ids)

    def _owe_less(self, removed: Mapping[str, int]) -> None:
        """Take pruned deliveries off the counts of their events: any others that are missing were lost."""
        of_count: dict[int, list[str]] = {}
        for event_id, count in removed.items():
            of_count.setdefault(count, []).append(event_id)
        # In one order everywhere, so that two who prune do not wait for each other.
        touched = select(events.c.id).where(events.c.id.in_(removed)).order_by(events.c.id)
        self._session.connection.execute(self._session.locking(touched))
        for count, ids in of_count.items():
            owes_less = update(events).where(events.c.id.in_(ids)).values(owed=events.c.owed - count)
            self._session.connection.execute(owes_less)

    def _count_seconds(self, waits: list[timedelta]) -> None:
        seconds = [wait.total_seconds() for wait in waits]
        if not seconds:
            return
        self._count("delivery_seconds", "+Inf", len(seconds))
        self._count("delivery_seconds", MICROSECONDS, round(sum(seconds) * 1_000_000))
        for bound in DELIVERY_SECONDS_BOUNDS:
            self._count("delivery_seconds", str(bound), sum(1 for wait in seconds if wait <= bound))

    def _prune_payloads(self, before: datetime, limit: int) -> int:
        owed = select(deliveries.c.id).where(deliveries.c.event_id == events.c.id)
        old = (
            select(events.c.id)
            .where(
                events.c.received_at < before,
                events.c.payload.is_not(None),
                ~owed.exists(),
            )
            .order_by(events.c.received_at, events.c.id)
            .limit(limit)
        )
        ids = self._session.connection.execute(self._session.locking(old, skips=True)).scalars().all()
        if not ids:
            return 0
        # Asked again now that they are locked: a resend may have owed one of them something.
        unowed = update(events).where(events.c.id.in_(ids), ~owed.exists())
        return self._session.connection.execute(unowed.values(payload=None)).rowcount

    def _prune_terms(self, before: datetime, limit: int) -> int:
        """Forget by what events were found whose payloads are gone."""
        kept = select(events.c.id).where(events.c.id == terms.c.event_id, events.c.payload.is_not(None))
        old = (
            select(terms.c.event_id)
            .where(terms.c.event_id < first_id("evt", before), ~kept.exists())
            .order_by(terms.c.event_id)
            .limit(limit)
        )
        ids = set(self._session.connection.execute(old).scalars())
        # Whoever prunes at the same time removes the same rows, in the same order.
        gone = delete(terms).where(terms.c.event_id.in_(sorted(ids)))
        return self._session.connection.execute(gone).rowcount if ids else 0

    def _prune_events(self, before: datetime, limit: int) -> int:
        first_uncounted = first_id("evt", self._totals.lock())
        old = (
            select(events.c.id, events.c.source, events.c.type)
            .where(
                events.c.received_at < before,
                events.c.payload.is_(None),
            )
            .order_by(events.c.received_at, events.c.id)
            .limit(limit)
        )
        rows = self._session.connection.execute(self._session.locking(old, skips=True)).all()
        uncounted = Counter(f"{source}\n{type_}" for id_, source, type_ in rows if id_ >= first_uncounted)
        for labels, count in sorted(uncounted.items()):
            self._count("events", labels, count)
        if rows:
            self._count("pruned_events", "", len(rows))
            self._session.connection.execute(delete(events).where(events.c.id.in_([row.id for row in rows])))
        return len(rows)

    def _prune_threads(self, before: datetime, limit: int) -> int:
        """Forget threads that rested: the next message of one begins it anew."""
        old = select(threads.c.id).where(threads.c.used_at < before).order_by(threads.c.used_at).limit(limit)
        ids = self._session.connection.execute(self._session.locking(old, skips=True)).scalars().all()
        if ids:
            self._session.connection.execute(delete(threads).where(threads.c.id.in_(ids)))
        return len(ids)

    def _prune_refusals(self, before: datetime, limit: int) -> int:
        key = (refusals.c.source, refusals.c.code, refusals.c.hour)
        old = select(*key, refusals.c.count).where(refusals.c.hour < before).order_by(*key).limit(limit)
        rows = self._session.connection.execute(self._session.locking(old, skips=True)).all()
        for source, code, hour, count in rows:
            self._count("refused", f"{source}\n{code}", count)
            its_row = and_(key[0] == source, key[1] == code, key[2] == hour)
            self._session.connection.execute(delete(refusals).where(its_row))
        return len(rows)

    def _prune_audit(self, before: datetime, limit: int) -> int:
        old = select(audit.c.id).where(audit.c.id < first_id("aud", before)).order_by(audit.c.id).limit(limit)
        ids = self._session.connection.execute(self._session.locking(old, skips=True)).scalars().all()
        if ids:
            self._session.connection.execute(delete(audit_subjects).where(audit_subjects.c.audit_id.in_(ids)))
            self._session.connection.execute(delete(audit).where(audit.c.id.in_(ids)))
        return len(ids)

    def _prune_versions(self, before: datetime) -> int:
        """Remove versions that no process goes by and no delivery names, but for the last that served.

        Deliveries that are younger than the last use of a version cannot name it: most are never looked at.
        """
        newest = select(versions.c.version).order_by(versions.c.served_at.desc()).limit(VERSIONS_KEPT)
        unused = (versions.c.seen_at < before, versions.c.version.not_in(newest))
        last_use = self._session.connection.execute(
            select(func.max(versions.c.seen_at)).where(*unused)
        ).scalar()
        if last_use is None:
            return 0
        older = deliveries.c.id < first_id("dlv", last_use + IN_USE)
        named = select(deliveries.c.version).where(older, deliveries.c.version.is_not(None)).distinct()
        return self._session.connection.execute(
            delete(versions).where(*unused, versions.c.version.not_in(named))
        ).rowcount

    @property
    def _totals(self) -> Totals:
        return Totals(self._session)

    def _count(self, name: str, labels: str, count: int) -> None:
        self._totals.add_to(name, labels, count)
