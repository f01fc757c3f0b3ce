"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "v1_0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "events",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("payload", sa.LargeBinary()),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("verdicts", sa.Text(), nullable=False),
        sa.Column("blanked", sa.Boolean(), nullable=False, server_default=sa.text("false")),
        sa.UniqueConstraint("source", "message_id", name="uq_events_message"),
    )
    op.create_table(
        "deliveries",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("event_id", sa.String(40), nullable=False),
        sa.Column("event_type", sa.Text(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("send", sa.Text(), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("owed_since", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("message", sa.Text()),
        sa.Column("degraded", sa.Text()),
        sa.Column("accepted", sa.Text()),
        sa.Column("token", sa.String(40)),
        sa.Column("lease_until", sa.BigInteger()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("delivered_at", sa.BigInteger()),
        sa.Column("finished_at", sa.BigInteger()),
    )
    op.create_index(
        "ix_deliveries_due",
        "deliveries",
        ["destination", "due_at", "owed_since"],
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index("ix_deliveries_event", "deliveries", ["event_id"])
    op.create_index(
        "ix_deliveries_sending",
        "deliveries",
        ["destination"],
        sqlite_where=sa.text("state = 'sending'"),
        postgresql_where=sa.text("state = 'sending'"),
    )
    op.create_index(
        "ix_deliveries_stuck",
        "deliveries",
        ["state", "id"],
        sqlite_where=sa.text("state IN ('dead', 'held')"),
        postgresql_where=sa.text("state IN ('dead', 'held')"),
    )
    op.create_table(
        "attempts",
        sa.Column("delivery_id", sa.String(40), primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("seconds", sa.Float()),
        sa.Column("outcome", sa.String(10)),
        sa.Column("status", sa.Integer()),
        sa.Column("detail", sa.Text()),
    )
    op.create_table(
        "destinations",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("configured", sa.Boolean(), nullable=False, server_default=sa.text("true")),
        sa.Column("available_since", sa.BigInteger()),
        sa.Column("paused_at", sa.BigInteger()),
        sa.Column("paused_reason", sa.Text()),
        sa.Column("failures", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("probe_at", sa.BigInteger()),
        sa.Column("probe_seconds", sa.Float(), nullable=False, server_default=sa.text("0")),
        sa.Column("hold_until", sa.BigInteger()),
        sa.Column("paced_until", sa.BigInteger()),
    )
    op.create_table(
        "workers",
        sa.Column("id", sa.String(80), primary_key=True),
        sa.Column("beat_at", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "counters",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("labels", sa.Text(), primary_key=True),
        sa.Column("count", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "keep",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("value", sa.Text(), nullable=False),
    )
