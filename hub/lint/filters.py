"""What filters make of a value, and which of them fail on what is empty."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from jinja2 import nodes

from hub.lint.diagnostics import Remark
from hub.lint.positions import start
from hub.lint.values import (
    ANY,
    MISSING,
    NUMBER,
    TEXT,
    Empty,
    Listing,
    Record,
    Row,
    Scalar,
    Value,
    defined,
    is_any,
    may_be_empty,
    present,
    secret_in,
    truthy,
    union,
)
from hub.model.problem import Code

if TYPE_CHECKING:
    from hub.lint.expressions import Evaluator, Soft

FAIL_ON_NULL = frozenset(
    (
        *("abs", "batch", "count", "dictsort", "filesizeformat", "first", "format", "groupby"),
        *("indent", "items", "join", "last", "length", "list", "max"),
        *("min", "random", "reverse", "round"),
        *("slice", "sort", "sum", "truncate", "unique", "wordwrap", "xmlattr"),
    )
)
FAIL_ON_MISSING = frozenset(
    (
        *("abs", "dictsort", "filesizeformat", "float", "format", "indent", "int", "round"),
        *("wordwrap", "xmlattr"),
    )
)
PRINT_NONE = frozenset(
    (
        *("capitalize", "center", "e", "escape", "forceescape", "lower", "replace", "safe"),
        *("string", "striptags", "title", "trim", "upper", "urlencode", "urlize"),
    )
)
"""What they print for null is the word None."""

TEXT_FILTERS = PRINT_NONE | frozenset(
    ("datetime", "format", "indent", "tojson", "truncate", "wordwrap", "pprint")
)
SAME_LIST = frozenset(("list", "reject", "rejectattr", "reverse", "select", "selectattr", "sort", "unique"))
ONE_ITEM = frozenset(("first", "last", "max", "min", "random"))
NUMBERS = frozenset(("abs", "count", "float", "int", "length", "round", "sum", "wordcount"))
BY_ATTRIBUTE = frozenset(
    ("groupby", "map", "rejectattr", "selectattr", "sort", "unique", "sum", "min", "max", "join")
)
"""Filters of lists that can take the name of a field of the items."""

READ_FIELDS: Mapping[str, tuple[str, ...]] = {
    "full_name": ("first_name", "last_name", "identifier", "username"),
    "primary_email": ("email_addresses",),
}
"""The fields that the hub's own filters read; one of them is enough."""


def filtered(
    evaluator: Evaluator,
    node: nodes.Filter,
    value: Value,
    arguments: list[Value],
    keywords: Mapping[str, Value],
    soft: Soft,
) -> Value:
    """What a filter may return for a value."""
    name = node.name
    if name in ("default", "d"):
        return _default(node, value, arguments, keywords)
    _check_empty(evaluator, node, value)
    if name in READ_FIELDS:
        return _of_person(evaluator, node, value, soft)
    fields = _field_names(node) if name in BY_ATTRIBUTE else {}
    read = {path: _field_of_items(evaluator, value, path, place, soft) for path, place in fields.items()}
    if name == "map":
        found = next(iter(read.values()), ANY)
        return (Listing(item=found, secret=secret_in(found)),)
    if name == "attr" and node.args and isinstance(node.args[0], nodes.Const):
        return evaluator.field(value, str(node.args[0].value), node, soft)
    if name in ("items", "dictsort"):
        return rows(value)
    return _by_family(name, value, next(iter(read.values()), value))


def rows(value: Value) -> Value:
    """The pairs of key and value that a mapping's `.items()` gives."""
    pairs = [Row(items=(TEXT, _any_field(each))) for each in value if isinstance(each, Record)]
    if len(pairs) < len(present(value)):
        return ANY
    return (Listing(item=tuple(pairs)),)


