"""PostgreSQL cleans up behind the queue before what was delivered slows the search for what is due.

Whoever looks for the oldest due row steps over the index entries of all that was drained since the last
vacuum. The usual fifth of the table lets them become hundreds of thousands where the history is long.
"""

from alembic import op

revision = "v1_0004"
down_revision = "v1_0003"


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "ALTER TABLE deliveries SET "
            "(autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000)"
        )
