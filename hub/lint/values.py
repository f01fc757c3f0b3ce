"""What an expression of a template may turn out to be, as far as that is known before an event is there.

A value is a tuple of alternatives, of which one will be true; none at all means that it is never reached.
Alternatives remember the field that they come from and the one-time secret that they hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Empty(Enum):
    """What prints as nothing: a field that is not there, null, or a text that a filter found nothing for.

    UNLIKELY is a missing object that its schema neither requires nor lets be null: Clerk always sends these.
    """

    MISSING = "missing"
    NULL = "null"
    BLANK = "blank"
    UNLIKELY = "unlikely"


@dataclass(frozen=True, kw_only=True)
class Scalar:
    """A text, a number or a boolean; `values` are all it can be, None where that is not known."""

    kind: str
    values: tuple[Any, ...] | None = None
    path: str = ""
    secret: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class Listing:
    """A list whose items are all alike."""

    item: Value
    path: str = ""
    secret: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class Record:
    """An object with the fields in `names`, and any others where it is `open`.

    `read` gives the value of a field, None where there is none of that name. `is_filled` means that some
    field is always there, so that the object is never false.
    """

    names: frozenset[str]
    read: Callable[[str], Value | None] = field(repr=False)
    path: str = ""
    secret: str = ""
    open: bool = False
    is_filled: bool = False


@dataclass(frozen=True, kw_only=True)
class Row:
    """A tuple: what a loop unpacks."""

    items: tuple[Value, ...]


class Anything(Enum):
    """A value that cannot be followed: everything is right with it."""

    ANY = "any"


Alternative = Empty | Scalar | Listing | Record | Row | Anything
Value = tuple[Alternative, ...]

ANY: Value = (Anything.ANY,)
MISSING: Value = (Empty.MISSING,)
NULL: Value = (Empty.NULL,)
TEXT: Value = (Scalar(kind="text"),)
NUMBER: Value = (Scalar(kind="number"),)
BOOLEAN: Value = (Scalar(kind="boolean", values=(True, False)),)

_FALSE = {"text": ("",), "number": (0,), "boolean": (False,)}


def constant(value: Any) -> Value:
    """The value of a literal."""
    if value is None:
        return NULL
    for kind, python in (("boolean", bool), ("text", str), ("number", (int, float))):
        if isinstance(value, python):
            return (Scalar(kind=kind, values=(value,)),)
    return ANY


def union(values: Iterable[Value]) -> Value:
    """What is one of these."""
    merged = dict.fromkeys(alternative for value in values for alternative in value)
    return ANY if Anything.ANY in merged else tuple(merged)


def is_any(value: Value) -> bool:
    return Anything.ANY in value


def without(value: Value, *empties: Empty) -> Value:
    return tuple(alternative for alternative in value if alternative not in empties)


def present(value: Value) -> Value:
    """The value without what prints as nothing."""
    return without(value, *Empty)


def may_be_empty(value: Value) -> bool:
    return any(isinstance(alternative, Empty) for alternative in value)


def defined(value: Value) -> Value:
    """The value where it is there, even as null."""
    return without(value, Empty.MISSING, Empty.UNLIKELY)


def truthy(value: Value) -> Value:
    """What the value is where it counts as true."""
    return tuple(kept for alternative in value for kept in _where(alternative, True))


def falsy(value: Value) -> Value:
    """What the value is where it counts as false."""
    return tuple(kept for alternative in value for kept in _where(alternative, False))


def truth(value: Value) -> Value:
    """The booleans that a value may count as."""
    values = tuple(each for each, kept in ((True, truthy(value)), (False, falsy(value))) if kept)
    return (Scalar(kind="boolean", values=values),) if values else ()


def secret_in(value: Value) -> str:
    """The path of a one-time secret that printing the value would tell; empty where there is none."""
    found = (getattr(alternative, "secret", "") for alternative in value)
    inside = (secret_in(item) for row in value if isinstance(row, Row) for item in row.items)
    return next((secret for secret in (*found, *inside) if secret), "")


def finite(value: Value) -> tuple[Any, ...] | None:
    """Every constant that the value may be, leaving out what is empty; None where that is not known."""
    constants: list[Any] = []
    for alternative in present(value):
        if not isinstance(alternative, Scalar) or alternative.values is None:
            return None
        constants += alternative.values
    return tuple(constants)


def same(left: Any, right: Any) -> bool:
    """Whether a template's `==` finds two constants equal."""
    return bool(left == right)


def _where(alternative: Alternative, truth: bool) -> Value:
    if isinstance(alternative, Empty):
        return () if truth else (alternative,)
    if isinstance(alternative, Scalar):
        return _scalar_where(alternative, truth)
    if isinstance(alternative, Row):
        return (alternative,) if truth == bool(alternative.items) else ()
    if isinstance(alternative, Record) and alternative.is_filled:
        return (alternative,) if truth else ()
    return (alternative,)


def _scalar_where(scalar: Scalar, truth: bool) -> Value:
    values = scalar.values
    if values is not None:
        kept = tuple(each for each in values if bool(each) == truth)
    elif truth:
        return (scalar,)
    else:
        kept = _FALSE[scalar.kind]
    return (Scalar(kind=scalar.kind, values=kept, path=scalar.path, secret=scalar.secret),) if kept else ()
