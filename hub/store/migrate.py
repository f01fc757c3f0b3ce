"""Schema migrations: a database is brought up to date, and one that this program cannot use is refused.

Revisions are named `v<major>_<number>`. Within a major version they only add, so a hub that was rolled
back runs on a database that a later release of the same major has already changed.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import sqlalchemy
from sqlalchemy import Connection

from hub.errors import StoreError
from hub.store.tables import metadata

_FOLDER = Path(__file__).with_name("migrations")
_MAJOR = "v1_"


def upgrade(connection: Connection) -> str | None:
    """Run the missing revisions in the connection's transaction.

    Returns the revision of a newer hub, for which nothing is run, else None; raises StoreError for another
    program's or another major version's.
    """
    from alembic import command
    from alembic.config import Config

    current = _current(connection)
    if current is None:
        _refuse_other_tables(connection)
    elif current not in _revisions():
        _refuse_foreign(current)
        return current
    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    return None


def check(connection: Connection) -> str | None:
    """Return None, or the revision of a newer hub with which this program can go on.

    Raises StoreError, saying what to do, where the schema is not one this program can use.
    """
    current = _current(connection)
    revisions = _revisions()
    if current is None:
        raise StoreError("the database is empty; make its tables with `hub migrate`")
    if current in revisions[:-1]:
        raise StoreError(f"the database is at {current}, older than this hub; run `hub migrate`")
    if current == revisions[-1]:
        return None
    _refuse_foreign(current)
    return current


def newer_revision(connection: Connection) -> str | None:
    """Return the revision of a newer hub; None for one of this hub's. The schema was checked before."""
    revision = _stored_revision(connection)
    return None if revision in _revisions() else revision


def _refuse_foreign(current: str) -> None:
    if not current.startswith(_MAJOR):
        raise StoreError(
            f"the database is at {current}, which this hub does not know: a newer version made it; "
            "deploy that version, or name another database in DATABASE_URL"
        )


def _refuse_other_tables(connection: Connection) -> None:
    taken = sorted(metadata.tables.keys() & set(sqlalchemy.inspect(connection).get_table_names()))
    if taken:
        raise StoreError(
            f"the database has another program's table {taken[0]}; name another database in DATABASE_URL"
        )


@cache
def _revisions() -> list[str]:
    """Return every revision that this program knows, oldest first."""
    files = sorted((_FOLDER / "versions").glob("v*.py"))
    return ["_".join(file.stem.split("_")[:2]) for file in files]


def _current(connection: Connection) -> str | None:
    if not sqlalchemy.inspect(connection).has_table("alembic_version"):
        return None
    return _stored_revision(connection)


def _stored_revision(connection: Connection) -> str | None:
    revision: str | None = connection.execute(
        sqlalchemy.text("SELECT version_num FROM alembic_version")
    ).scalar()
    return revision
