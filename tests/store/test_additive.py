"""Within a major version a migration only adds, so that the release before runs on what a later one made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, MetaData, insert, inspect, select, text

from hub.store.migrate import _FOLDER
from hub.store.open import open_store

Schema = Mapping[tuple[str, str, str], Any]
"""Return a schema's objects by kind, table and name, each with all that matters of it."""

VALUES: dict[str, Any] = {"INTEGER": 1, "BIGINT": 1, "FLOAT": 1.5, "DOUBLE PRECISION": 1.5, "BOOLEAN": False}
VALUES |= dict.fromkeys(("BLOB", "BYTEA"), b"{}")
"""A value for a column of each type; text for all others."""


@pytest.fixture
def engine(empty_url: str) -> Iterator[Engine]:
    """A database whose tables are those of the first revision."""
    store = open_store(empty_url)
    store.migrate()
    with store._engine.begin() as connection:
        existing = MetaData()
        existing.reflect(connection)
        existing.drop_all(connection)
        upgrade(connection, "v1_0001")
    yield store._engine
    store.close()


def scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(alembic_config())


def alembic_config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    return config


def upgrade(connection: Connection, revision: str) -> None:
    config = alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def revisions() -> list[str]:
    """All of this major version, oldest first."""
    names = [script.revision for script in scripts().walk_revisions()]
    return [name for name in reversed(names) if name.startswith("v1_")]


def schema(connection: Connection) -> Schema:
    looking = inspect(connection)
    parts: dict[tuple[str, str, str], Any] = {}
    for table in looking.get_table_names():
        parts["table", table, ""] = looking.get_pk_constraint(table)["constrained_columns"]
        for column in looking.get_columns(table):
            described = {"type": str(column["type"]), "nullable": column["nullable"]}
            parts["column", table, column["name"]] = described | {"default": column["default"]}
        for index in looking.get_indexes(table):
            kind = "unique" if index["unique"] else "index"
            where = index["dialect_options"].get(f"{connection.dialect.name}_where")
            parts[kind, table, index["name"] or ""] = (index["column_names"], str(where))
        for unique in looking.get_unique_constraints(table):
            parts["unique", table, unique["name"] or ""] = unique["column_names"]
        for foreign in looking.get_foreign_keys(table):
            parts["foreign key", table, str(foreign["constrained_columns"])] = foreign["referred_table"]
        for check in looking.get_check_constraints(table):
            parts["check", table, check["name"] or ""] = check["sqltext"]
    for table, name in connection.execute(text(TRIGGERS[connection.dialect.name])):
        parts["trigger", table, name] = ""
    return parts


TRIGGERS = {
    "sqlite": "SELECT tbl_name, name FROM sqlite_master WHERE type = 'trigger'",
    "postgresql": "SELECT tgrelid::regclass::text, tgname FROM pg_trigger WHERE NOT tgisinternal",
}


def broken_by(before: Schema, after: Schema) -> list[str]:
    """Return the problems that a later schema makes for a program that knows only the earlier one."""
    problems = [f"{' '.join(part)} is gone" for part in before.keys() - after.keys()]
    problems += [
        f"{' '.join(part)} is another" for part in before.keys() & after.keys() if before[part] != after[part]
    ]
    for part in after.keys() - before.keys():
        kind, table, _ = part
        is_optional = kind == "column" and (after[part]["nullable"] or after[part]["default"] is not None)
        if ("table", table, "") in before and kind != "index" and not is_optional:
            problems.append(f"{' '.join(part)} is new")
    return sorted(problems)


def rows(connection: Connection, tables: MetaData) -> dict[str, list[Any]]:
    """Return all rows of those tables, in their columns."""
    return {
        table.name: [tuple(row) for row in connection.execute(select(table))]
        for table in tables.sorted_tables
        if table.name != "alembic_version"
    }


def insert_a_row_into_every_table(connection: Connection, tables: MetaData, text_: str) -> None:
    for table in tables.sorted_tables:
        if table.name != "alembic_version":
            values: dict[str, Any] = {c.name: VALUES.get(str(c.type), text_) for c in table.columns}
            connection.execute(insert(table).values(values))


def test_no_migration_takes_away_or_asks_for_more(engine: Engine) -> None:
    with engine.begin() as connection:
        first = MetaData()
        first.reflect(connection)
        insert_a_row_into_every_table(connection, first, "kept")
        kept = rows(connection, first)
        for revision in revisions()[1:]:
            before = schema(connection)
            upgrade(connection, revision)

            assert (revision, broken_by(before, schema(connection))) == (revision, [])
            assert (revision, rows(connection, first)) == (revision, kept)

    assert len(kept) == 17
    assert all(len(rows) == 1 for rows in kept.values())


def test_every_earlier_release_writes_and_reads_on_the_newest_tables(engine: Engine) -> None:
    known = {}
    with engine.begin() as connection:
        for revision in revisions():
            upgrade(connection, revision)
            known[revision] = MetaData()
            known[revision].reflect(connection)
        for revision, tables in known.items():
            insert_a_row_into_every_table(connection, tables, revision)
            written = rows(connection, tables)

            assert all(any(revision in row for row in rows) for rows in written.values())


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("ALTER TABLE events DROP COLUMN verdicts", "column events verdicts is gone"),
        ("ALTER TABLE events RENAME COLUMN type TO kind", "column events type is gone"),
        ("ALTER TABLE settings RENAME TO kept", "table settings  is gone"),
        ("DROP INDEX ix_deliveries_due", "index deliveries ix_deliveries_due is gone"),
        ("CREATE UNIQUE INDEX one_each ON deliveries (event_id)", "unique deliveries one_each is new"),
    ],
)
def test_a_migration_that_would_break_the_release_before_is_found(
    engine: Engine, change: str, problem: str
) -> None:
    with engine.begin() as connection:
        before = schema(connection)
        connection.exec_driver_sql(change)

        assert problem in broken_by(before, schema(connection))


@pytest.mark.parametrize(
    ("column", "problems"),
    [
        ("size INTEGER", []),
        ("size INTEGER NOT NULL DEFAULT 0", []),
        ("size INTEGER NOT NULL", ["column events size is new"]),
        ("size INTEGER CHECK (size > 0)", ["check events"]),
    ],
)
def test_a_new_column_must_be_optional(engine: Engine, column: str, problems: list[str]) -> None:
    with engine.begin() as connection:
        before = schema(connection)
        connection.exec_driver_sql(f"ALTER TABLE events ADD COLUMN {column}")
        broken = broken_by(before, schema(connection))

    assert len(broken) == len(problems)
    assert all(message.startswith(problem) for message, problem in zip(broken, problems, strict=True))
