"""The tables, the same on every dialect. A change here is a new file in `migrations/versions/`."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    literal_column,
    text,
)

from hub.model.delivery import State
from hub.store.column_types import Json, StorableText, Time


def is_in(state: State) -> ColumnElement[bool]:
    """Compare a delivery's state as a literal: SQLite uses a partial index only where it sees the value."""
    return deliveries.c.state == literal_column(f"'{state}'")


def is_owed_again() -> ColumnElement[bool]:
    """Select what waits for a retry that an operator asked for, by the index that has such alone."""
    return is_in(State.PENDING) & text("deliveries.tries = 0 AND deliveries.attempts > 0")


def is_stuck(state: State) -> ColumnElement[bool]:
    """Compare with `dead` or `held`, by the index that has both in the order of their ids."""
    return is_in(state) & text("deliveries.state IN ('dead', 'held')")


def _partial(name: str, where: str, *columns: str) -> Index:
    """Return an index of those rows alone for which `where` holds."""
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))


metadata = MetaData()

events = Table(
    "events",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("source", Text, nullable=False),
    Column("message_id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("version", String(16), comment="of the user's files, which decided its verdicts"),
    Column("object_key", Text, comment="kind and id of what it is about, as user/user_2x; empty without id"),
    Column("payload", LargeBinary, comment="as it came; empty once pruned"),
    Column("received_at", Time, nullable=False),
    Column("verdicts", Json, nullable=False, comment="what each route whose events fit said of it"),
    Column("blanked", Boolean, nullable=False, server_default=text("false"), comment="secrets were removed"),
    Column("owed", Integer, nullable=False, comment="its deliveries, pruned ones not included"),
    UniqueConstraint("source", "message_id", name="uq_events_message"),
    Index("ix_events_kind", "source", "type", "id"),
    _partial(
        "ix_events_object", "object_key IS NOT NULL AND payload IS NOT NULL", "object_key", "source", "id"
    ),
    _partial("ix_events_kept", "payload IS NOT NULL", "received_at"),
    _partial("ix_events_pruned", "payload IS NULL", "received_at"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("event_id", String(40), nullable=False),
    Column("event_type", Text, nullable=False),
    Column("route", Text, nullable=False),
    Column(
        "position", Integer, nullable=False, comment="which of its route's send blocks to its destination"
    ),
    Column("destination", Text, nullable=False),
    Column("version", String(16), comment="of the user's files, which decided it and renders it"),
    Column("send", Json, nullable=False, comment="the fields of its send block when it became owed"),
    Column("state", String(10), nullable=False),
    Column("reason", StorableText),
    Column("due_at", Time, comment="empty while it waits for what it needs, as is owed_since"),
    Column("owed_since", Time, comment="event, operator's retry or revival: for give_up_after"),
    Column("needs", Text, comment="what it waits for: variables, or tables; with commas between"),
    Column("valid_until", Time, comment="max_age: from then on it is not sent"),
    Column("attempts", Integer, nullable=False),
    Column("tries", Integer, nullable=False, comment="attempts since the schedule last began"),
    Column("message", Json, comment="rendered by the first attempt"),
    Column(
        "rendering",
        Integer,
        nullable=False,
        server_default=text("1"),
        comment="the number of times that its message was made, in idempotency keys",
    ),
    Column("degraded", StorableText, comment="why it went out in another form"),
    Column("accepted", Json, comment="recipients that have it already, or posts that are there"),
    Column("token", String(40), comment="who may settle it while it is being sent"),
    Column("lease_until", Time),
    Column("created_at", Time, nullable=False),
    Column("delivered_at", Time),
    Column("finished_at", Time, comment="delivered, cancelled or too old: for retention"),
    Index("ix_deliveries_event", "event_id"),
    Index("ix_deliveries_kind", "route", "destination", "id"),
    _partial("ix_deliveries_due", "state = 'pending'", "destination", "due_at", "owed_since"),
    _partial("ix_deliveries_first", "state = 'pending' AND tries = 0", "destination", "due_at"),
    _partial("ix_deliveries_retry", "state = 'pending' AND tries > 0", "destination", "due_at"),
    _partial(
        "ix_deliveries_again", "state = 'pending' AND tries = 0 AND attempts > 0", "destination", "due_at"
    ),
    _partial("ix_deliveries_sending", "state = 'sending'", "destination"),
    _partial("ix_deliveries_needs", "needs IS NOT NULL", "needs", "id"),
    _partial("ix_deliveries_stuck", "state IN ('dead', 'held')", "state", "id"),
    _partial("ix_deliveries_dead", "state = 'dead'", "destination", "id"),
    # All that is counted of what was delivered, which most rows are, is in this index.
    _partial(
        "ix_deliveries_delivered",
        "state = 'delivered'",
        "finished_at",
        "destination",
        "created_at",
        "delivered_at",
    ),
    _partial("ix_deliveries_cancelled", "state = 'cancelled'", "finished_at", "destination"),
    _partial("ix_deliveries_held", "state = 'held'", "destination", "id"),
    _partial("ix_deliveries_degraded", "degraded IS NOT NULL", "id", "destination"),
    _partial("ix_deliveries_ageing", "state = 'pending' AND valid_until IS NOT NULL", "valid_until"),
    _partial("ix_deliveries_too_old", "state = 'dead' AND finished_at IS NOT NULL", "finished_at"),
)

terms = Table(
    "terms",
    metadata,
    Column("event_id", String(40), primary_key=True),
    # By bytes, so that all terms with one beginning stand together.
    Column("term", Text().with_variant(Text(collation="C"), "postgresql"), primary_key=True),
    Index("ix_terms_term", "term", "event_id"),
    sqlite_with_rowid=False,
)

attempts = Table(
    "attempts",
    metadata,
    Column("delivery_id", String(40), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("destination", Text, nullable=False),
    Column("at", Time, nullable=False),
    Column("seconds", Float),
    Column("outcome", String(10), comment="empty while it is under way"),
    Column("status", Integer),
    Column("detail", StorableText),
    Column("answer", StorableText, comment="the start of what came back"),
    Index("ix_attempts_at", "destination", "at"),
)

threads = Table(
    "threads",
    metadata,
    Column("id", String(64), primary_key=True, comment="hash of destination, place and rendered key"),
    Column("destination", Text, nullable=False),
    Column("delivery_id", String(40), comment="whose message was the first"),
    Column("kept", Json, comment="what the destination's type keeps of the first message"),
    Column("newest_at", Time, comment="of the newest event that the first message shows"),
    Column("newest_event", String(40)),
    Column("holder", String(80), comment="delivery and claim token of whoever is sending in it"),
    Column("lease_until", Time, comment="as long as the holder may be alive"),
    Column("used_at", Time, nullable=False, comment="for retention"),
    Index("ix_threads_used", "used_at"),
    Index("ix_threads_delivery", "delivery_id"),
)

destinations = Table(
    "destinations",
    metadata,
    Column("name", Text, primary_key=True),
    Column("configured", Boolean, nullable=False, server_default=text("true")),
    Column("available_since", Time, comment="resumed or configured: give_up_after counts from here"),
    Column("paused_at", Time),
    Column("paused_reason", StorableText),
    Column("failures", Integer, nullable=False, server_default=text("0"), comment="in a row"),
    Column("probe_at", Time, comment="breaker open: when the next probe may go"),
    Column("probes", Integer, nullable=False, server_default=text("0"), comment="since it opened"),
    Column("throttled_until", Time, comment="it asked for a rest (429)"),
    Column("throttled_count", Integer, nullable=False, server_default=text("0"), comment="in a row"),
    Column("rate_limited_until", Time, comment="rate_limit: when the next message is due to go"),
    Column("failing_since", Time, comment="the first of the failures in a row"),
    Column("last_error", StorableText, comment="of the last of them, without one-time secrets"),
    Column("last_answer", StorableText, comment="the start of what came back with it"),
)

sources = Table(
    "sources",
    metadata,
    Column("name", Text, primary_key=True),
    Column("accepted_at", Time, comment="the last genuine request, ignored and duplicate ones too"),
    Column("refused_since", Time, comment="refused with complete headers, none accepted between them"),
    Column("refused_at", Time, comment="the last of them"),
    Column("refused", Json, comment="their number by code"),
    Column("clock_ahead_seconds", Float, comment="this machine's clock before the sender's"),
)

refusals = Table(
    "refusals",
    metadata,
    Column("source", Text, primary_key=True),
    Column("code", String(40), primary_key=True),
    Column("hour", Time, primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("last_at", Time, nullable=False),
)

workers = Table(
    "workers",
    metadata,
    Column("id", String(80), primary_key=True),
    Column("seen_at", Time, nullable=False),
)

counters = Table(
    "counters",
    metadata,
    Column("name", Text, primary_key=True, comment="a metric, for what was pruned from the other tables"),
    Column("labels", Text, primary_key=True),
    Column("count", BigInteger, nullable=False),
)

settings = Table(
    "settings",
    metadata,
    Column("name", Text, primary_key=True, comment="such as session_key"),
    Column("value", Text, nullable=False),
)

versions = Table(
    "versions",
    metadata,
    Column("version", String(16), primary_key=True),
    Column("files", LargeBinary, nullable=False, comment="routes.yaml and the templates, as they were"),
    Column("served_at", Time, nullable=False, comment="when it last began to; 1970 where it never did"),
    Column("seen_at", Time, nullable=False, comment="when a process last said that it goes by it"),
)

alerts = Table(
    "alerts",
    metadata,
    Column("kind", String(20), primary_key=True),
    Column("subject", Text, primary_key=True, comment="the destination or source; empty for the hub"),
    Column("since", Time, comment="empty while all is right again"),
    Column("reason", StorableText),
    Column("count", BigInteger, nullable=False, server_default=text("0"), comment="since it began"),
    Column("notified_at", Time, comment="when it was last told; for at most once an hour"),
    Column("notified_count", BigInteger, nullable=False, server_default=text("0")),
    Column("is_notified", Boolean, nullable=False, server_default=text("false"), comment="recovery is owed"),
)

audit = Table(
    "audit",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("at", Time, nullable=False),
    Column("act", String(10), nullable=False),
    Column("subject", Text, nullable=False, comment="a delivery, an event, a destination or the hub"),
    Column("actor", String(20), nullable=False, comment="session, key or command line"),
    Column("address", Text, comment="empty on the command line"),
    Column("changed", BigInteger, nullable=False, comment="deliveries, or keys that were refused"),
    Index("ix_audit_subject", "subject", "id"),
    _partial("ix_audit_refused", "act = 'refused'", "id"),
)

audit_subjects = Table(
    "audit_subjects",
    metadata,
    Column("subject", Text, primary_key=True, comment="one of those that an act on many was done to"),
    Column("audit_id", String(40), primary_key=True, index=True),
)

mirrors = Table(
    "mirrors",
    metadata,
    Column("destination", Text, primary_key=True),
    Column("name", Text, primary_key=True, comment="of a table of the mirror"),
    Column("rows", BigInteger, comment="not deleted ones, as of the last backfill or comparison"),
    Column("newest_at", Time, comment="when a row was last written, as of then"),
    Column("backfilled_at", Time),
    Column("verified_at", Time),
    Column("missing", BigInteger, comment="rows that differed from Clerk; empty where nobody compared"),
    Column("stale", BigInteger),
    Column("extra", BigInteger),
)

wrong_keys = Table(
    "wrong_keys",
    metadata,
    Column("address", Text, primary_key=True),
    Column("since", Time, nullable=False, comment="the beginning of its minute"),
    Column("count", BigInteger, nullable=False),
)
