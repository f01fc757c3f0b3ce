"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "v1_0001"
down_revision = None


def upgrade() -> None:
    _events()
    _deliveries()
    _terms()
    _attempts()
    _threads()
    _destinations()
    _alerts()
    _sources_refusals()
    _workers_counters_settings()
    _versions()
    _audit()
    _mirrors()
    if op.get_bind().dialect.name == "postgresql":
        # Whoever looks for the oldest due row steps over the index entries of all that was drained since the
        # last vacuum. The usual fifth of the table lets them become hundreds of thousands.
        op.execute(
            "ALTER TABLE deliveries SET "
            "(autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000)"
        )


def _partial(name: str, table: str, where: str, *columns: str) -> None:
    """Index those rows alone for which `where` holds."""
    op.create_index(name, table, list(columns), sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def _events() -> None:
    op.create_table(
        "events",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("version", sa.String(16)),
        sa.Column("object_key", sa.Text()),
        sa.Column("payload", sa.LargeBinary()),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("verdicts", sa.Text(), nullable=False),
        sa.Column("blanked", sa.Boolean(), nullable=False, server_default=sa.text("false")),
        sa.Column("owed", sa.Integer(), nullable=False),
        sa.UniqueConstraint("source", "message_id", name="uq_events_message"),
    )
    op.create_index("ix_events_kind", "events", ["source", "type", "id"])
    has_object = "object_key IS NOT NULL AND payload IS NOT NULL"
    _partial("ix_events_object", "events", has_object, "object_key", "source", "id")
    _partial("ix_events_kept", "events", "payload IS NOT NULL", "received_at")
    _partial("ix_events_pruned", "events", "payload IS NULL", "received_at")


def _deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("event_id", sa.String(40), nullable=False),
        sa.Column("event_type", sa.Text(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("version", sa.String(16)),
        sa.Column("send", sa.Text(), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("due_at", sa.BigInteger()),
        sa.Column("owed_since", sa.BigInteger()),
        sa.Column("needs", sa.Text()),
        sa.Column("valid_until", sa.BigInteger()),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("message", sa.Text()),
        sa.Column("rendering", sa.Integer(), nullable=False, server_default=sa.text("1")),
        sa.Column("degraded", sa.Text()),
        sa.Column("accepted", sa.Text()),
        sa.Column("token", sa.String(40)),
        sa.Column("lease_until", sa.BigInteger()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("delivered_at", sa.BigInteger()),
        sa.Column("finished_at", sa.BigInteger()),
    )
    op.create_index("ix_deliveries_event", "deliveries", ["event_id"])
    op.create_index("ix_deliveries_kind", "deliveries", ["route", "destination", "id"])
    pending, delivered = "state = 'pending'", "state = 'delivered'"
    _partial("ix_deliveries_due", "deliveries", pending, "destination", "due_at", "owed_since")
    _partial("ix_deliveries_first", "deliveries", f"{pending} AND tries = 0", "destination", "due_at")
    _partial("ix_deliveries_retry", "deliveries", f"{pending} AND tries > 0", "destination", "due_at")
    again = f"{pending} AND tries = 0 AND attempts > 0"
    _partial("ix_deliveries_again", "deliveries", again, "destination", "due_at")
    _partial("ix_deliveries_sending", "deliveries", "state = 'sending'", "destination")
    _partial("ix_deliveries_needs", "deliveries", "needs IS NOT NULL", "needs", "id")
    _partial("ix_deliveries_stuck", "deliveries", "state IN ('dead', 'held')", "state", "id")
    _partial("ix_deliveries_dead", "deliveries", "state = 'dead'", "destination", "id")
    _partial("ix_deliveries_held", "deliveries", "state = 'held'", "destination", "id")
    _partial("ix_deliveries_ageing", "deliveries", f"{pending} AND valid_until IS NOT NULL", "valid_until")
    too_old = "state = 'dead' AND finished_at IS NOT NULL"
    _partial("ix_deliveries_too_old", "deliveries", too_old, "finished_at")
    _partial("ix_deliveries_cancelled", "deliveries", "state = 'cancelled'", "finished_at", "destination")
    _partial("ix_deliveries_degraded", "deliveries", "degraded IS NOT NULL", "id", "destination")
    # All that is counted of what was delivered, which most rows are, is in this index.
    counted = ("finished_at", "destination", "created_at", "delivered_at")
    _partial("ix_deliveries_delivered", "deliveries", delivered, *counted)


def _terms() -> None:
    op.create_table(
        "terms",
        sa.Column("event_id", sa.String(40), primary_key=True),
        sa.Column("term", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_terms_term", "terms", ["term", "event_id"])


def _attempts() -> None:
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
        sa.Column("answer", sa.Text()),
    )
    op.create_index("ix_attempts_at", "attempts", ["destination", "at"])


def _threads() -> None:
    op.create_table(
        "threads",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("delivery_id", sa.String(40)),
        sa.Column("kept", sa.Text()),
        sa.Column("newest_at", sa.BigInteger()),
        sa.Column("newest_event", sa.String(40)),
        sa.Column("holder", sa.String(80)),
        sa.Column("lease_until", sa.BigInteger()),
        sa.Column("used_at", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_threads_used", "threads", ["used_at"])
    op.create_index("ix_threads_delivery", "threads", ["delivery_id"])


def _destinations() -> None:
    op.create_table(
        "destinations",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("configured", sa.Boolean(), nullable=False, server_default=sa.text("true")),
        sa.Column("available_since", sa.BigInteger()),
        sa.Column("paused_at", sa.BigInteger()),
        sa.Column("paused_reason", sa.Text()),
        sa.Column("failures", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("probe_at", sa.BigInteger()),
        sa.Column("probes", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("throttled_until", sa.BigInteger()),
        sa.Column("throttled_count", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("rate_limited_until", sa.BigInteger()),
        sa.Column("failing_since", sa.BigInteger()),
        sa.Column("last_error", sa.Text()),
        sa.Column("last_answer", sa.Text()),
    )


def _alerts() -> None:
    op.create_table(
        "alerts",
        sa.Column("kind", sa.String(20), primary_key=True),
        sa.Column("subject", sa.Text(), primary_key=True),
        sa.Column("since", sa.BigInteger()),
        sa.Column("reason", sa.Text()),
        sa.Column("count", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
        sa.Column("notified_at", sa.BigInteger()),
        sa.Column("notified_count", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
        sa.Column("is_notified", sa.Boolean(), nullable=False, server_default=sa.text("false")),
    )


def _sources_refusals() -> None:
    op.create_table(
        "sources",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("accepted_at", sa.BigInteger()),
        sa.Column("refused_since", sa.BigInteger()),
        sa.Column("refused_at", sa.BigInteger()),
        sa.Column("refused", sa.Text()),
        sa.Column("clock_ahead_seconds", sa.Float()),
    )
    op.create_table(
        "refusals",
        sa.Column("source", sa.Text(), primary_key=True),
        sa.Column("code", sa.String(40), primary_key=True),
        sa.Column("hour", sa.BigInteger(), primary_key=True),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
    )


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("act", sa.String(10), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("actor", sa.String(20), nullable=False),
        sa.Column("address", sa.Text()),
        sa.Column("changed", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_audit_subject", "audit", ["subject", "id"])
    _partial("ix_audit_refused", "audit", "act = 'refused'", "id")
    op.create_table(
        "audit_subjects",
        sa.Column("subject", sa.Text(), primary_key=True),
        sa.Column("audit_id", sa.String(40), primary_key=True),
    )
    op.create_index("ix_audit_subjects_audit_id", "audit_subjects", ["audit_id"])
    op.create_table(
        "wrong_keys",
        sa.Column("address", sa.Text(), primary_key=True),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
    )


def _mirrors() -> None:
    op.create_table(
        "mirrors",
        sa.Column("destination", sa.Text(), primary_key=True),
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("rows", sa.BigInteger()),
        sa.Column("newest_at", sa.BigInteger()),
        sa.Column("backfilled_at", sa.BigInteger()),
        sa.Column("verified_at", sa.BigInteger()),
        sa.Column("missing", sa.BigInteger()),
        sa.Column("stale", sa.BigInteger()),
        sa.Column("extra", sa.BigInteger()),
    )


def _versions() -> None:
    op.create_table(
        "versions",
        sa.Column("version", sa.String(16), primary_key=True),
        sa.Column("files", sa.LargeBinary(), nullable=False),
        sa.Column("served_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
    )


def _workers_counters_settings() -> None:
    op.create_table(
        "workers",
        sa.Column("id", sa.String(80), primary_key=True),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "counters",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("labels", sa.Text(), primary_key=True),
        sa.Column("count", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "settings",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("value", sa.Text(), nullable=False),
    )
