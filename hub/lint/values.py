"""The values that an expression of a template may have, as far as they are known before an event is there.

A value is a tuple of alternatives, of which one will be true; none at all means that it is never reached.
Alternatives remember the field that they come from and the one-time secret that they hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Empty(Enum):
    """A value that prints as nothing: a missing field, null, or a text that a filter made of nothing.

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
    """A tuple, as a loop unpacks it."""

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

_TEXT_METHODS = frozenset(
    ("startswith", "endswith", "lower", "upper", "strip", "removeprefix", "removesuffix")
)
_FALSE = {"text": ("",), "number": (0,), "boolean": (False,)}


def constant(value: Any) -> Value:
    """Return the value of a literal."""
    if value is None:
        return NULL
    for kind, python in (("boolean", bool), ("text", str), ("number", (int, float))):
        if isinstance(value, python):
            return (Scalar(kind=kind, values=(value,)),)
    return ANY


def union(values: Iterable[Value]) -> Value:
    """Return the value that is one of these."""
    merged = dict.fromkeys(alternative for value in values for alternative in value)
    return ANY if Anything.ANY in merged else tuple(merged)


def is_any(value: Value) -> bool:
    """Return whether a value cannot be followed."""
    return Anything.ANY in value


def without(value: Value, *empties: Empty) -> Value:
    """Return the value without some kinds of emptiness."""
    return tuple(alternative for alternative in value if alternative not in empties)


def present(value: Value) -> Value:
    """Return the value without all that prints as nothing."""
    return without(value, *Empty)


def may_be_empty(value: Value) -> bool:
    """Return whether a value may print as nothing."""
    return any(isinstance(alternative, Empty) for alternative in value)


def defined(value: Value) -> Value:
    """Return the value as it is where it is there, even as null."""
    return without(value, Empty.MISSING, Empty.UNLIKELY)


def truthy(value: Value) -> Value:
    """Return the value as it is where it counts as true."""
    return tuple(kept for alternative in value for kept in _where(alternative, True))


def falsy(value: Value) -> Value:
    """Return the value as it is where it counts as false."""
    return tuple(kept for alternative in value for kept in _where(alternative, False))


def truth(value: Value) -> Value:
    """Return the booleans that a value may count as."""
    values = tuple(boolean for boolean, kept in ((True, truthy(value)), (False, falsy(value))) if kept)
    return (Scalar(kind="boolean", values=values),) if values else ()


def secret_in(value: Value) -> str:
    """Return the path of a one-time secret that printing the value would show; empty where there is none."""
    own = (getattr(alternative, "secret", "") for alternative in value)
    inside = (secret_in(item) for row in value if isinstance(row, Row) for item in row.items)
    return next((secret for secret in (*own, *inside) if secret), "")


def finite(value: Value) -> tuple[Any, ...] | None:
    """Return every constant that the value may be, empty ones left out; None where they are not known."""
    constants: list[Any] = []
    for alternative in present(value):
        if not isinstance(alternative, Scalar) or alternative.values is None:
            return None
        constants += alternative.values
    return tuple(constants)


def same(constant: Any, other: Any) -> bool:
    """Return whether two constants are equal for a template's `==`."""
    return bool(constant == other)


def negated(value: Value) -> Value:
    """Return the booleans of `not value`."""
    return tuple(
        constant(not boolean)[0]
        for scalar in truth(value)
        if isinstance(scalar, Scalar)
        for boolean in scalar.values or ()
    )


def text_of(parts: Iterable[Value]) -> Value:
    """Return a text that is put together from values; nothing more is known of it than its secrets."""
    return (Scalar(kind="text", secret=first_secret(parts)),)


def first_secret(parts: Iterable[Value]) -> str:
    """Return the path of the first one-time secret in values; empty where there is none."""
    return next((secret for part in parts if (secret := secret_in(part))), "")


def is_text(value: Value) -> bool:
    """Return whether a value is a text in any case."""
    return all(isinstance(alternative, Scalar) and alternative.kind == "text" for alternative in value)


def call_text_method(base: Value, method: str, arguments: list[Value]) -> Value:
    """Return the result of a method of texts where all of them are known: `type.startswith("user.")`."""
    if method not in _TEXT_METHODS or len(base) != 1 or len(arguments) > 1:
        return ANY
    texts = finite(base)
    constants = [finite(argument) for argument in arguments]
    if texts is None or not all(isinstance(text, str) for text in texts):
        return ANY
    if not all(known is not None and len(known) == 1 and isinstance(known[0], str) for known in constants):
        return ANY
    given = [known[0] for known in constants if known]
    return union(constant(getattr(text, method)(*given)) for text in texts)


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
        kept = tuple(constant for constant in values if bool(constant) == truth)
    elif truth:
        return (scalar,)
    else:
        kept = _FALSE[scalar.kind]
    return (Scalar(kind=scalar.kind, values=kept, path=scalar.path, secret=scalar.secret),) if kept else ()
