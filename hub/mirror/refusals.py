"""The reasons for which a table that is there takes no rows, and the statements that end them.

Rights of the role are found out by statements about no row: what else a database says of rights (roles of
roles, wildcards, columns) is another question than the one that it answers here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from urllib.parse import quote, unquote

from sqlalchemy import Connection, MetaData, Table, delete, false, insert, inspect, select, text, update
from sqlalchemy.exc import NoSuchTableError

from hub.errors import Pause
from hub.humanize import enumerated
from hub.mirror.engine.engine import Engine
from hub.mirror.engine.failures import TableRefused

WRITES = ("SELECT", "INSERT", "UPDATE")
"""The rights that every table needs of which rows are written."""

DELETES = (*WRITES, "DELETE")

_HUBS_TABLES = {"alembic_version", "deliveries", "attempts"}
"""Of the hub's own store: a database that has them is one."""

_RIGHT, _EMPTY = "=", "!"
"""Marks of parts: a right, as in `clerk.users(=INSERT)`, and a column that has to take null."""


def refuse_the_hubs_own(connection: Connection) -> None:
    """Raise Pause in a database of the hub's own store, which another name of it may hide."""
    if set(inspect(connection).get_table_names()) >= _HUBS_TABLES:
        raise Pause("its url names a database of the hub's own store; name another one")


def waiting_for(engine: Engine, error: TableRefused, rights: Mapping[Table, Sequence[str]]) -> Pause:
    """Return the wait of rows that one of these tables refused, each of which needs these rights.

    It is the error itself, for everything, where none of the tables accounts for it: a policy of rows, or a
    trigger that writes elsewhere.
    """
    if error.column is not None:
        return _waiting_for_column(engine, error.column, rights) or error
    if not error.is_right:
        return error
    # What is deleted of a table may be nothing: the right to do so is asked for where no other one lacks.
    return _waiting_for_rights(engine, rights) or (
        _waiting_for_rights(engine, dict.fromkeys(rights, DELETES)) or error
    )


def is_of_table(part: str) -> bool:
    """Return True for a part of `Pause.needs` that is a table by its own name, or something of it."""
    return part.endswith(")")


def part_of(table: str, column: str = "") -> str:
    """Return a table as a part that is needed, or a column of it: `members()`, `members(email)`."""
    return f"{table}({quote(column, safe='')})"


def lacks(engine: Engine, part: str) -> bool:
    """Return True where the table of a part, its column or the right to it is still lacking."""
    name, _, thing = part.removesuffix(")").partition("(")
    try:
        table = engine.read(lambda connection: reflected(connection, name))
    except TableRefused:
        return True
    if table is None:
        return True
    if thing.startswith(_RIGHT):
        return _is_refused(engine, table, thing.removeprefix(_RIGHT)) is not None
    if thing.startswith(_EMPTY):
        return _needs_value(table, unquote(thing.removeprefix(_EMPTY)))
    return bool(thing) and unquote(thing) not in table.c


def reflected(connection: Connection, name: str) -> Table | None:
    """Return a table as the database has it, by a name that may have its schema before a dot."""
    schema, _, bare = name.rpartition(".")
    try:
        return Table(bare, MetaData(), schema=schema or None, autoload_with=connection, resolve_fks=False)
    except NoSuchTableError:
        return None


def _waiting_for_column(engine: Engine, column: str, tables: Iterable[Table]) -> Pause | None:
    for name in (table.fullname for table in tables):
        table = engine.read(lambda connection, name=name: reflected(connection, name))  # type: ignore[misc]
        if table is not None and _needs_value(table, column):
            fault = f"{name}.{column} may not be empty and has no default"
            need = f"{name}({_EMPTY}{quote(column, safe='')})"
            return Pause(
                f"{fault}; {_nullable(engine, table, column)}, and it goes on by itself", needs=[need]
            )
    return None


def _needs_value(table: Table, name: str) -> bool:
    column = table.c.get(name)
    return column is not None and not column.nullable and column.server_default is None


def _nullable(engine: Engine, table: Table, name: str) -> str:
    if engine.nullable_sql is None:
        return f"make {table.fullname} anew without NOT NULL there, or drop the column"
    statement = engine.nullable_sql.format(
        table=engine.quoted(table),
        column=engine.sql_dialect.identifier_preparer.quote(name),
        type=table.c[name].type.compile(dialect=engine.sql_dialect),
    )
    return f"run {statement}"


def _waiting_for_rights(engine: Engine, rights: Mapping[Table, Sequence[str]]) -> Pause | None:
    lacking = {table: [*_refused(engine, table, verbs)] for table, verbs in rights.items()}
    lacking = {table: refusals for table, refusals in lacking.items() if refusals}
    if not lacking:
        return None
    grantee = engine.read(lambda connection: connection.execute(text(engine.grantee_sql)).scalar_one())
    needs, grants, faults = [], [], []
    for table, refusals in lacking.items():
        verbs = [verb for verb, _ in refusals]
        if table.schema and any("schema" in words for _, words in refusals):
            grants.append(f"GRANT USAGE ON SCHEMA {table.schema} TO {grantee}")
        needs += [f"{table.fullname}({_RIGHT}{verb})" for verb in verbs]
        grants.append(f"GRANT {', '.join(verbs)} ON {engine.quoted(table)} TO {grantee}")
        faults.append(f"{enumerated(verbs)} on {table.fullname}")
    statements = "; ".join(dict.fromkeys(grants))
    reason = f"its role has no right to {', '.join(faults)}; run {statements}; it goes on by itself"
    return Pause(reason, needs=needs)


def _refused(engine: Engine, table: Table, verbs: Iterable[str]) -> Iterator[tuple[str, str]]:
    for verb in verbs:
        words = _is_refused(engine, table, verb)
        if words is not None:
            yield verb, words


def _is_refused(engine: Engine, table: Table, verb: str) -> str | None:
    """Return the words in which the role is refused a right to a table; None where it has it."""
    column = next(iter(table.columns))
    statements = {
        "SELECT": select(column).where(false()),
        "INSERT": insert(table).from_select([column.name], select(column).where(false())),
        "UPDATE": update(table).where(false()).values({column.name: column}),
        "DELETE": delete(table).where(false()),
    }
    try:
        engine.read(lambda connection: connection.execute(statements[verb]))
    except TableRefused as error:
        return error.reason if error.is_right else None
    return None
