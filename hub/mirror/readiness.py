"""Tables that are there before a row is written: missing ones are added, or waited for."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from sqlalchemy import Connection, Table, text

from hub.errors import Pause, Retry
from hub.humanize import listed
from hub.mirror.engine.additions import Additions, missing
from hub.mirror.engine.engine import Engine
from hub.mirror.engine.failures import TableRefused
from hub.mirror.engine.sql_tables import SqlTables
from hub.mirror.refusals import refuse_the_hubs_own
from hub.mirror.tables import Kind
from hub.transport.deadline import current_deadline

_SCHEMA = ""
"""The name that additions have the schema's statement under."""


class Readiness:
    """The state of a mirror's tables, looked at once and again where a row could not be written by it.

    Everything is to be called within `deadline_after` and raises SendError. `name` is the mirror's
    destination, for the command that prints what is missing.
    """

    def __init__(self, engine: Engine, tables: SqlTables, *, schema: str, adds: bool, name: str) -> None:
        self._command = f"hub sync schema --sql{name and f' --to {name}'}"
        self._engine = engine
        self._tables = tables
        self._schema = schema
        self._adds = adds
        self._lock = threading.Lock()
        self._additions: Additions | None = None

    def check(self, names: Collection[str]) -> None:
        """Raise Pause where a row of one of these tables cannot be written until somebody acts.

        What needs other tables goes on meanwhile.
        """
        known = self._additions
        additions = known or self._current()
        if known is not None and self._obstacle(known, names):
            # Somebody may have changed the tables since.
            self.forget()
            additions = self._current()
        obstacle = self._obstacle(additions, names)
        if obstacle:
            raise Pause(obstacle, needs=[name for name in names if self._obstacle(additions, [name])])

    def lacking(self, names: Collection[str]) -> set[str]:
        """Return those of these tables that no row can be written to, as of now."""
        self.forget()
        additions = self._current()
        return {name for name in names if self._obstacle(additions, [name])}

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
        try:
            return self._engine.run(self._add)
        except Pause as error:
            raise Pause(
                f"its tables cannot be made in {self._schema}: {error.reason}; grant that, "
                f"or run what `{self._command}` prints as a role that may"
            ) from error

    def _obstacle(self, additions: Additions, names: Iterable[str]) -> str:
        """Return what keeps rows of these tables from being written and what to do; empty for nothing.

        Where that is something that all of them need it stands for the rest.
        """
        for needed in ([_SCHEMA], [table.name for table in self._tables.own], names):
            things = [thing for name in needed for thing in additions.lacking.get(name, ())]
            words = sorted({additions.refused[name] for name in needed if name in additions.refused})
            faults = [additions.unfit[name] for name in needed if name in additions.unfit]
            cures = ["change that"] if faults else []
            if things:
                refusal = f" and cannot be added here ({', '.join(words)})" if words else ""
                faults.append(f"{listed(things)} {'is' if len(things) == 1 else 'are'} missing{refusal}")
                by_whom = " as a role that may, or grant this one that" if words else ""
                cures.append(f"run what `{self._command}` prints{by_whom}")
            if faults:
                return f"{', and '.join(faults)}; {' and '.join(cures)}, and it goes on by itself"
        return ""

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
        self._engine.read(refuse_the_hubs_own)
        additions = self._engine.read(self._look)
        if not (additions.all() and self._adds):
            return additions
        try:
            self._engine.run(self._add)
        except TableRefused as error:
            return self._with_refusals(additions, error.reason)
        return Additions(unfit=additions.unfit)

    def _with_refusals(self, additions: Additions, words: str) -> Additions:
        """Add the rest where the database refuses something; return what is still missing, and its words."""
        if _SCHEMA in additions.statements:
            return replace(additions, refused={_SCHEMA: words})
        refused = {name: words for name in additions.statements if (words := self._refusal(name))}
        return replace(self._engine.read(self._look), refused=refused)

    def _refusal(self, name: str) -> str:
        """Add what one table lacks; return the words in which the database refuses that, empty for none."""
        try:
            self._engine.run(lambda connection: self._add(connection, name))
        except TableRefused as error:
            return error.reason
        return ""

    def _look(self, connection: Connection, only: str | None = None) -> Additions:
        wanted = self._wanted()
        return missing(connection, self._engine, wanted if only is None else {only: wanted[only]})

    def _add(self, connection: Connection, only: str | None = None) -> list[str]:
        """Look again under the lock, and run what is missing then, of one table or of all."""
        self._engine.lock_for_changes(connection, self._schema)
        try:
            statements = self._look(connection, only).all()
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
