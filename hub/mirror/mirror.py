"""A mirror: the one way in which its tables are read and written."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

from sqlalchemy import Table

from hub.catalog.event_types import read_sample
from hub.errors import Pause, Reject
from hub.mirror.changes import Change, Effect, OwnChange
from hub.mirror.changing import Changing
from hub.mirror.engine.engine import Engine
from hub.mirror.engine.failures import TableRefused
from hub.mirror.engine.open import open_engine
from hub.mirror.engine.sql_tables import SqlTables
from hub.mirror.own_tables import OwnTables
from hub.mirror.parents import Parents
from hub.mirror.readiness import Readiness
from hub.mirror.reads import Reads
from hub.mirror.refusals import DELETES, WRITES, is_of_table, waiting_for
from hub.mirror.tables import Kind, tables
from hub.mirror.writes import Writes
from hub.transport.certificates import NO_CERTIFICATES, Certificates
from hub.transport.deadline import deadline_after

T = TypeVar("T")

SAMPLES_INSTANCE: str = read_sample("Envelope")["instance_id"]
"""The instance of the catalog's samples, which are nobody's objects."""

_READ_LIMIT_BYTES = 256 * 1024 * 1024


class OnDelete(StrEnum):
    """The fate of a deleted object's columns: they stay, or are cleared of all but the id."""

    MARK = "mark"
    BLANK = "blank"


class Migration(StrEnum):
    """The one who changes tables: the mirror, or a person by the statements that it prints."""

    AUTO = "auto"
    PRINT = "print"


@dataclass(frozen=True, kw_only=True)
class MirrorOptions:
    """A mirror's place and rules. `connections` are the most it opens; `tables` without those of sets."""

    url: str = field(repr=False)
    certificates: Certificates = NO_CERTIFICATES
    schema: str = "clerk"
    tables: tuple[str, ...]
    on_delete: OnDelete = OnDelete.MARK
    leave_out: tuple[str, ...] = ("private_metadata", "unsafe_metadata")
    migrate: Migration = Migration.AUTO
    connections: int = 4


