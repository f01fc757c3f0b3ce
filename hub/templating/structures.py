"""Structures of messages (blocks, embeds, cards): parsed, then rendered, each string as its place needs.

So no value can break out of one.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from hub import yamldoc
from hub.errors import TemplateError
from hub.model.problem import Severity
from hub.templating.escapes import Escape

Keys = tuple[str, ...]
"""The keys on the way to a string in a structure, outermost first; the indexes of lists are left out."""


class Texts(Protocol):
    """The templates of a send block, with the variables of one event in scope."""

    def text(self, source: str, escape: Escape, *, name: str) -> str: ...

    def structure(self, value: Any, escape: Escape, *, name: str) -> Any: ...

    def file(self, name: str, escape: Escape) -> str: ...

    def exists(self, name: str) -> bool: ...

    def source(self, name: str) -> str: ...


def text_and_structure(
    kind: str,
    fields: Mapping[str, Any],
    texts: Texts,
    escape: Escape,
    escape_at: Callable[[Keys], Escape],
) -> tuple[str, Any]:
    """Return what a send block has as its text and as its structure, rendered; None where it has none.

    `kind` is the structure's key in the block, and the end of its file's name: `NAME.embeds.yaml` beside
    `NAME.j2`, whose text goes with it. In the file it may stand under that key, or alone. `escape` is that of
    the text, `escape_at` says those in the structure. Raises TemplateError.
    """
    template = fields.get("template")
    if template is None:
        text = texts.text(fields.get("text") or "", escape, name="text")
        value = fields.get(kind)
        return text.strip(), rendered(value, texts, escape_at, kind) if value else None
    file = f"{template}.{kind}.yaml"
    if not texts.exists(file):
        return texts.file(f"{template}.j2", escape).strip(), None
    text = texts.file(f"{template}.j2", escape) if texts.exists(f"{template}.j2") else ""
    value = parsed(file, texts.source(file))
    value = value[kind] if isinstance(value, Mapping) and kind in value else value
    return text.strip(), rendered(value, texts, escape_at, file)


def rendered(
    value: Any, texts: Texts, escape_at: Callable[[Keys], Escape], name: str, keys: Keys = ()
) -> Any:
    """Return a structure with every string in it rendered, with the escape for its place; its shape stays.

    `name` is what an error calls it. Raises TemplateError.
    """
    if isinstance(value, Mapping):
        return {
            key: rendered(item, texts, escape_at, f"{name}.{key}", (*keys, str(key)))
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [
            rendered(item, texts, escape_at, f"{name}[{index}]", keys) for index, item in enumerate(value)
        ]
    return texts.structure(value, escape_at(keys), name=name)


@functools.lru_cache(maxsize=64)
def parsed(name: str, source: str) -> Any:
    """Return the structure in a file's YAML, unrendered; raises TemplateError where it is none."""
    document, problems = yamldoc.parse(source.encode(), name)
    errors = [problem for problem in problems if problem.severity is Severity.ERROR]
    if errors or document is None:
        raise TemplateError(
            name, errors[0].line if errors else None, errors[0].message if errors else "is empty"
        )
    return document.value
