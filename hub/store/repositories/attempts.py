"""The attempts of deliveries, for the pages that show several at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import null, select

from hub.model.delivery import Outcome
from hub.model.records import AttemptRecord
from hub.store.session import Repository
from hub.store.tables import attempts

MOST = 2_000
"""So many attempts are read for one page."""


class Attempts(Repository):
    """Tries of deliveries."""

    def of(self, delivery_ids: Sequence[str]) -> dict[str, tuple[AttemptRecord, ...]]:
        """Return the attempts of these deliveries, oldest first and without their answers; none for some."""
        columns = [column for column in attempts.c if column is not attempts.c.answer]
        statement = (
            select(*columns, null().label("answer"))
            .where(attempts.c.delivery_id.in_(delivery_ids))
            .order_by(attempts.c.delivery_id, attempts.c.number)
            .limit(MOST)
        )
        tried: dict[str, tuple[AttemptRecord, ...]] = {}
        for row in self._session.connection.execute(statement):
            tried[row.delivery_id] = (*tried.get(row.delivery_id, ()), attempt_record(row))
        return tried


def attempt_record(row: Any) -> AttemptRecord:
    """Return a row as a record."""
    return AttemptRecord(
        number=row.number,
        at=row.at,
        seconds=row.seconds,
        outcome=Outcome(row.outcome) if row.outcome else None,
        status=row.status,
        detail=row.detail,
        answer=row.answer,
    )
