"""Mirrors, changes of their rows, and the state that a history of changes must end in."""

from __future__ import annotations

import itertools
import queue
import random
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from typing import Any

import psycopg
import pymysql
from hypothesis import strategies as st

from hub.databases.url import MysqlUrl, parse_mirror_url
from hub.mirror.changes import Change, OwnChange, Version
from hub.mirror.changing import Changing
from hub.mirror.engine.engine import Engine
from hub.mirror.engine.open import open_engine
from hub.mirror.engine.sql_tables import SqlTables
from hub.mirror.mirror import Mirror, MirrorOptions, OnDelete, open_mirror
from hub.mirror.parents import Parents
from hub.mirror.writes import Writes
from hub.transport.deadline import deadline_after

TABLES = ("users", "organizations", "organization_memberships")
SECONDS = 60.0
"""For a call of a mirror, on a machine that does other things."""

NAMED = {"users": "first_name", "organizations": "name", "organization_memberships": "role"}
"""The column of each table that says which version it is."""

PARENTS = {"user_id", "organization_id"}
NO_VERSION = Version(0, 0, "")

_numbers = itertools.count(1)
_schemas = (f"s{number}" for number in itertools.count(1))


def new_mirror(url: str, **options: Any) -> Mirror:
    return open_mirror(MirrorOptions(url=url, **{"tables": TABLES, "connections": 4, **options}))


def apply(mirror: Mirror, change: Change, instance_id: str | None = "ins_test") -> str:
    return mirror.apply(change, instance_id=instance_id, timeout_seconds=SECONDS).value


def user(
    user_id: str, updated_at: int = 1, *, seen_at: int = 1, event_id: str = "e", mails: int = 1
) -> Change:
    """A user whose name is the version, with so many addresses."""
    name = f"{updated_at}/{seen_at}/{event_id}"
    addresses = tuple(
        {"user_id": user_id, "id": f"idn_{number}", "email_address": f"{number}@{name}"}
        for number in range(mails)
    )
    return Change(
        table="users",
        id=user_id,
        version=Version(updated_at, seen_at, event_id),
        values={"first_name": name, "created_at": 1, "raw": {"name": name}},
        rows={"user_emails": addresses, "user_phones": ()},
    )


def organization(org_id: str, updated_at: int = 1, *, seen_at: int = 1, event_id: str = "e") -> Change:
    name = f"{updated_at}/{seen_at}/{event_id}"
    version = Version(updated_at, seen_at, event_id)
    return Change(table="organizations", id=org_id, version=version, values={"name": name})


def membership(
    row_id: str, user_id: str, org_id: str, updated_at: int = 1, *, seen_at: int = 1, event_id: str = "e"
) -> Change:
    name = f"{updated_at}/{seen_at}/{event_id}"
    return Change(
        table="organization_memberships",
        id=row_id,
        version=Version(updated_at, seen_at, event_id),
        values={"role": name, "user_id": user_id, "organization_id": org_id},
    )


def deletion(table: str, row_id: str, deleted_at: int) -> Change:
    return Change(table=table, id=row_id, deleted_at=deleted_at)


def own_change(table: str) -> OwnChange:
    version = Version(1, 1, "msg_1")
    names = {"table": table, "object": "user", "id": "user_1"}
    return OwnChange(
        **names, version=version, is_deletion=False, key={"clerk_id": "user_1"}, values={"name": "Ada"}
    )


class Place:
    """A database of one kind for all tests here, each of which has a schema, or names, of its own."""

    def __init__(self, dialect: str, url: str) -> None:
        self.dialect = dialect
        self.url = url

    def mirror(self, **options: Any) -> Mirror:
        return new_mirror(**{"url": self.url, "schema": next(_schemas), "tables": ("users",), **options})

    def name(self, mirror: Mirror, table: str) -> str:
        """The whole name of a mirror's table."""
        return f"{mirror.options.schema}{'.' if self.dialect == 'postgres' else '_'}{table}"

    @contextmanager
    def connection(self) -> Iterator[Any]:
        """A connection of somebody else's, which commits each statement."""
        match self.dialect:
            case "sqlite":
                with closing(
                    sqlite3.connect(self.url.removeprefix("sqlite:///"), isolation_level=None)
                ) as one:
                    yield one
            case "postgres":
                with psycopg.connect(self.url, autocommit=True) as other:
                    yield other
            case _:
                parts = parse_mirror_url(self.url, "url")
                assert isinstance(parts, MysqlUrl)
                login = {"user": parts.address["user"], "password": parts.address["password"]}
                place = {"host": "127.0.0.1", "port": parts.port, "database": parts.address["dbname"]}
                with closing(pymysql.connect(**login, **place, autocommit=True)) as third:
                    yield third

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        with self.connection() as connection:
            cursor = connection.cursor()
            cursor.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []


