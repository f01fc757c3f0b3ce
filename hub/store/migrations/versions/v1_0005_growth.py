"""Indexes that keep counting and pruning from reading every row."""

import sqlalchemy as sa
from alembic import op

revision = "v1_0005"
down_revision = "v1_0004"

PARTIAL = (
    (
        "ix_deliveries_delivered",
        "deliveries",
        ["finished_at", "destination", "created_at", "delivered_at"],
        "state = 'delivered'",
    ),
    ("ix_deliveries_cancelled", "deliveries", ["finished_at", "destination"], "state = 'cancelled'"),
    ("ix_deliveries_held", "deliveries", ["destination"], "state = 'held'"),
    ("ix_events_kept", "events", ["received_at"], "payload IS NOT NULL"),
    ("ix_events_pruned", "events", ["received_at"], "payload IS NULL"),
)


def upgrade() -> None:
    op.create_index("ix_events_type", "events", ["type", "id", "source"])
    for name, table, columns, where in PARTIAL:
        op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
