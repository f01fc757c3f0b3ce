"""How many deliveries each event is owed, and the troubles that `problems:` tells of."""

import sqlalchemy as sa
from alembic import op

revision = "v1_0002"
down_revision = "v1_0001"


def upgrade() -> None:
    op.add_column("events", sa.Column("owed", sa.Integer()))
    op.create_index(
        "ix_deliveries_dead",
        "deliveries",
        ["destination"],
        sqlite_where=sa.text("state = 'dead'"),
        postgresql_where=sa.text("state = 'dead'"),
    )
    op.create_table(
        "troubles",
        sa.Column("kind", sa.String(20), primary_key=True),
        sa.Column("subject", sa.Text(), primary_key=True),
        sa.Column("since", sa.BigInteger()),
        sa.Column("reason", sa.Text()),
        sa.Column("count", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
        sa.Column("told_at", sa.BigInteger()),
        sa.Column("told_count", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
        sa.Column("is_told", sa.Boolean(), nullable=False, server_default=sa.text("false")),
    )
