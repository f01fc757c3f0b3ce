"""The files below templates/, each with the send blocks and the other files that use it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jinja2
from jinja2 import meta

from hub.config.sends import marks_of
from hub.destinations.base import find_destination
from hub.model.config import Config
from hub.model.routing import PROBLEMS, UNMATCHED, Send
from hub.templating.marks import Inline, Structure, TemplateName
from hub.templating.sandbox import Sandbox


@dataclass(frozen=True, kw_only=True)
class TemplateUse:
    """A file with who uses it: send blocks as (route, destination), and files that include or extend it."""

    file: str
    sends: tuple[tuple[str, str], ...] = ()
    files: tuple[str, ...] = ()


def template_uses(config: Config) -> list[TemplateUse]:
    """Return every template of a configuration by name, those that nothing uses too."""
    syntax = Sandbox(config.templates).syntax
    sends: dict[str, dict[tuple[str, str], None]] = {}
    for route, send in _sends(config):
        for file in _files_of(send, config, syntax):
            sends.setdefault(file, {})[route, send.to] = None
    referring: dict[str, list[str]] = {}
    for file, source in sorted(config.templates.items()):
        for referred in _referred(source, syntax):
            referring.setdefault(referred, []).append(file)
    return [
        TemplateUse(file=file, sends=tuple(sends.get(file, ())), files=tuple(referring.get(file, ())))
        for file in sorted(config.templates)
    ]


def _sends(config: Config) -> Iterator[tuple[str, Send]]:
    for route in config.routes:
        yield from ((route.name, send) for send in route.sends)
    yield from ((UNMATCHED, send) for send in config.unmatched)
    yield from ((PROBLEMS, send) for send in config.problems)


def _files_of(send: Send, config: Config, syntax: jinja2.Environment) -> Iterator[str]:
    """Yield the files that a send block names, as its template or within its own texts."""
    destination = find_destination(config.destinations[send.to].type)
    fields = destination.Send.model_fields.items() if destination else ()
    for name, field in fields:
        value = send.fields.get(field.alias or name)
        for mark in marks_of(field) if value is not None else ():
            if isinstance(mark, TemplateName):
                files = (f"{value}{suffix}" for suffix in mark.suffixes)
                yield from (file for file in files if file in config.templates)
            elif isinstance(mark, Inline | Structure):
                yield from (file for text in _strings(value) for file in _referred(text, syntax))


def _referred(source: str, syntax: jinja2.Environment) -> set[str]:
    """Return the files that a template includes, extends or imports by their written names."""
    if "{%" not in source:
        return set()
    try:
        return {file for file in meta.find_referenced_templates(syntax.parse(source)) if file}
    except jinja2.TemplateSyntaxError:
        return set()


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _strings(item)
