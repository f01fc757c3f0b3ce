"""The tables of a mirror in words: every column with its kind, for those who build on them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hub.mirror.tables import Column, Table, event_types_of, tables

_NAME_WIDTH = 42


def listing(names: Iterable[str]) -> Iterator[str]:
    """Yield the lines about these tables, their sets behind them: one with the name, then columns."""
    for name in names:
        table = tables()[name]
        yield from _lines(table, f"from {', '.join(_groups(name))}")
        for member in table.sets:
            yield from _lines(tables()[member], f"with {name}")


def _groups(name: str) -> list[str]:
    return sorted({f"{event_type.partition('.')[0]}.*" for event_type in event_types_of(name)})


def _lines(table: Table, origin: str) -> Iterator[str]:
    yield f"{table.name:<{_NAME_WIDTH}}  {origin}"
    for column in table.columns:
        yield f"  {column.name:<{_NAME_WIDTH}}{', '.join(_facts(column, table))}"
    yield ""


def _facts(column: Column, table: Table) -> Iterator[str]:
    yield column.kind.value
    if column.name in table.key:
        yield "key"
    yield from (f"of {parent.table}" for parent in table.parents if parent.column == column.name)
    if column.path not in ((), (column.name,)):
        yield f"from {'.'.join(column.path)}"
    if column.moves:
        yield "moves by itself"
    if not column.in_api:
        yield "in events alone"
