"""Filters: the values that they return, and those of them that fail on what is empty."""

from __future__ import annotations

from collections.abc import Mapping

from jinja2 import nodes

from hub.lint.access import Access, Strictness
from hub.lint.diagnostics import Observation
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
"""The filters that print the word None for null."""

TEXT_FILTERS = PRINT_NONE | frozenset(
    ("datetime", "format", "indent", "no_links", "plain", "tojson", "truncate", "wordwrap", "pprint")
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
    "primary_phone": ("phone_numbers",),
    "primary_wallet": ("web3_wallets",),
}
"""The fields that the hub's own filters read; one of them is enough."""


def filtered(
    access: Access,
    node: nodes.Filter,
    value: Value,
    arguments: list[Value],
    keywords: Mapping[str, Value],
    strictness: Strictness,
) -> Value:
    """Return the value of a filter that is applied to a value."""
    name = node.name
    if name in ("default", "d"):
        return _default(value, arguments, keywords)
    _check_empty(access, node, value)
    if name in READ_FIELDS:
        return _of_person(access, node, value, strictness)
    fields = _field_names(node) if name in BY_ATTRIBUTE else {}
    read = [_field_of_items(access, value, path, naming, strictness) for path, naming in fields.items()]
    if name == "map":
        item = read[0] if read else ANY
        return (Listing(item=item, secret=secret_in(item)),)
    if name == "attr" and node.args and isinstance(node.args[0], nodes.Const):
        return access.field(value, str(node.args[0].value), node, strictness)
    if name in ("items", "dictsort"):
        return rows(value)
    return _by_family(name, value, read[0] if read else value)


def rows(value: Value) -> Value:
    """Return the list of pairs that a mapping's `.items()` gives."""
    pairs = [Row(items=(TEXT, _any_field(record))) for record in value if isinstance(record, Record)]
    if len(pairs) < len(present(value)):
        return ANY
    return (Listing(item=tuple(pairs)),)


def items_of(value: Value) -> Value:
    """Return the value of each item that a loop over the value takes; no alternative where there is none."""
    taken: list[Value] = []
    for alternative in present(value):
        if isinstance(alternative, Listing):
            taken.append(alternative.item)
        elif isinstance(alternative, Record):
            taken.append(TEXT)
        elif isinstance(alternative, Row):
            taken += alternative.items
        elif isinstance(alternative, Scalar) and alternative.kind == "text":
            taken.append((Scalar(kind="text", secret=alternative.secret),))
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


def _default(value: Value, arguments: list[Value], keywords: Mapping[str, Value]) -> Value:
    """Return the value of `default(x)`, which replaces a missing value; with `true` behind it a false one."""
    otherwise = arguments[0] if arguments else keywords.get("default_value", TEXT)
    if is_any(value):
        return ANY
    is_wide = len(arguments) > 1 or "boolean" in keywords
    return union((truthy(value) if is_wide else defined(value), otherwise))


def _check_empty(access: Access, node: nodes.Filter, value: Value) -> None:
    if node.node is None:
        return
    if node.name in FAIL_ON_NULL:
        access.observe_empty(node.node, value, f'the filter "{node.name}" fails', Empty.NULL)
    if node.name in FAIL_ON_MISSING:
        access.observe_empty(node.node, value, f'the filter "{node.name}" fails', Empty.MISSING)
    if node.name in PRINT_NONE:
        access.observe_empty(node.node, value, f'the filter "{node.name}" writes None then', Empty.NULL)


def _of_person(access: Access, node: nodes.Filter, value: Value, strictness: Strictness) -> Value:
    """Return the value of the hub's own filters of users: a text, or nothing where the person has none."""
    wanted = READ_FIELDS[node.name]
    records = [record for record in present(value) if isinstance(record, Record)]
    if len(records) < len(present(value)) or not records:
        return (*TEXT, Empty.BLANK)
    if not any(record.open or record.names & {*wanted} for record in records):
        is_lenient = strictness is not Strictness.STRICT
        access.observations.add(
            Observation(
                offset=start(node),
                site=(node.lineno, node.name),
                code=Code.UNKNOWN_FIELD,
                subject=f"{records[0].path}.{wanted[0]}",
                detail=f"filter {node.name}",
                weak=is_lenient,
            )
        )
        return (Empty.BLANK,) if is_lenient else (*TEXT, Empty.BLANK)
    access.observations.add_right((node.lineno, node.name))
    return (*TEXT, Empty.BLANK)


def _field_names(node: nodes.Filter) -> dict[str, nodes.Const]:
    """Return the fields of items that a filter names, each with the node that names it."""
    given = [pair.value for pair in node.kwargs if pair.key == "attribute"]
    if not given and node.name in ("selectattr", "rejectattr", "groupby"):
        given = list(node.args[:1])
    elif not given and node.name == "join":
        given = list(node.args[1:2])
    return {
        name.value: name for name in given if isinstance(name, nodes.Const) and isinstance(name.value, str)
    }


def _field_of_items(
    access: Access, value: Value, path: str, node: nodes.Const, strictness: Strictness
) -> Value:
    field = items_of(value)
    for name in path.split("."):
        if name.isdigit():
            return ANY
        field = access.field(field, name, node, strictness)
    return field


def _any_field(record: Record) -> Value:
    if record.open or not record.names:
        return ANY
    return union(record.read(name) or () for name in sorted(record.names))
