"""An event, or an object of Clerk's API -> the change of its row: whatever it holds, in the kinds of columns.

A value that is not of its column's kind leaves that column null and stays in `raw`; NUL and lone surrogates,
which no database keeps as JSON, become U+FFFD. So no odd value costs a row, and the same object makes the
same row on every database.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from functools import cache, lru_cache
from typing import Any

from hub.catalog import event_types, find_event_type
from hub.errors import Unmirrorable
from hub.mirror.changes import Change, OwnChange, Version
from hub.mirror.tables import Column, Kind, Table, table_of, tables

DEPTH_LIMIT = 30
"""Lists and objects within each other that are kept: MariaDB refuses JSON that is deeper than 32."""

LAST_MOMENT = 253402300799999
"""9999-12-31T23:59:59.999 in milliseconds: Python and MySQL know none after it."""

_FIRST_MILLISECONDS = 10**11
"""A time below this, in 1973, is in seconds."""

_ID = re.compile(r"[!-~]{1,191}")
"""What every database compares by bytes: MySQL's keys end at 191 characters, and pad with spaces."""

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")

_INT64 = 2**63

_PLAIN = frozenset((type(None), bool, int))

NEEDED = frozenset(("id", "created_at", "updated_at", "user_id", "organization_id"))
"""Names that cannot be left out: rows are found, compared and joined by them."""


def change_of_event(
    event_type: str, data: Any, *, event_id: str, timestamp_ms: int, leave_out: Collection[str]
) -> Change:
    """Return the change that an event brings.

    `leave_out` are keys that are kept at no depth. Raises Unmirrorable where its type has no table, or its
    data no id.
    """
    name = table_of(event_type)
    if name is None:
        raise Unmirrorable(f"no table has what {event_type} is about")
    object_id = _id_of(data)
    deleted_at = timestamp_ms if event_type.endswith(".deleted") else None
    if deleted_at is not None and (_is_bare(event_type) or data.get("deleted") is True):
        return Change(table=name, id=object_id, deleted_at=deleted_at)
    version = Version(_updated_at(data, timestamp_ms), timestamp_ms, event_id)
    return _change(tables()[name], data, object_id, version, leave_out, deleted_at)


def own_change(
    event_type: str,
    data: Any,
    *,
    event_id: str,
    timestamp_ms: int,
    table: str,
    key: Mapping[str, Any],
    values: Mapping[str, Any],
    on_delete: Mapping[str, Any] | str,
) -> OwnChange:
    """Return the change that an event brings to a table of the user's own.

    `values` are those of `set`; `on_delete` what a deletion sets instead, or delete, or keep. Raises
    Unmirrorable where its data has no id.
    """
    is_deletion = event_type.endswith(".deleted")
    of_deletion = on_delete if isinstance(on_delete, Mapping) else {}
    return OwnChange(
        table=table,
        object=event_type.partition(".")[0],
        id=_id_of(data),
        version=Version(_updated_at(data, timestamp_ms), timestamp_ms, event_id),
        is_deletion=is_deletion,
        removes=is_deletion and on_delete == "delete",
        key=_kept(key, frozenset(), frozenset(), 0),
        values=_kept(of_deletion if is_deletion else values, frozenset(), frozenset(), 0),
    )


def change_of_object(name: str, value: Any, *, read_at_ms: int, leave_out: Collection[str]) -> Change:
    """Return the change that an object brings as Clerk's API answers it, read then by Clerk's clock.

    Columns that only events carry stay as they are. Raises Unmirrorable where it has no id.
    """
    object_id = _id_of(value)
    version = Version(_updated_at(value, read_at_ms), read_at_ms, "")
    return _change(tables()[name], value, object_id, version, leave_out, None)


def _change(
    table: Table,
    data: Mapping[str, Any],
    object_id: str,
    version: Version,
    leave_out: Collection[str],
    deleted_at: int | None,
) -> Change:
    omitted = frozenset(leave_out)
    rows = {
        name: _members(tables()[name], data, object_id, omitted)
        for name in table.sets
        if isinstance(data.get(tables()[name].items), list)
    }
    values = _values(table, data, omitted, is_event=bool(version.event_id))
    if table.name == "users":
        values["primary_email"] = _primary_email(data, omitted)
    return Change(
        table=table.name, id=object_id, version=version, values=values, rows=rows, deleted_at=deleted_at
    )


def _members(
    table: Table, data: Mapping[str, Any], owner_id: str, omitted: frozenset[str]
) -> tuple[Mapping[str, Any], ...]:
    """Return the rows of a set; one without an id stands in its owner's `raw` alone."""
    items = [] if table.items in omitted else data[table.items]
    known = {item["id"]: item for item in items if isinstance(item, dict) and _is_id(item.get("id"))}
    return tuple({"user_id": owner_id, **_values(table, item, omitted)} for item in known.values())


