"""Cards as users write them, held against https://adaptivecards.io/explorer and what a Workflow can show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hub.humanize import kind_of
from hub.templating.flaws import Flaw, Path, is_dynamic, unknown_name

ELEMENTS: Mapping[str, tuple[str, ...]] = {
    "ActionSet": ("actions",),
    "ColumnSet": (),
    "Container": ("items",),
    "FactSet": ("facts",),
    "Image": ("url",),
    "ImageSet": ("images",),
    "Media": ("sources",),
    "RichTextBlock": ("inlines",),
    "Table": (),
    "TextBlock": ("text",),
}
"""Every element that shows something, with the keys that it needs."""

ACTIONS: Mapping[str, tuple[str, ...]] = {
    "Action.OpenUrl": ("url",),
    "Action.ShowCard": ("card",),
    "Action.ToggleVisibility": ("targetElements",),
}

_DEAF = ("Action.Submit", "Action.Execute")
_CHILDREN = ("body", "items", "actions", "facts", "columns", "images")


def check_card(value: Any) -> Iterator[Flaw]:
    """Yield what is wrong in a card, in a list that is its body, or in a mapping with one under `card`."""
    path: Path = ()
    if isinstance(value, Mapping) and "card" in value:
        path, value = ("card",), value["card"]
    if isinstance(value, list):
        yield from _check_all(value, path)
    elif not isinstance(value, Mapping):
        yield Flaw(path=path, message=f"must be a card, a mapping with a body, not {kind_of(value)}")
    elif "attachments" in value:
        message = "write the card alone: what stands under content of the attachment"
        yield Flaw(path=(*path, "attachments"), message=message, is_about_key=True)
    elif not isinstance(value.get("body", []), list):
        message = f"body must be a list of elements, not {kind_of(value['body'])}"
        yield Flaw(path=(*path, "body"), message=message)
    elif not value.get("body") and not value.get("actions"):
        yield Flaw(path=path, message="a card needs a body; add it")
    else:
        yield from _check_children(value, path)


def _check_all(items: list[Any], path: Path) -> Iterator[Flaw]:
    for index, item in enumerate(items):
        yield from _check(item, (*path, index))


def _check_children(value: Mapping[str, Any], path: Path) -> Iterator[Flaw]:
    for key in _CHILDREN:
        if isinstance(value.get(key), list):
            yield from _check_all(value[key], (*path, key))
    if isinstance(value.get("card"), Mapping):
        yield from _check_children(value["card"], (*path, "card"))


def _check(value: Any, path: Path) -> Iterator[Flaw]:
    """Yield the flaws of an element, an action, a column or a fact."""
    parent = next((step for step in reversed(path) if isinstance(step, str)), "body")
    if not isinstance(value, Mapping):
        yield Flaw(path=path, message=f"must be a mapping, not {kind_of(value)}")
        return
    if parent == "facts":
        yield from _lacking(value, "a fact", ("title", "value"), path)
        return
    type_ = value.get("type")
    if parent == "columns":
        yield from _check_children(value, path)
    elif not isinstance(type_, str):
        example = "Action.OpenUrl" if parent == "actions" else "TextBlock"
        yield Flaw(path=path, message=f"needs a type, such as {example}; add it")
    elif type_ in _DEAF or type_.startswith("Input."):
        message = f"{type_} does nothing here: nobody takes the answers to a card of a Workflow"
        yield Flaw(path=(*path, "type"), message=message, is_sure=False)
    else:
        yield from _check_kind(value, type_, ACTIONS if parent == "actions" else ELEMENTS, path)


def _check_kind(
    value: Mapping[str, Any], type_: str, kinds: Mapping[str, tuple[str, ...]], path: Path
) -> Iterator[Flaw]:
    if type_ in kinds:
        article = "an" if type_[0] in "AI" else "a"
        yield from _lacking(value, f"{article} {type_}", kinds[type_], path)
        yield from _check_children(value, path)
    elif not is_dynamic(type_):
        noun = "action" if kinds is ACTIONS else "element"
        yield unknown_name((*path, "type"), "a card", noun, type_, kinds)


def _lacking(value: Mapping[str, Any], noun: str, keys: tuple[str, ...], path: Path) -> Iterator[Flaw]:
    for key in keys:
        if key not in value:
            yield Flaw(path=path, message=f"{noun} needs {key}; add it")
