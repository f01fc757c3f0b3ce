"""Rows in tables of the user's own, with the version of each object in `hub_versions` beside them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    and_,
    delete,
    insert,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.schema import CreateTable

from hub.errors import About, Pause, Retry
from hub.humanize import did_you_mean, listed
from hub.mirror.changes import Effect, OwnChange
from hub.mirror.engine.column_types import type_of
from hub.mirror.engine.engine import Engine
from hub.mirror.engine.failures import TableRefused
from hub.mirror.engine.own_columns import fitted, kind_of
from hub.mirror.refusals import (
    WRITES,
    lacks,
    part_of,
    reflected,
    refuse_the_hubs_own,
    waiting_for,
)
from hub.mirror.tables import Kind

_VERSIONS = "hub_versions"
_KEY = ("table", "object", "id")
_TIME_WIDTH = 16
"""Digits of a time in milliseconds, so that versions compare as texts do."""


class OwnTables:
    """The tables of the user's own in one database, looked at once and again after an error."""

    def __init__(self, engine: Engine, *, adds: bool) -> None:
        self._engine = engine
        self._adds = adds
        self._tables: dict[str, tuple[Table, Table]] = {}

    def write(self, change: OwnChange, *, keep: bool) -> Effect:
        """Write one change where it is newer than any before it."""
        table, versions = self._reflected(change.table)
        _raise_unknown(table, change.table, {*change.key, *change.values})
        key = _fitted(table, change.key)
        values = _fitted(table, change.values)
        if None in key.values():
            names = ", ".join(name for name, value in key.items() if value is None)
            raise Retry(f"the key of the row in {change.table} is empty: {names}", about=About.MESSAGE)
        try:
            return self._engine.run(
                lambda connection: self._write(connection, change, table, versions, key, values),
                keep=keep,
                written=[*key, *values],
            )
        except TableRefused as error:
            raise waiting_for(self._engine, error, dict.fromkeys((table, versions), WRITES)) from error

    def forget(self) -> None:
        """Let the next one look at the tables again."""
        self._tables = {}

    def lacks(self, part: str) -> bool:
        """Return True where what a part of `Pause.needs` names is still lacking, or versions beside it."""
        if lacks(self._engine, part):
            return True
        if not part.endswith("()"):
            return False
        name = part.partition("(")[0]
        try:
            self._versions(name.rpartition(".")[0] or None, name)
        except Pause:
            return True
        return False

    def columns_of(self, name: str) -> Mapping[str, Kind | None] | None:
        """Do as `Mirror.columns_of`."""
        table = self._engine.read(lambda connection: reflected(connection, name))
        return None if table is None else {column.name: kind_of(column.type) for column in table.columns}

    def _write(
        self,
        connection: Connection,
        change: OwnChange,
        table: Table,
        versions: Table,
        key: Mapping[str, Any],
        values: Mapping[str, Any],
    ) -> Effect:
        if not self._is_newest(connection, versions, change):
            return Effect.KEPT
        is_row = and_(*(table.c[name] == value for name, value in key.items()))
        if change.removes:
            _raise_several(connection.execute(delete(table).where(is_row)).rowcount, change)
        elif change.is_deletion and values:
            _raise_several(connection.execute(update(table).where(is_row).values(values)).rowcount, change)
        if change.is_deletion:
            return Effect.DELETED
        if _update(connection, table, is_row, key, values, change):
            return Effect.UPDATED
        connection.execute(insert(table).values({**key, **values}))
        return Effect.INSERTED

    def _is_newest(self, connection: Connection, versions: Table, change: OwnChange) -> bool:
        """Write the version, which is the lock of its object, and tell whether it is the greatest one."""
        statement = self._engine.insert(versions)
        incoming = self._engine.incoming(statement)
        written = {"version": incoming.version}
        keeps = self._engine.or_replace(statement, written, incoming.version >= versions.c.version)
        key = dict(zip(_KEY, (change.table, change.object, change.id), strict=True))
        connection.execute(keeps, {**key, "version": _version(change)})
        is_it = and_(*(versions.c[name] == value for name, value in key.items()))
        stored: str = connection.execute(select(versions.c.version).where(is_it)).scalar_one()
        return stored == _version(change)

    def _reflected(self, name: str) -> tuple[Table, Table]:
        pair = self._tables.get(name)
        if pair is None:
            self._engine.read(refuse_the_hubs_own)
            try:
                table = self._engine.read(lambda connection: reflected(connection, name))
            except TableRefused as error:
                rights = f"grant its role {listed(WRITES)} on it, and it goes on by itself"
                reason = f"{name} cannot be looked at ({error.reason}); {rights}"
                raise Pause(reason, needs=[part_of(name)]) from error
            if table is None:
                reason = f"there is no table {name}; make it, or correct the name in routes.yaml and retry"
                raise Pause(reason, needs=[part_of(name)])
            pair = self._tables[name] = (table, self._versions(table.schema, name))
        return pair

    def _versions(self, schema: str | None, name: str) -> Table:
        """Return the table of versions beside the table of that name, made where it is missing."""
        columns = (Column(name, type_of(Kind.ID)) for name in (*_KEY, "version"))
        arguments = self._engine.table_arguments()
        table = Table(
            _VERSIONS, MetaData(), *columns, PrimaryKeyConstraint(*_KEY), schema=schema, **arguments
        )
        statement = str(CreateTable(table).compile(dialect=self._engine.sql_dialect)).strip()
        words = ""
        try:
            if self._engine.read(lambda connection: inspect(connection).has_table(_VERSIONS, schema=schema)):
                return table
            if self._adds:
                self._engine.run(lambda connection: self._create(connection, table, statement))
                return table
        except TableRefused as error:
            words = f" for this role ({error.reason})"
        reason = f"there is no {_VERSIONS} beside {name}{words}; make it: {' '.join(statement.split())}"
        raise Pause(reason, needs=[part_of(name)])

    def _create(self, connection: Connection, table: Table, statement: str) -> None:
        self._engine.lock_for_changes(connection, _VERSIONS)
        try:
            if not inspect(connection).has_table(_VERSIONS, schema=table.schema):
                connection.execute(text(statement))
        finally:
            self._engine.unlock_after_changes(connection, _VERSIONS)