# -- histories -------------------------------------------------------------------------------------

Step = Sequence[Change]
"""Changes that are written together: one event's, or those of a page of Clerk's API."""

_FEW = st.integers(0, 1)
_VERSIONS = st.builds(Version, st.integers(1, 3), st.integers(1, 3), st.sampled_from(("e1", "e2", "E1")))
_READINGS = st.builds(Version, st.integers(1, 3), st.integers(1, 3), st.just(""))


def _live(table: str, versions: st.SearchStrategy[Version]) -> st.SearchStrategy[Change]:
    """A version of one of two users, of two organisations or of their four memberships."""

    def make(first: int, second: int, version: Version) -> Change:
        parts = {"seen_at": version.seen_at, "event_id": version.event_id}
        match table:
            case "users":
                return user(f"u{first}", version.updated_at, **parts, mails=sum(map(ord, str(version))) % 3)
            case "organizations":
                return organization(f"o{first}", version.updated_at, **parts)
            case _:
                ids = (f"m{first}{second}", f"u{first}", f"o{second}")
                return membership(*ids, version.updated_at, **parts)

    return st.builds(make, _FEW, _FEW, versions)


def _with_deletion(change: Change, deleted_at: int) -> Change:
    return replace(change, deleted_at=deleted_at)


_EVENTS = st.one_of(
    _live("users", _VERSIONS),
    _live("organizations", _VERSIONS),
    _live("organization_memberships", _VERSIONS),
    _live("organization_memberships", _VERSIONS),
    st.builds(_with_deletion, _live("organization_memberships", _VERSIONS), st.integers(1, 3)),
    st.builds(lambda number, at: deletion("users", f"u{number}", at), _FEW, st.integers(1, 3)),
    st.builds(lambda number, at: deletion("organizations", f"o{number}", at), _FEW, st.integers(1, 3)),
)
_PAGES = st.sampled_from(TABLES).flatmap(
    lambda table: st.lists(_live(table, _READINGS), min_size=2, max_size=4)
)


@st.composite
def histories(draw: Any, length: int) -> list[Step]:
    """Steps in any order, some of them twice, their ids all new."""
    steps: list[Step] = draw(
        st.lists(st.one_of(_EVENTS.map(lambda change: [change]), _PAGES), min_size=2, max_size=length)
    )
    repeated = draw(st.lists(st.sampled_from(steps), max_size=3))
    number = next(_numbers)
    return [[_renamed(change, number) for change in step] for step in steps + repeated]


def _renamed(change: Change, number: int) -> Change:
    """The change with ids that no history before it had: tables need not be emptied."""
    named = {
        name: f"{change.values[name]}_{number}"
        for name in ("user_id", "organization_id") & change.values.keys()
    }
    return replace(change, id=f"{change.id}_{number}", values={**change.values, **named})


def final_state(steps: Iterable[Step], *, blanks: bool = False) -> dict[str, Any]:
    """The deletion, the version, the columns and the addresses that each row must have in the end."""
    histories: dict[str, list[Change]] = {}
    for step in steps:
        for change in step:
            histories.setdefault(change.id, []).append(change)
    return {row_id: _final(changes, histories, blanks) for row_id, changes in histories.items()}


