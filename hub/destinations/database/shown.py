"""A row that an event writes -> the parts that whoever looks at it sees."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from hub.destinations.base import ShownContext
from hub.destinations.database.options import USUALLY_LEFT_OUT
from hub.errors import Unmirrorable
from hub.humanize import enumerated
from hub.mirror.changes import Change
from hub.mirror.reading import change_of_event, timestamp_of
from hub.mirror.tables import Kind, tables
from hub.model.delivery import RAW, Message
from hub.model.parts import Part, PartKind, Role

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parts(message: Message, context: ShownContext) -> Iterator[Part]:
    """Yield the row of a message by its table's name, those of sets behind it, without null columns."""
    if not message.get(RAW):
        yield from _own_parts(message)
        return
    written = context.written
    leave_out = written.get("leave_out") or USUALLY_LEFT_OUT
    try:
        change = _change(context, leave_out)
    except Unmirrorable as error:
        yield Part(text=f"no row: {error}")
        return
    yield _row_part(change.table, shown_row(change))
    for name, rows in change.rows.items():
        if rows:
            yield _row_part(name, [_shown(name, row) for row in rows])
    if change.version is not None:
        omitted = [*leave_out, "one-time secrets"]
        note = f"{change.table} also has raw: the whole object, without {enumerated(omitted)}"
        yield Part(text=note, role=Role.NOTE)
    if change.deleted_at is not None and written.get("on_delete") == "blank":
        yield Part(text="all other columns but the id are cleared", role=Role.NOTE)


def shown_row(change: Change) -> dict[str, Any]:
    """Return the row of a change as it is shown: without null and `raw`, times in ISO 8601."""
    row = {"id": change.id, **_shown(change.table, change.values)}
    return row if change.deleted_at is None else {**row, "deleted_at": _time(change.deleted_at)}


def _change(context: ShownContext, leave_out: Iterable[str]) -> Change:
    try:
        body = json.loads(context.payload)
    except (ValueError, RecursionError):
        raise Unmirrorable("the event was pruned") from None
    body = body if isinstance(body, dict) else {}
    return change_of_event(
        context.event_type,
        body.get("data"),
        event_id=context.event_id or "-",
        timestamp_ms=timestamp_of(body, 0),
        leave_out=tuple(map(str, leave_out)),
    )


def _own_parts(message: Message) -> Iterator[Part]:
    table, key = str(message.get("table", "")), message.get("key", {})
    values = message.get("set", message.get("on_delete"))
    row = {**key, **values} if isinstance(values, Mapping) else key
    yield _row_part(table, row)
    if values == "delete":
        yield Part(text="this row is deleted", role=Role.NOTE)
    elif values == "keep":
        yield Part(text="this row stays as it is", role=Role.NOTE)


def _row_part(table: str, row: Any) -> Part:
    return Part(kind=PartKind.JSON, label=table, text=json.dumps(row, ensure_ascii=False))


def _shown(table: str, values: Mapping[str, Any]) -> dict[str, Any]:
    kinds = {column.name: column.kind for column in tables()[table].columns}
    return {
        name: _time(value) if kinds.get(name) is Kind.TIME else value
        for name, value in values.items()
        if value is not None and name != "raw"
    }


def _time(milliseconds: int) -> str:
    moment = _EPOCH + timedelta(milliseconds=milliseconds)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
