"""What every part of a transaction shares: the line to the database and the clock there."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, literal_column

from hub.model.delivery import State
from hub.store.engine.line import Line
from hub.store.tables import deliveries


class View:
    """What is done within one transaction, over its line to the database."""

    def __init__(self, line: Line) -> None:
        self._line = line

    @property
    def now(self) -> datetime:
        """When it began, by the clock that decides leases and due times."""
        return self._line.now

    @property
    def _connection(self) -> Connection:
        return self._line.connection

    @property
    def _skips_locked(self) -> bool:
        """Whether rows are locked one by one: SQLite has one writer at a time and needs none of it."""
        return self._line.is_remote

    def _locking(self, statement: Select[Any], *, skips: bool = False) -> Select[Any]:
        """The statement with its rows locked, where rows are locked one by one."""
        return statement.with_for_update(skip_locked=skips) if self._skips_locked else statement


def is_in(state: State) -> ColumnElement[bool]:
    """A delivery's state as a literal: SQLite uses a partial index only where it sees the value."""
    return deliveries.c.state == literal_column(f"'{state}'")