def _final(changes: Sequence[Change], histories: Mapping[str, Sequence[Change]], blanks: bool) -> Any:
    live = [change for change in changes if change.version is not None]
    newest = max(live, key=lambda change: change.version or NO_VERSION, default=None)
    parents = [newest.values[name] for name in PARENTS & newest.values.keys()] if newest else []
    buried = [*changes, *(change for parent in parents for change in histories.get(parent, ()))]
    deleted_at = min((change.deleted_at for change in buried if change.deleted_at is not None), default=None)
    if newest is None or (blanks and deleted_at is not None):
        return _facts(deleted_at, NO_VERSION, None, ())
    mails = () if deleted_at is not None else newest.rows.get("user_emails", ())
    addresses = [mail["email_address"] for mail in mails]
    return _facts(deleted_at, newest.version, newest.values[NAMED[newest.table]], addresses)


def stored_state(mirror: Mirror, steps: Iterable[Step]) -> dict[str, Any]:
    """The same of the rows that are there."""
    state = {}
    for table in mirror.options.tables:
        ids = {change.id for step in steps for change in step if change.table == table}
        mails = mirror.set_rows("user_emails", ids, timeout_seconds=SECONDS) if table == "users" else {}
        for row_id, row in mirror.find(table, ids, timeout_seconds=SECONDS).items():
            version = Version(row["_updated_at"], row["_seen_at"], row["_event_id"])
            addresses = [mail["email_address"] for mail in mails.get(row_id, ())]
            state[row_id] = _facts(row["deleted_at"], version, row[NAMED[table]], addresses)
    return state


def _facts(
    deleted_at: int | None, version: Version | None, name: Any, addresses: Sequence[str]
) -> tuple[Any, ...]:
    return (deleted_at, version, name, sorted(addresses))


def run(mirror: Mirror, steps: Sequence[Step], workers: int) -> None:
    """Take every step, by several threads, each the next one that nobody took."""
    todo: queue.SimpleQueue[Step] = queue.SimpleQueue()
    for step in steps:
        todo.put(step)

    def work() -> None:
        with suppress(queue.Empty):
            while True:
                take(mirror, todo.get_nowait())

    with ThreadPoolExecutor(workers) as pool:
        for future in [pool.submit(work) for _ in range(workers)]:
            future.result()


@contextmanager
def writing(
    url: str, writes: type[Writes] = Writes, *, blanks: bool = False, parents: type[Parents] = Parents
) -> Iterator[tuple[Engine, Writes, Changing]]:
    """What a mirror at that place is made of, which may break a rule; its tables are there."""
    on_delete = OnDelete.BLANK if blanks else OnDelete.MARK
    with closing(new_mirror(url, on_delete=on_delete)) as mirror:
        mirror.migrate(timeout_seconds=SECONDS)
    engine = open_engine(url, 4)
    tables = SqlTables(engine, "clerk", TABLES, blanks=blanks)
    made = writes(engine, tables, parents(engine, tables), blanks=blanks)
    with deadline_after(SECONDS), closing(engine):
        yield engine, made, Changing(engine, tables, made)


def take(mirror: Mirror, step: Step) -> None:
    """Write one step, as an event or as a page."""
    if len(step) == 1:
        apply(mirror, step[0])
    else:
        mirror.apply_page(step, state={"page": step[0].id}, timeout_seconds=SECONDS)


def planned_steps(seed: int, length: int) -> list[Step]:
    """The same steps in every process: events, pages of users, deletions, and memberships of both."""
    chance = random.Random(seed)
    steps: list[Step] = []
    for number in range(length):
        updated_at, seen_at = chance.randint(1, 5), chance.randint(1, 5)
        moment: dict[str, Any] = {"updated_at": updated_at, "seen_at": seen_at, "event_id": f"e{number}"}
        user_id, org_id = f"u{chance.randrange(40)}", f"o{chance.randrange(5)}"
        kind = chance.choice(("user", "user", "organization", "member", "member", "page", "gone"))
        match kind:
            case "user":
                steps.append([user(user_id, **moment, mails=number % 3)])
            case "organization":
                steps.append([organization(org_id, **moment)])
            case "member":
                steps.append([membership(f"m{user_id}{org_id}", user_id, org_id, **moment)])
            case "page":
                page = {**moment, "event_id": ""}
                steps.append([user(f"u{one}", **page, mails=(one + seen_at) % 3) for one in range(40)])
            case _:
                gone = ("users", user_id) if number % 5 else ("organizations", org_id)
                steps.append([deletion(*gone, seen_at)])
    return steps
