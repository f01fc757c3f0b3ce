"""A turn of one exchange, for PostgreSQL: what is due first to destinations at rest, claimed and started.

It does what `Queue.hold`, `claim` and `start` do, for the one case in which nobody has to think in between.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Dialect

from hub.model.delivery import Message
from hub.store.engine.queries import POSTGRES_NOW
from hub.store.engine.statements import Statement, conversion
from hub.store.repositories.waiting import CLAIM_COLUMNS
from hub.store.tables import as_json, attempts

_MICROSECOND = timedelta(microseconds=1)

_STARTED = {f"{column.table.name}_{column.name}": column for column in CLAIM_COLUMNS}
_CONVERTS = [conversion(each, "process_result_value") for each in (*_STARTED.values(), attempts.c.at)]
_SQL = f"""
WITH first AS MATERIALIZED (
    SELECT due.id, offered.message AS offered, offered.token, offered.lease
    FROM jsonb_to_recordset(%s) AS offered(destination text, message text, token text, lease bigint)
    JOIN destinations ON destinations.name = offered.destination
        AND destinations.xmax = pg_current_xact_id_if_assigned()::xid
    CROSS JOIN LATERAL (
        SELECT id FROM deliveries
        WHERE state = 'pending' AND deliveries.destination = offered.destination AND due_at <= {POSTGRES_NOW}
        ORDER BY due_at LIMIT 1
    ) AS due
    WHERE paused_at IS NULL AND probe_at IS NULL AND COALESCE(throttled_until, 0) <= {POSTGRES_NOW}
        AND NOT EXISTS (
            SELECT FROM deliveries WHERE state = 'sending' AND deliveries.destination = offered.destination
        )
), chosen AS MATERIALIZED (
    SELECT first.* FROM first JOIN deliveries USING (id)
    WHERE state || '' = 'pending' AND due_at <= {POSTGRES_NOW} AND (message IS NOT NULL OR send = '{{}}')
    FOR UPDATE OF deliveries SKIP LOCKED
), started AS (
    UPDATE deliveries
    SET state = 'sending', token = chosen.token, lease_until = {POSTGRES_NOW} + chosen.lease,
        attempts = attempts + 1, tries = tries + 1, message = COALESCE(message, chosen.offered)
    FROM chosen, events WHERE deliveries.id = chosen.id AND events.id = deliveries.event_id
    RETURNING {", ".join(f"{column} AS {name}" for name, column in _STARTED.items())}
), opened AS (
    INSERT INTO attempts (delivery_id, number, destination, at)
    SELECT deliveries_id, deliveries_attempts, deliveries_destination, {POSTGRES_NOW} FROM started
)
SELECT {", ".join(_STARTED)}, {POSTGRES_NOW} FROM started
"""  # noqa: S608 - names of ours


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A destination that may be sent one delivery, under a claim token and a lease.

    `message` is for a delivery that has none yet and whose send block is empty.
    """

    destination: str
    message: Message
    token: str
    lease: timedelta


@dataclass(frozen=True)
class StartFirst:
    """Start what is due first to each offered destination that is at rest; the answer is the claims.

    At rest is one that is sent nothing and that is neither paused nor held nor has its breaker open:
    `pace.allowance` lets it have one. Ask it behind `LOCKED`, in its transaction: what that did not lock is
    left, and of the rest this sees what all others did until then.
    """

    offers: Sequence[Offer]

    def statement(self, dialect: Dialect) -> Statement:
        offers = [
            {
                "destination": each.destination,
                "message": as_json(each.message),
                "token": each.token,
                "lease": each.lease // _MICROSECOND,
            }
            for each in self.offers
        ]
        return Statement(sql=_SQL, parameters=(json.dumps(offers),), converts=_CONVERTS)
