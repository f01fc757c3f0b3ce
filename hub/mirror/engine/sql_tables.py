"""The tables of a mirror as SQLAlchemy's, named and placed as its database has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property

from sqlalchemy import Column, Index, Integer, MetaData, PrimaryKeyConstraint, Table

from hub.mirror import tables as catalog
from hub.mirror.engine.column_types import type_of
from hub.mirror.engine.engine import Engine
from hub.mirror.tables import Kind

VERSION = ("_updated_at", "_seen_at", "_event_id")
"""The columns of a version, the most significant first."""


class SqlTables:
    """The tables of one mirror: in a schema of PostgreSQL, elsewhere with its name before theirs.

    `mirrored` are by the catalog's names, those of sets among them. With `blanks` deleted rows are cleared.
    """

    def __init__(self, engine: Engine, schema: str, names: Iterable[str], *, blanks: bool = False) -> None:
        self.metadata = MetaData(schema=schema if engine.create_schema(schema) else None)
        self._engine = engine
        self._blanks = blanks
        self._prefix = "" if self.metadata.schema else f"{schema}_"
        with_sets = [member for name in names for member in (name, *catalog.tables()[name].sets)]
        self.mirrored: Mapping[str, Table] = {
            name: self._mirrored(catalog.tables()[name]) for name in with_sets
        }
        self.tombstones = self._own(
            "_tombstones",
            Column("kind", type_of(Kind.ID)),
            Column("id", type_of(Kind.ID)),
            Column("deleted_at", type_of(Kind.TIME)),
            key=("kind", "id"),
        )
        self.parents = self._own(
            "_parents",
            *(Column(name, type_of(Kind.ID)) for name in ("kind", "parent", "id")),
            key=("kind", "parent", "id"),
        )
        self.instance = self._own(
            "_mirror",
            Column("only", Integer(), autoincrement=False),
            Column("instance_id", type_of(Kind.TEXT)),
            key=("only",),
        )
        self.states = self._own(
            "_state", Column("name", type_of(Kind.ID)), Column("value", type_of(Kind.JSON)), key=("name",)
        )

    @cached_property
    def own(self) -> tuple[Table, ...]:
        """Those that no object of Clerk's stands in."""
        return (self.tombstones, self.instance, self.states, *([self.parents] if self._blanks else []))

    def sets_of(self, name: str) -> tuple[str, ...]:
        """Return the sets whose rows are written with those of a table."""
        return catalog.tables()[name].sets

    def kinds(self, name: str) -> dict[str, Kind]:
        """Return the kinds of a mirrored table's columns."""
        return {column.name: column.kind for column in catalog.tables()[name].columns}

    def _mirrored(self, table: catalog.Table) -> Table:
        columns = [Column(column.name, type_of(column.kind)) for column in table.columns]
        made = self._own(table.name, *columns, key=table.key)
        names = {column.name for column in table.columns}
        if "created_at" in names and "deleted_at" in names:
            self._index(made, ("created_at", "id"))
        for parent in table.parents:
            self._index(made, (parent.column,))
        return made

    def _own(self, name: str, *columns: Column[object], key: tuple[str, ...]) -> Table:
        return Table(
            f"{self._prefix}{name}",
            self.metadata,
            *columns,
            PrimaryKeyConstraint(*key),
            **self._engine.table_arguments(),
        )

    def _index(self, table: Table, names: tuple[str, ...]) -> None:
        Index("_".join((table.name, *names)), *(table.c[name] for name in names))