class Mirror:
    """The tables of one mirror. Every method raises Retry, Reject or Pause of `hub.errors`.

    Nothing is connected before it is needed. `timeout_seconds` is wall clock over all of a call.
    """

    def __init__(self, options: MirrorOptions, engine: Engine, name: str = "") -> None:
        self.options = options
        self._engine = engine
        blanks = options.on_delete is OnDelete.BLANK
        self._tables = SqlTables(engine, options.schema, options.tables, blanks=blanks)
        self._writes = Writes(engine, self._tables, Parents(engine, self._tables), blanks=blanks)
        self._reads = Reads(engine, self._tables)
        adds = options.migrate is Migration.AUTO
        self._readiness = Readiness(engine, self._tables, schema=options.schema, adds=adds, name=name)
        self._own_tables = OwnTables(engine, adds=adds)
        self._changing = Changing(engine, self._tables, self._writes)
        self._owner: str | None = None

    def apply(
        self, change: Change, *, instance_id: str | None, timeout_seconds: float, keep: bool = True
    ) -> Effect:
        """Write one change of an instance's object; with `keep` False nothing is kept, nor claimed."""
        with _within(timeout_seconds):

            def work() -> Effect:
                if keep and instance_id is not None:
                    self._claim(instance_id)
                return self._changing.apply([change], {}, keep=keep)[0]

            return self._with_tables(self._written_by([change]), work)

    def apply_page(
        self, changes: Sequence[Change], *, state: Mapping[str, Any], timeout_seconds: float
    ) -> list[Effect]:
        """Write changes of one table, and then what `keep_state` would; return the effect of each.

        A kill in between lets a page be written again, which changes nothing.
        """
        with _within(timeout_seconds):
            names = self._written_by(changes)
            return self._with_tables(names, lambda: self._changing.apply(changes, state, keep=True))

    def revive(self, change: Change, *, timeout_seconds: float) -> Effect:
        """Write a change of an object that Clerk has shown to be alive, without its deletion."""
        with _within(timeout_seconds):
            return self._with_tables(self._written_by([change]), lambda: self._changing.revive(change))

    def write(self, change: OwnChange, *, timeout_seconds: float, keep: bool = True) -> Effect:
        """Write one change of a table of the user's own; with `keep` False it is rolled back.

        The versions are kept beside it, in `hub_versions`. Raises Retry about the message for a key that fits
        several rows.
        """
        with _within(timeout_seconds):
            try:
                return self._own_tables.write(change, keep=keep)
            except Pause:
                # Somebody may have changed the table since it was looked at.
                self._own_tables.forget()
                return self._own_tables.write(change, keep=keep)

    def migrate(self, *, timeout_seconds: float) -> list[str]:
        """Add what is missing, also where a person does so else; return the statements that ran."""
        with _within(timeout_seconds):
            self._readiness.forget()
            return self._readiness.migrate()

    def pending(self, *, timeout_seconds: float) -> list[str]:
        """Return the statements that would add what is missing."""
        with _within(timeout_seconds):
            return self._readiness.pending()

    def lacking(self, parts: Collection[str], *, timeout_seconds: float) -> set[str]:
        """Return those of the parts, as `Pause.needs` has them, that are lacking or take no rows."""
        own = {part for part in parts if is_of_table(part)}
        with _within(timeout_seconds):
            lacking = {part for part in own if self._own_tables.lacks(part)}
            return lacking | (self._readiness.lacking(set(parts) - own) if set(parts) - own else set())

    def columns_of(self, table: str, *, timeout_seconds: float) -> Mapping[str, Kind | None] | None:
        """Return the columns of a table of the user's own, None for a type that nothing here is made for.

        None where there is no such table.
        """
        with _within(timeout_seconds):
            return self._own_tables.columns_of(table)

    def claim_instance(self, instance_id: str, *, timeout_seconds: float) -> None:
        """Make the mirror that of an instance. Raises Pause where it is another's, Reject for the samples."""
        with _within(timeout_seconds):
            self._with_tables([], lambda: self._claim(instance_id))

    def live(
        self, table: str, after: int | None, until: int | None, *, timeout_seconds: float
    ) -> list[dict[str, Any]]:
        """Return the ids, and those of their parents, of rows created in (after, until] and not deleted.

        Milliseconds; None is no bound. Rows without `created_at` are those with no `until`.
        """
        with _within(timeout_seconds):
            return self._with_tables([table], lambda: self._reads.live_within(table, after, until))

    def find(self, table: str, ids: Iterable[str], *, timeout_seconds: float) -> dict[str, dict[str, Any]]:
        """Return the rows of these ids that there are.

        Values are as in a change, the mirror's own among them; without `raw`.
        """
        with _within(timeout_seconds):
            rows = self._with_tables([table], lambda: self._reads.by_ids(table, "id", ids))
        return {row["id"]: row for row in rows}

    def set_rows(
        self, table: str, owners: Iterable[str], *, timeout_seconds: float
    ) -> dict[str, list[dict[str, Any]]]:
        """Return the rows of a set, such as `user_emails`, by the ids of those that they belong to."""
        with _within(timeout_seconds):
            rows = self._with_tables([table], lambda: self._reads.by_ids(table, "user_id", owners))
        members: dict[str, list[dict[str, Any]]] = {}
        for row in rows:
            members.setdefault(row["user_id"], []).append(row)
        return members

    def strays(self, table: str, owners: str, *, timeout_seconds: float) -> set[str]:
        """Return whom rows of a set belong to that have no row among these owners, or a deleted one."""
        with _within(timeout_seconds):
            return self._with_tables([table, owners], lambda: self._reads.strays(table, owners))

    def tombstones(self, table: str, ids: Iterable[str], *, timeout_seconds: float) -> dict[str, int]:
        """Return the times of these objects' deletions, in milliseconds, of those that were deleted."""
        with _within(timeout_seconds):
            return self._with_tables([], lambda: self._reads.tombstones(table, ids))

    def count(self, table: str, *, timeout_seconds: float) -> int:
        """Return how many rows of a table are not deleted."""
        with _within(timeout_seconds):
            return self._with_tables([table], lambda: self._reads.count(table))

    def newest(self, table: str, *, timeout_seconds: float) -> int | None:
        """Return when a row of a table was last written, in milliseconds; None where none was."""
        with _within(timeout_seconds):
            return self._with_tables([table], lambda: self._reads.newest(table))

    def state(self, name: str, *, timeout_seconds: float) -> Any:
        """Return a JSON value that was kept under a name; None where there is none."""
        with _within(timeout_seconds):
            return self._with_tables([], lambda: self._reads.state(name))

    def keep_state(self, name: str, value: Any, *, timeout_seconds: float) -> None:
        """Keep a JSON value under a name in the mirror's database; None forgets it."""
        with _within(timeout_seconds):
            self._with_tables([], lambda: self._changing.keep_state({name: value}))

    def close(self) -> None:
        """Close every connection."""
        self._engine.close()

    def _written_by(self, changes: Sequence[Change]) -> set[str]:
        """Return the tables that changes write to: a deletion also to those of what hangs on the object."""
        names = {change.table for change in changes}
        deleted = {change.table for change in changes if change.deleted_at is not None}
        children = {
            name
            for name in self._tables.mirrored
            if any(parent.table in deleted for parent in tables()[name].parents)
        }
        return names.union(children, *(self._tables.sets_of(name) for name in names))

    def _with_tables(self, names: Collection[str], work: Callable[[], T]) -> T:
        """Run the work once its tables are there; again where somebody changed one since."""

        def attempt() -> T:
            self._readiness.check(names)
            return work()

        try:
            return attempt()
        except TableRefused:
            self._readiness.forget()
        try:
            return attempt()
        except TableRefused as error:
            raise waiting_for(self._engine, error, self._rights(names)) from error

    def _rights(self, names: Collection[str]) -> Mapping[Table, Sequence[str]]:
        """Return the rights that it takes to write these tables, of which sets lose rows."""
        own = {table: WRITES for table in self._tables.own if table is not self._tables.states}
        mirrored = self._tables.mirrored
        return own | {
            mirrored[name]: DELETES if tables()[name].items else WRITES
            for name in sorted(mirrored.keys() & names)
        }

    def _claim(self, instance_id: str) -> None:
        """Do as `claim_instance`; the one that has claimed it before is not looked up again."""
        if instance_id == SAMPLES_INSTANCE:
            raise Reject(
                "a sample: its instance_id is that of the catalog's samples, which no mirror takes; "
                "`hub trigger --set instance_id=…` gives it another"
            )
        if instance_id == self._owner:
            return
        owner = self._changing.claim(instance_id)
        if owner != instance_id:
            raise Pause(
                f"the mirror belongs to Clerk's instance {owner}, and this is of {instance_id}; name another "
                "schema or database for it, or empty the tables and `_mirror`"
            )
        self._owner = owner


def open_mirror(options: MirrorOptions, name: str = "") -> Mirror:
    """Return the mirror of these options; nothing is connected yet.

    `name` is its destination, as the cures of its errors name it.
    Raises Pause for a URL that is none, and for a driver that is not installed.
    """
    engine = open_engine(options.url, options.connections, options.certificates)
    return Mirror(options, engine, name)


@contextmanager
def _within(seconds: float) -> Iterator[None]:
    """Let the block take so long, and read pages of rows, which are longer than any answer to a message."""
    with deadline_after(seconds) as deadline:
        deadline.received_limit_bytes = _READ_LIMIT_BYTES
        yield
