"""The columns of tables that users made: their kinds, and JSON values as these columns take them."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import types
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine

from hub.mirror.engine.column_types import to_json
from hub.mirror.tables import Kind

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TRUE, _FALSE = {"true", "1", "yes"}, {"false", "0", "no", ""}


def kind_of(type_: TypeEngine[Any]) -> Kind | None:
    """Return the kind of values that a column of this type takes; None where any may do."""
    match type_:
        case types.Boolean() | mysql.TINYINT(display_width=1):
            return Kind.BOOLEAN
        case types.DateTime() | types.Date():
            return Kind.TIME
        case types.Integer():
            return Kind.INTEGER
        case types.JSON():
            return Kind.JSON
        case types.String() if not isinstance(type_, types.Enum):
            return Kind.TEXT
        case _:
            return None


def fitted(value: Any, type_: TypeEngine[Any]) -> Any:
    """Return a JSON value as a column of this type takes it.

    Raises ValueError, ArithmeticError or TypeError where it is none for it.
    """
    if value is None:
        return None
    match type_:
        case types.Boolean() | mysql.TINYINT(display_width=1):
            return _boolean(value)
        case types.DateTime():
            moment = _moment(value)
            if isinstance(type_, mysql.DATETIME | mysql.TIMESTAMP) or not type_.timezone:
                return moment.replace(tzinfo=None)
            return moment
        case types.Date():
            return date.fromisoformat(value) if _is_day(value) else _moment(value).date()
        case types.Integer():
            return int(value)
        case types.Numeric():
            return Decimal(str(value))
        case types.Uuid():
            return uuid.UUID(value) if type_.as_uuid else value
        case types.JSON():
            return value
        case types.String():
            return _text(value)
        case _:
            return value if isinstance(value, str | int | float) else to_json(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else to_json(value)


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).lower()
    if word not in _TRUE | _FALSE:
        raise ValueError("neither true nor false")
    return word in _TRUE


def _is_day(value: Any) -> bool:
    return isinstance(value, str) and len(value) == len("2026-11-29")


def _moment(value: Any) -> datetime:
    """Return the moment of a number of milliseconds or an ISO text, which is in UTC where it does not say."""
    if isinstance(value, str) and not value.strip().isdigit():
        moment = datetime.fromisoformat(value.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    return _EPOCH + timedelta(milliseconds=int(value))
