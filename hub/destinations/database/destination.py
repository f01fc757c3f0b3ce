"""A database of the user's own: rows of Clerk's objects, or of a table that is there already."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any, ClassVar

from hub import catalog
from hub.databases.url import MysqlUrl, SqliteUrl, parse_mirror_url
from hub.destinations.base import Block, Destination, ShownContext
from hub.destinations.database.options import DatabaseOptions, DatabaseSend
from hub.destinations.database.shown import parts
from hub.errors import Reject, TemplateError, Unmirrorable
from hub.humanize import did_you_mean, listed
from hub.mirror.changes import Change, OwnChange
from hub.mirror.mirror import open_mirror
from hub.mirror.reading import change_of_event, own_change, timestamp_of
from hub.mirror.tables import event_types_of, owner_tables, usual_tables
from hub.model.delivery import RAW, Message, Receipt, SendContext
from hub.model.event import HUB_SOURCE, Event, made_at
from hub.model.parts import Part
from hub.model.summary import Summary
from hub.templating.escapes import as_json, plain
from hub.templating.flaws import Flaw, is_dynamic
from hub.templating.renderer import Renderer

LONGEST_NAME = 64
"""Characters of a column's name: MySQL has no longer ones."""

LOOK_SECONDS, WAITED_SECONDS = 15.0, 5.0
"""The time to look in for a person who asks, and on behalf of deliveries that wait."""

_TABLE = re.compile(r"([A-Za-z_]\w{0,62}\.)?[A-Za-z_]\w{0,62}", re.ASCII)


class DatabaseDestination(Destination):
    """The tables of a mirror, and those beside them that a send block names."""

    type: ClassVar[str] = "database"
    read_by_people: ClassVar[bool] = False
    may_be_held: ClassVar[bool] = False
    Options = DatabaseOptions
    Send = DatabaseSend

    @classmethod
    def check(cls, options: Block | None, send: Block) -> Iterable[str]:
        assert isinstance(send, DatabaseSend)
        if send.table is None:
            for name in ("key", "set", "on_delete"):
                if name in {"set" if key == "set_" else key for key in send.model_fields_set}:
                    yield f"{name} belongs to a table of your own: name it under table"
            return
        if not _TABLE.fullmatch(send.table):
            yield "table must be one name, such as members or app.members"
        for name, columns in (("key", send.key), ("set", send.set_)):
            if not columns:
                yield f"table needs {name}: its columns, each with a value"
        if isinstance(send.on_delete, str) and send.on_delete not in ("delete", "keep"):
            yield "on_delete must be delete, keep, or columns with their values"
        yield from _column_problems(send)

    @classmethod
    def mirrored_types(cls, own: Mapping[str, Any], fields: Mapping[str, Any]) -> frozenset[str] | None:
        if fields:
            return None
        names = own.get("tables")
        chosen = names if isinstance(names, list) else usual_tables()
        known = [name for name in owner_tables() if name in chosen]
        return frozenset(event_type for name in known for event_type in event_types_of(name))

    @classmethod
    def unusable_key(cls, options: Block, environment: Mapping[str, str]) -> tuple[str, str] | None:
        assert isinstance(options, DatabaseOptions)
        if options.is_hubs_own(environment):
            return "url", "this is the hub's own database (DATABASE_URL); give the mirror another one"
        fault = options.fault_of_url()
        return ("url", fault) if fault else None

    @classmethod
    def look(cls, options: Block, sends: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int, Flaw]]:
        """Yield the tables and columns of one's own that are not there; raises SendError."""
        assert isinstance(options, DatabaseOptions)
        with closing(open_mirror(options.mirror)) as mirror:
            for index, fields in enumerate(sends):
                if fields.get("table"):
                    columns = mirror.columns_of(fields["table"], timeout_seconds=LOOK_SECONDS)
                    yield from ((index, flaw) for flaw in _lacking(fields, columns))

    @classmethod
    def lacking(cls, options: Block, parts: Collection[str]) -> Collection[str]:
        assert isinstance(options, DatabaseOptions)
        with closing(open_mirror(options.mirror)) as mirror:
            return mirror.lacking(parts, timeout_seconds=WAITED_SECONDS)

    @classmethod
    def compose(cls, options: Block | None, fields: Mapping[str, Any], renderer: Renderer) -> Message:
        """Return a row's columns; for a mirror the event itself, of which the row is made then."""
        if not fields:
            return {RAW: True}
        key = renderer.structure(fields.get("key") or {}, as_json, name="key")
        if renderer.text("{{ data.id }}", plain, name="key"):
            _require_filled(key, renderer)
        message: Message = {"table": fields.get("table"), "key": key}
        if not renderer.event_type.endswith(".deleted"):
            return {**message, "set": renderer.structure(fields.get("set") or {}, as_json, name="set")}
        on_delete = fields.get("on_delete", "keep")
        if isinstance(on_delete, Mapping):
            on_delete = renderer.structure(on_delete, as_json, name="on_delete")
        return {**message, "on_delete": on_delete}

    @classmethod
    def compose_builtin(
        cls, options: Block | None, summary: Summary, warning: str | None, link: str
    ) -> Message:
        return {RAW: True}

    @classmethod
    def shown(cls, message: Message, context: ShownContext) -> Iterable[Part]:
        return parts(message, context)

    def __init__(self, options: DatabaseOptions, name: str) -> None:
        super().__init__(options, name)
        self._options = options.mirror
        self._mirror = open_mirror(self._options, name)

    def send(self, message: Message, context: SendContext) -> Receipt:
        """Write one row; a test of the hub's own is written and rolled back."""
        is_test = context.event_source == HUB_SOURCE
        event = _event(context)
        if context.event_type == catalog.TEST:
            event = self._sample(event)
        try:
            change = self._change(message, event)
        except Unmirrorable as error:
            raise Reject(str(error)) from error
        effect = self._effect(change, event, context.timeout_seconds, is_test=is_test)
        end = ", and rolled back: it was a test" if is_test else ""
        return Receipt(detail=f"{change.table}: {effect}{end}")

    def _effect(
        self, change: Change | OwnChange, event: Event, timeout_seconds: float, *, is_test: bool
    ) -> str:
        if isinstance(change, OwnChange):
            return self._mirror.write(change, timeout_seconds=timeout_seconds, keep=not is_test)
        if change.deleted_at is None and change.table not in self._options.tables:
            return "not among the tables any more"
        instance = event.body.get("instance_id")
        return self._mirror.apply(
            change,
            instance_id=instance if isinstance(instance, str) and not is_test else None,
            timeout_seconds=timeout_seconds,
            keep=not is_test,
        )

    def describe(self) -> str:
        url = parse_mirror_url(self._options.url, "url")
        if isinstance(url, SqliteUrl):
            return url.path.name
        if isinstance(url, MysqlUrl) and url.socket:
            return "localhost"
        return str(url.address.get("host") or "localhost")

    def close(self) -> None:
        self._mirror.close()

    def _change(self, message: Message, event: Event) -> Change | OwnChange:
        if message.get(RAW):
            return change_of_event(
                event.type,
                event.data,
                event_id=event.id,
                timestamp_ms=_timestamp_ms(event),
                leave_out=self._options.leave_out,
            )
        return own_change(
            event.type,
            event.data,
            event_id=event.id,
            timestamp_ms=_timestamp_ms(event),
            table=message["table"],
            key=message["key"],
            values=message.get("set", {}),
            on_delete=message.get("on_delete", "keep"),
        )

    def _sample(self, test: Event) -> Event:
        """Return the event of a row that stands in for a test message, which is about no object."""
        event_type = event_types_of(self._options.tables[0])[0]
        payload = catalog.sample_payload(event_type, timestamp_ms=_timestamp_ms(test))
        return Event(
            id=test.id,
            source=test.source,
            message_id="",
            type=event_type,
            payload=payload,
            received_at=test.received_at,
        )


