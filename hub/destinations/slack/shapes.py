"""Blocks as users write them, held against what Slack takes: shapes, kinds and sizes.

A text with a template or a variable in it may become anything, and is taken for right.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hub.destinations.slack.block_kit import (
    BLOCKS,
    BLOCKS_LIMIT,
    ELEMENTS,
    OTHER_BLOCKS,
    UNTYPED,
    Field,
    Kind,
    Shape,
)
from hub.humanize import did_you_mean, kind_of, listed
from hub.templating.flaws import Flaw, Path, is_dynamic, unknown_name

_TEXT_TYPES = ("plain_text", "mrkdwn")


def check_blocks(value: Any) -> Iterator[Flaw]:
    """Yield what Slack would refuse in a list of blocks, or in a mapping that holds one under `blocks`."""
    path: Path = ()
    if isinstance(value, Mapping) and "blocks" in value:
        path, value = ("blocks",), value["blocks"]
    if not isinstance(value, list):
        yield Flaw(path=path, message=f"must be a list of blocks, not {kind_of(value)}")
        return
    if not 0 < len(value) <= BLOCKS_LIMIT:
        yield Flaw(path=path, message=f"has {len(value)} blocks; Slack takes 1 to {BLOCKS_LIMIT}")
    for index, block in enumerate(value):
        yield from _check_block(block, (*path, index))


def _check_block(block: Any, path: Path) -> Iterator[Flaw]:
    type_ = block.get("type") if isinstance(block, Mapping) else None
    if not isinstance(type_, str):
        message = "a block must be a mapping with a type, such as section"
        yield Flaw(path=path, message=message)
    elif type_ in BLOCKS:
        yield from _check_fields(block, BLOCKS[type_], f"{type_} block", path)
    elif type_ not in OTHER_BLOCKS and not is_dynamic(type_):
        yield unknown_name((*path, "type"), "Slack", "block", type_, (*BLOCKS, *OTHER_BLOCKS))


def _check_fields(value: Mapping[str, Any], kind: Kind, name: str, path: Path) -> Iterator[Flaw]:
    """Check the fields of a block, element or object whose kind is called `name`."""
    unknown = [str(key) for key in value if key not in kind.fields]
    required = [(key,) for key, field in kind.fields.items() if field.required]
    for keys in (*required, *filter(None, (kind.one_of,))):
        # A key that was meant is told of where it stands.
        is_meant = any(did_you_mean(key, keys) for key in unknown)
        if not is_meant and not any(key in value for key in keys):
            yield Flaw(path=path, message=f"{_a(name)} needs {' or '.join(keys)}; add it")
    for key, item in value.items():
        field = kind.fields.get(key)
        if field is None:
            flaw = unknown_name((*path, key), "Slack", f"key of {_a(name)} called", str(key), kind.fields)
            yield Flaw(path=flaw.path, message=flaw.message, is_sure=flaw.is_sure, is_about_key=True)
        else:
            yield from _check_value(item, field, f'"{key}" of {_a(name)}', (*path, key))


def _check_value(value: Any, field: Field, noun: str, path: Path) -> Iterator[Flaw]:
    match field.shape:
        case Shape.STRING | Shape.WORDS | Shape.LINK:
            yield from _check_string(value, field, noun, path)
        case Shape.OBJECT:
            yield from _check_object(value, field, noun, path)
        case Shape.LIST:
            yield from _check_list(value, field, noun, path)


def _check_string(value: Any, field: Field, noun: str, path: Path) -> Iterator[Flaw]:
    if not isinstance(value, str):
        yield Flaw(path=path, message=f"{noun} must be text, not {kind_of(value)}")
    elif not is_dynamic(value):
        yield from _check_size(value, field.limit, noun, path)
        if field.values and value not in field.values:
            close = did_you_mean(value, field.values, f"; it is {' or '.join(field.values)}")
            yield Flaw(path=path, message=f'{noun} cannot be "{value[:60]}"{close}')


def _check_size(value: str, limit: int | None, noun: str, path: Path) -> Iterator[Flaw]:
    if not value.strip():
        yield Flaw(path=path, message=f"{noun} is empty, which Slack refuses")
    elif limit is not None and len(value) > limit:
        yield Flaw(path=path, message=f"{noun} has {len(value)} characters; Slack takes at most {limit}")


def _check_list(value: Any, field: Field, noun: str, path: Path) -> Iterator[Flaw]:
    if not isinstance(value, list):
        yield Flaw(path=path, message=f"{noun} must be a list, not {kind_of(value)}")
        return
    if not value:
        yield Flaw(path=path, message=f"{noun} is empty, which Slack refuses")
    elif field.limit is not None and len(value) > field.limit:
        yield Flaw(path=path, message=f"{noun} has {len(value)} entries; Slack takes at most {field.limit}")
    for index, item in enumerate(value if field.kinds else ()):
        yield from _check_object(item, field, f"an entry in {noun}", (*path, index))


def _check_object(value: Any, field: Field, noun: str, path: Path) -> Iterator[Flaw]:
    if not isinstance(value, Mapping):
        example = ", such as {type: plain_text, text: …}" if field.kinds[0] == "plain_text" else ""
        yield Flaw(path=path, message=f"{noun} must be a mapping{example}, not {kind_of(value)}")
        return
    if field.kinds[0] in UNTYPED:
        yield from _check_fields(value, UNTYPED[field.kinds[0]], field.kinds[0].replace("_", " "), path)
        return
    type_, text = value.get("type"), value.get("text")
    if not isinstance(type_, str):
        yield Flaw(path=path, message=f"{noun} needs a type: {listed(field.kinds)}")
    elif type_ in field.kinds:
        yield from _check_fields(value, ELEMENTS[type_], type_, path)
        if type_ in _TEXT_TYPES and isinstance(text, str) and text.strip() and not is_dynamic(text):
            yield from _check_size(text, field.text_limit, noun, (*path, "text"))
    elif type_ in ELEMENTS:
        message = f"{noun} can be {listed(field.kinds)}, not {type_}"
        yield Flaw(path=(*path, "type"), message=message)
    elif not is_dynamic(type_):
        yield unknown_name((*path, "type"), "Slack", "element", type_, ELEMENTS)


def _a(name: str) -> str:
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