def _update(
    connection: Connection,
    table: Table,
    is_row: Any,
    key: Mapping[str, Any],
    values: Mapping[str, Any],
    change: OwnChange,
) -> bool:
    """Update the row that the key fits; False where there is none."""
    count: int = connection.execute(update(table).where(is_row).values(values or key)).rowcount
    _raise_several(count, change)
    return count == 1


def _raise_several(count: int, change: OwnChange) -> None:
    if count > 1:
        raise Retry(
            f"the key {', '.join(change.key)} fits {count} rows of {change.table}; it must fit one",
            about=About.MESSAGE,
        )


def _raise_unknown(table: Table, table_name: str, names: set[str]) -> None:
    for name in sorted(names - set(table.c.keys())):
        hint = did_you_mean(name, table.c.keys())
        reason = f"{table.fullname} has no column {name}{hint}; add it, or correct routes.yaml and retry"
        raise Pause(reason, needs=[part_of(table_name, name)])


def _fitted(table: Table, values: Mapping[str, Any]) -> dict[str, Any]:
    fit = {}
    for name, value in values.items():
        try:
            fit[name] = fitted(value, table.c[name].type)
        except (ValueError, OverflowError, ArithmeticError, TypeError) as error:
            raise Retry(
                f"a value does not fit the type of its column ({table.fullname}.{name})", about=About.MESSAGE
            ) from error
    return fit


def _version(change: OwnChange) -> str:
    """Return the version as a text that compares as versions do, a deletion after all that lives."""
    version = change.version
    times = (f"{max(0, time):0{_TIME_WIDTH}d}" for time in (version.updated_at, version.seen_at))
    return "".join(("z" if change.is_deletion else "a", *times, version.event_id))