def items_of(value: Value) -> Value:
    """What a loop over the value takes in turn; nothing where there is nothing to take."""
    taken: list[Value] = []
    for each in present(value):
        if isinstance(each, Listing):
            taken.append(each.item)
        elif isinstance(each, Record):
            taken.append(TEXT)
        elif isinstance(each, Row):
            taken += each.items
        elif isinstance(each, Scalar) and each.kind == "text":
            taken.append((Scalar(kind="text", secret=each.secret),))
        else:
            taken.append(ANY)
    return union(taken)


def _by_family(name: str, value: Value, read: Value) -> Value:
    secret = secret_in(read)
    if name in TEXT_FILTERS or name == "join":
        text: Value = (Scalar(kind="text", secret=secret),)
        is_blank = may_be_empty(value) and name not in ("tojson", "join")
        return union((text if present(value) else (), (Empty.BLANK,) if is_blank else ())) or text
    if name in NUMBERS:
        return NUMBER
    if name in SAME_LIST:
        items = items_of(value)
        return (Listing(item=items, secret=secret),)
    if name in ONE_ITEM:
        return union((items_of(value), MISSING))
    if name in ("batch", "slice"):
        return (Listing(item=(Listing(item=items_of(value), secret=secret),), secret=secret),)
    return ANY


def _default(
    node: nodes.Filter, value: Value, arguments: list[Value], keywords: Mapping[str, Value]
) -> Value:
    """`default(x)` replaces what is missing; with `true` behind it everything that is false."""
    otherwise = arguments[0] if arguments else keywords.get("default_value", TEXT)
    if is_any(value):
        return ANY
    is_wide = len(arguments) > 1 or "boolean" in keywords
    return union((truthy(value) if is_wide else defined(value), otherwise))


def _check_empty(evaluator: Evaluator, node: nodes.Filter, value: Value) -> None:
    if node.node is None:
        return
    if node.name in FAIL_ON_NULL:
        evaluator.breaks(node.node, value, f'the filter "{node.name}" fails', Empty.NULL)
    if node.name in FAIL_ON_MISSING:
        evaluator.breaks(node.node, value, f'the filter "{node.name}" fails', Empty.MISSING)
    if node.name in PRINT_NONE:
        evaluator.breaks(node.node, value, f'the filter "{node.name}" writes None then', Empty.NULL)


def _of_person(evaluator: Evaluator, node: nodes.Filter, value: Value, soft: Soft) -> Value:
    """The hub's own filters of users: a text, or nothing where the person has none."""
    wanted = READ_FIELDS[node.name]
    records = [each for each in present(value) if isinstance(each, Record)]
    if len(records) < len(present(value)) or not records:
        return (*TEXT, Empty.BLANK)
    if not any(each.open or each.names & {*wanted} for each in records):
        is_soft = soft.value > 0
        evaluator.notebook.add(
            Remark(
                offset=start(node),
                mark=(node.lineno, node.name),
                code=Code.UNKNOWN_FIELD,
                subject=f"{records[0].path}.{wanted[0]}",
                detail=f"filter {node.name}",
                weak=is_soft,
            )
        )
        return (Empty.BLANK,) if is_soft else (*TEXT, Empty.BLANK)
    evaluator.notebook.clear((node.lineno, node.name))
    return (*TEXT, Empty.BLANK)


def _field_names(node: nodes.Filter) -> dict[str, nodes.Const]:
    """The fields of items that a filter names, each with its place."""
    given = [pair.value for pair in node.kwargs if pair.key == "attribute"]
    if not given and node.name in ("selectattr", "rejectattr", "groupby"):
        given = list(node.args[:1])
    elif not given and node.name == "join":
        given = list(node.args[1:2])
    return {
        each.value: each for each in given if isinstance(each, nodes.Const) and isinstance(each.value, str)
    }


def _field_of_items(evaluator: Evaluator, value: Value, path: str, place: nodes.Const, soft: Soft) -> Value:
    found = items_of(value)
    for name in path.split("."):
        if name.isdigit():
            return ANY
        found = evaluator.field(found, name, place, soft)
    return found


def _any_field(record: Record) -> Value:
    if record.open or not record.names:
        return ANY
    return union(record.read(name) or () for name in sorted(record.names))