def _values(
    table: Table, data: Mapping[str, Any], omitted: frozenset[str], *, is_event: bool = True
) -> dict[str, Any]:
    kept, null = _columns(table.name, omitted, is_event)
    values = {column.name: _value(column, data, omitted) for column in kept}
    return {**values, **null, "raw": _kept(data, omitted, hidden_keys(), 0)}


@lru_cache(maxsize=200)
def _columns(
    name: str, omitted: frozenset[str], is_event: bool
) -> tuple[tuple[Column, ...], Mapping[str, None]]:
    """Return the columns of a table that are read of an object, and those that are left out of it."""
    columns = [column for column in tables()[name].columns if column.path and (column.in_api or is_event)]
    null = {
        column.name: None
        for column in columns
        if column.name not in NEEDED and not omitted.isdisjoint((column.name, *column.path))
    }
    return tuple(column for column in columns if column.name not in null), null


def _value(column: Column, data: Mapping[str, Any], omitted: frozenset[str]) -> Any:
    value: Any = data
    for key in column.path:
        value = value.get(key) if isinstance(value, dict) else None
    match column.kind:
        case Kind.ID:
            return value if _is_id(value) else None
        case Kind.TEXT:
            return _text(value) if isinstance(value, str) else None
        case Kind.TIME:
            return milliseconds(value)
        case Kind.INTEGER:
            return _integer(value)
        case Kind.BOOLEAN:
            return value if isinstance(value, bool) else None
        case Kind.JSON:
            return _kept(value, omitted, _hidden_below(column.name), 1)


def timestamp_of(body: Mapping[str, Any], otherwise: int) -> int:
    """Return the time of an event by its sender, in milliseconds; the other one where it has none."""
    return milliseconds(body.get("timestamp")) or otherwise


def milliseconds(value: Any) -> int | None:
    """Return a time in milliseconds, also of one in seconds; None for none, and after the year 9999."""
    number = _integer(value)
    if number is None or number <= 0:
        return None
    number = number * 1000 if number < _FIRST_MILLISECONDS else number
    return number if number <= LAST_MOMENT else None


def _integer(value: Any) -> int | None:
    """Return a whole number that 64 bits hold; None for any other value."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    return value if is_whole and -_INT64 <= value < _INT64 else None


def _updated_at(data: Mapping[str, Any], otherwise: int) -> int:
    moment = milliseconds(data.get("updated_at")) if isinstance(data, dict) else None
    return otherwise if moment is None else moment


def _id_of(data: Any) -> str:
    object_id = data.get("id") if isinstance(data, dict) else None
    if not _is_id(object_id):
        reason = "is missing" if object_id is None else "is none that a table can have as its key"
        raise Unmirrorable(f"the id of the object {reason}")
    return str(object_id)


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and _ID.fullmatch(value) is not None


@cache
def _is_bare(event_type: str) -> bool:
    """Return True where the data is no object, but the id of one that is gone."""
    known = find_event_type(event_type)
    return known is not None and known.schema_name == "DeletedObject"


def _primary_email(data: Mapping[str, Any], omitted: frozenset[str]) -> str | None:
    """Return the address that the user names as the primary one, which need not be the first."""
    primary, entries = data.get("primary_email_address_id"), data.get("email_addresses")
    if not omitted.isdisjoint(("primary_email", "email_address", "email_addresses")):
        return None
    if not isinstance(primary, str) or not isinstance(entries, list):
        return None
    fitting = (entry for entry in entries if isinstance(entry, dict) and entry.get("id") == primary)
    address = next(fitting, {}).get("email_address")
    return _text(address) if isinstance(address, str) else None


def _hidden_below(key: str) -> frozenset[str]:
    """Return the keys that are hidden below one: none in metadata, in which people write their own."""
    return frozenset() if key.endswith("_metadata") else hidden_keys()


@cache
def hidden_keys() -> frozenset[str]:
    """Return the keys of secrets and of what is sensitive, whose values are kept nowhere.

    They are the last of the catalog's paths, so that copies of an object inside of others lack them, too.
    """
    types = filter(None, map(find_event_type, filter(table_of, event_types())))
    return frozenset(path.rpartition(".")[2] for type_ in types for path in type_.secret + type_.sensitive)


def _kept(value: Any, omitted: frozenset[str], hidden: frozenset[str], depth: int) -> Any:
    """Return a JSON value without what is left out or hidden, as every database can keep it."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if not isinstance(value, dict | list):
        return value
    if depth >= DEPTH_LIMIT:
        return None
    if isinstance(value, list):
        return [_kept(item, omitted, hidden, depth + 1) for item in value]
    # Most of an object is plain: it costs no call.
    return {
        _text(key): item
        if type(item) in _PLAIN
        else _kept(item, omitted, hidden and _hidden_below(key), depth + 1)
        for key, item in value.items()
        if key not in omitted and key not in hidden
    }


def _text(text: str) -> str:
    return text if text.isascii() and "\0" not in text else _UNSTORABLE.sub("\ufffd", text)
