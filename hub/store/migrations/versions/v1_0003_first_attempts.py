"""First attempts that are due are found however many retries are due before them."""

import sqlalchemy as sa
from alembic import op

revision = "v1_0003"
down_revision = "v1_0002"


def upgrade() -> None:
    op.create_index(
        "ix_deliveries_first",
        "deliveries",
        ["destination", "due_at"],
        sqlite_where=sa.text("state = 'pending' AND tries = 0"),
        postgresql_where=sa.text("state = 'pending' AND tries = 0"),
    )