def _column_problems(send: DatabaseSend) -> Iterator[str]:
    """Yield the problems of the names of columns, one sentence each."""
    key, values = send.key or {}, send.set_ or {}
    on_delete = send.on_delete if isinstance(send.on_delete, dict) else {}
    for name, columns in (("key", key), ("set", values), ("on_delete", on_delete)):
        for column in columns:
            if is_dynamic(column) or not 0 < len(column) <= LONGEST_NAME or not column.isprintable():
                yield f"{name} must have names of columns before the colons, not templates"
    for column in sorted(key.keys() & {*values, *on_delete}):
        yield f'key has "{column}": a row is found by it, so that it cannot be changed, too'


def _lacking(fields: Mapping[str, Any], columns: Collection[str] | None) -> Iterator[Flaw]:
    """Yield what a send block names and its database has not: a table, or columns of one."""
    table = fields["table"]
    if columns is None:
        yield Flaw(path=("table",), message=f"there is no table {table}; make it, or mend the name")
        return
    for key in ("key", "set", "on_delete"):
        named = fields.get(key)
        for column in named if isinstance(named, Mapping) else ():
            if column not in columns:
                close = did_you_mean(column, columns, f"; it has {listed(columns)}")
                message = f'the table {table} has no column "{column}"{close}'
                yield Flaw(path=(key, column), message=message, is_about_key=True)


def _require_filled(key: Mapping[str, Any], renderer: Renderer) -> None:
    """Raise TemplateError for a key that fits no row, or any."""
    for column, value in key.items():
        is_open = isinstance(value, str) and renderer.is_open(value)
        if value in (None, "") and not is_open:
            raise TemplateError(f"key.{column}", None, "renders to nothing, and no row has that")
        if isinstance(value, dict | list):
            raise TemplateError(f"key.{column}", None, "renders to a structure; a key is text or a number")


def _timestamp_ms(event: Event) -> int:
    """Return the event's own time; that of its receipt, of which its id was made, where it has none."""
    return timestamp_of(event.body, int(made_at(event.id).timestamp() * 1000))


def _event(context: SendContext) -> Event:
    return Event(
        id=context.event_id,
        source=context.event_source,
        message_id="",
        type=context.event_type,
        payload=context.payload,
        received_at=context.at,
    )
