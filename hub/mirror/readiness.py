"""Tables that are there before a row is written: missing ones are added, or waited for."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, Table, inspect, text

from hub.errors import Pause, Retry
from hub.mirror.engine.additions import Additions, missing
from hub.mirror.engine.engine import Engine
from hub.mirror.engine.sql_tables import SqlTables
from hub.mirror.tables import Kind
from hub.transport.deadline import current_deadline

_HUBS_TABLES = {"alembic_version", "deliveries", "attempts"}
"""Of the hub's own store: a database that has them is one."""


class Readiness:
    """The state of a mirror's tables, looked at once and again after an error said that one is gone.

    Everything is to be called within `deadline_after` and raises SendError.
    """

    def __init__(self, engine: Engine, tables: SqlTables, *, schema: str, adds: bool) -> None:
        self._engine = engine
        self._tables = tables
        self._schema = schema
        self._adds = adds
        self._lock = threading.Lock()
        self._additions: Additions | None = None

    def check(self, names: Iterable[str]) -> None:
        """Raise Pause where a row of one of these tables cannot be written until somebody acts."""
        additions = self._current()
        for name in names:
            if name in additions.unfit:
                raise Pause(f"{additions.unfit[name]}; it is left as it is")
        if additions.all():
            self.forget()
            raise Pause(
                f"{len(additions.all())} changes of its tables wait to be made by you; "
                "`hub sync schema --sql` shows them; resume the destination after that"
            )

    def forget(self) -> None:
        """Let the next one look again."""
        self._additions = None

    def pending(self) -> list[str]:
        """Return the statements that would add what is missing."""
        return self._engine.read(self._look).all()

    def migrate(self) -> list[str]:
        """Add what is missing, one process at a time; return the statements that ran."""
        if not self._engine.read(self._look).all():
            return []
        return self._added()

    def unfit(self) -> Mapping[str, str]:
        """Return a sentence on each table whose values cannot be written, by its name."""
        return self._engine.read(self._look).unfit

    def _current(self) -> Additions:
        additions = self._additions
        if additions is not None:
            return additions
        if not self._lock.acquire(timeout=current_deadline().remaining_seconds()):
            raise Retry("its tables are still being looked at")
        try:
            if self._additions is None:
                self._additions = self._looked_at()
            return self._additions
        finally:
            self._lock.release()

    def _looked_at(self) -> Additions:
        self._engine.read(self._refuse_the_hubs_own)
        additions = self._engine.read(self._look)
        if additions.all() and self._adds:
            self._added()
            return Additions(unfit=additions.unfit)
        return additions

    def _added(self) -> list[str]:
        try:
            return self._engine.run(self._add)
        except Pause as error:
            raise Pause(
                f"its tables cannot be made in {self._schema}: {error.reason}; grant that, "
                "or let a role that may run what `hub sync schema --sql` shows"
            ) from error

    def _refuse_the_hubs_own(self, connection: Connection) -> None:
        if set(inspect(connection).get_table_names()) >= _HUBS_TABLES:
            raise Pause("its url names a database of the hub's own store; name another one")

    def _look(self, connection: Connection) -> Additions:
        return missing(connection, self._engine, self._wanted())

    def _add(self, connection: Connection) -> list[str]:
        """Look again under the lock, and run what is missing then."""
        self._engine.lock_for_changes(connection, self._schema)
        try:
            statements = self._look(connection).all()
            for statement in statements:
                connection.execute(text(statement.replace(":", r"\:")))
        finally:
            self._engine.unlock_after_changes(connection, self._schema)
        return statements

    def _wanted(self) -> dict[str, tuple[Table, Mapping[str, Kind]]]:
        wanted: dict[str, tuple[Table, Mapping[str, Kind]]] = {}
        for table in self._tables.own:
            wanted[table.name] = (table, {})
        for name, table in self._tables.mirrored.items():
            wanted[name] = (table, self._tables.kinds(name))
        return wanted
