"""The types of a mirror's columns on each database, and their values there."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, Dialect, String, Text, TypeDecorator
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.types import TypeEngine

from hub.mirror.tables import Kind

ID_LENGTH = 191
"""Characters of an id on MySQL, whose keys are bounded."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class Milliseconds(TypeDecorator[int]):
    """A moment: whole milliseconds since 1970 for the hub, the database's own type there, in UTC.

    Raises OverflowError for one that has no date. What somebody else wrote and is no moment reads as None.
    """

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the type of a moment on this database."""
        match dialect.name:
            case "postgresql":
                return dialect.type_descriptor(postgresql.TIMESTAMP(timezone=True))
            case "sqlite":
                return dialect.type_descriptor(sqlite.TEXT())
            case _:
                return dialect.type_descriptor(mysql.DATETIME(fsp=3))

    def process_bind_param(self, value: int | None, dialect: Dialect) -> Any:
        """Return the moment as this database takes it."""
        if value is None:
            return None
        moment = _EPOCH + timedelta(milliseconds=value)
        if dialect.name == "postgresql":
            return moment
        naive = moment.replace(tzinfo=None)
        return f"{naive.isoformat(timespec='milliseconds')}Z" if dialect.name == "sqlite" else naive

    def process_result_value(self, value: Any, dialect: Dialect) -> int | None:
        """Return the moment that this database gave."""
        if isinstance(value, str):
            try:
                value = datetime.fromisoformat(value)
            except ValueError:
                return None
        if not isinstance(value, datetime):
            return None
        return ((value if value.tzinfo else value.replace(tzinfo=UTC)) - _EPOCH) // _MILLISECOND


def to_json(value: Any) -> str:
    """Return the JSON of a value, letters as they are."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


_ID = (
    Text()
    .with_variant(postgresql.TEXT(collation="C"), "postgresql")
    .with_variant(mysql.VARCHAR(ID_LENGTH, charset="ascii", collation="ascii_bin"), "mysql", "mariadb")
)
_TEXT = Text().with_variant(mysql.LONGTEXT(charset="utf8mb4"), "mysql", "mariadb")
_JSON = JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")

_TYPES: dict[Kind, TypeEngine[Any]] = {
    Kind.ID: _ID,
    Kind.TEXT: _TEXT,
    Kind.JSON: _JSON,
    Kind.TIME: Milliseconds(),
    Kind.INTEGER: BigInteger(),
    Kind.BOOLEAN: Boolean(),
}


def type_of(kind: Kind) -> TypeEngine[Any]:
    """Return the type of a kind of column, which is each database's own there."""
    return _TYPES[kind]


def is_fit(kind: Kind, type_: TypeEngine[Any], dialect_name: str) -> bool:
    """Return True where a column that is there, of this type, holds every value of a kind.

    SQLite checks no types: any will do.
    """
    if dialect_name == "sqlite":
        return True
    on_postgres = dialect_name == "postgresql"
    match kind:
        case Kind.ID | Kind.TEXT:
            return isinstance(type_, String)
        case Kind.JSON:
            return isinstance(type_, JSON if on_postgres else (JSON, Text, mysql.LONGTEXT))
        case Kind.TIME:
            if on_postgres:
                return isinstance(type_, postgresql.TIMESTAMP) and type_.precision in (None, 3, 4, 5, 6)
            return isinstance(type_, mysql.DATETIME) and (type_.fsp or 0) >= 3
        case Kind.INTEGER:
            return isinstance(type_, BigInteger)
        case Kind.BOOLEAN:
            return isinstance(type_, Boolean if on_postgres else (Boolean, mysql.TINYINT, mysql.BIT))
