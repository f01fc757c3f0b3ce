"""The audit as it is kept: every act of an operator, and refused keys, collapsed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, select, update

from hub.model.audit import Act, Actor, AuditEntry, By, new_entry
from hub.model.event import first_id
from hub.store.session import Query, Repository, to_json
from hub.store.tables import audit, audit_subjects

COLLAPSED_FOR = timedelta(hours=1)
"""So long one entry stands for all that is refused to one address."""

REFUSED_KEPT = 100
"""The most entries of refused keys that begin within that time; what is above them has one for all."""

FEW = 100
"""So many deliveries at most had a replay whose destinations are read."""

OTHERS = "others"
"""Stands for the addresses that were too many to tell apart."""

_IS_REFUSED = audit.c.act == Act.REFUSED.value


class Audit(Repository):
    """Entries, newest first."""

    def add(self, entry: AuditEntry, subjects: Collection[str] = ()) -> None:
        """Keep an entry; where its id is known, what it changed is added to that.

        It is found by its own subject, and by each of `subjects`: those that an act on many was done to.
        """
        row = {
            "id": entry.id,
            "at": entry.at,
            "act": entry.act,
            "subject": entry.subject,
            "actor": entry.actor.by,
            "address": entry.actor.address,
            "changed": entry.changed,
        }
        self._session.upsert(audit, row, changes={"changed": audit.c.changed + entry.changed})
        if subjects:
            values = {"audit_id": entry.id, "subjects": to_json(list(subjects))}
            self._session.defer(Query("add_audit_subjects", values))

    def add_refused(self, actor: Actor, count: int) -> None:
        """Count keys that were refused, in the entry that their address has had for an hour at most."""
        now = self._session.now
        recent = [_IS_REFUSED, audit.c.id >= first_id("aud", now - COLLAPSED_FOR)]
        known = self._refused(actor, recent)
        if known is None and self._count(recent) >= REFUSED_KEPT:
            actor = Actor(by=actor.by, address=OTHERS)
            known = self._refused(actor, recent)
        if known is None:
            self.add(new_entry(Act.REFUSED, actor, now, changed=count))
        else:
            more = update(audit).where(audit.c.id == known).values(changed=audit.c.changed + count)
            self._session.connection.execute(more)

    def entries(
        self,
        *,
        subjects: Collection[str] = (),
        act: Act | None = None,
        limit: int = 50,
        before: str | None = None,
    ) -> list[AuditEntry]:
        """Return entries; those about the subjects alone, where any are named."""
        statement = select(audit)
        if subjects:
            own = select(audit.c.id).where(audit.c.subject.in_(subjects))
            of_many = select(audit_subjects.c.audit_id).where(audit_subjects.c.subject.in_(subjects))
            statement = statement.where(audit.c.id.in_(own.union(of_many)))
        if act:
            statement = statement.where(audit.c.act == act)
        if before:
            statement = statement.where(audit.c.id < before)
        rows = self._session.connection.execute(statement.order_by(audit.c.id.desc()).limit(limit))
        return [_entry(row) for row in rows]

    def destinations_of(self, entries: Sequence[AuditEntry]) -> dict[str, list[str]]:
        """Return the destinations that replays reached, by the ids of their entries.

        Of a replay that owed more than a hundred they are not read.
        """
        ids = [entry.id for entry in entries if entry.act is Act.REPLAY and entry.changed <= FEW]
        statement = (
            select(audit_subjects.c.audit_id, audit_subjects.c.subject)
            .where(audit_subjects.c.audit_id.in_(ids))
            .order_by(audit_subjects.c.subject)
        )
        destinations: dict[str, list[str]] = {}
        for audit_id, subject in self._session.connection.execute(statement):
            if not subject.startswith("evt_"):
                destinations.setdefault(audit_id, []).append(subject)
        return destinations

    def _refused(self, actor: Actor, recent: list[ColumnElement[bool]]) -> str | None:
        statement = select(audit.c.id).where(
            *recent, audit.c.actor == actor.by.value, audit.c.address == actor.address
        )
        return self._session.connection.execute(statement.limit(1)).scalar()

    def _count(self, recent: list[ColumnElement[bool]]) -> int:
        statement = select(func.count()).select_from(audit).where(*recent)
        return int(self._session.connection.execute(statement).scalar_one())


def _entry(row: Any) -> AuditEntry:
    return AuditEntry(
        id=row.id,
        at=row.at,
        act=Act(row.act),
        subject=row.subject,
        actor=Actor(by=By(row.actor), address=row.address),
        changed=row.changed,
    )
