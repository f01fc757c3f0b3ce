"""The failures of trial runs, told once at their place for all the events that meet them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

from hub import yamldoc
from hub.errors import TemplateError
from hub.lint import line_and_column
from hub.model.config import Config
from hub.model.problem import Code, Problem, Severity
from hub.templating.sandbox import Sandbox, Variables
from hub.yamldoc import Document, Path
from hub.yamldoc.nodes import Position

_EXPRESSION = re.compile(r"\{\{[-+]?(.*?)[-+]?\}\}", re.DOTALL)
_TAG = re.compile(r"\{[{%][-+]?\s*")

_NAMED = 3
"""As many types of events at most are named."""

Place = tuple[str, Position]


@dataclass(kw_only=True)
class _Entry:
    """One failure: the types of events whose samples meet it, and the changes that bring it to others."""

    types: dict[str, None] = field(default_factory=dict)
    changes: dict[str, dict[str, None]] = field(default_factory=dict)


class Failures:
    """The failures so far, each by its place and its message."""

    def __init__(self, config: Config, document: Document, templates_folder: str) -> None:
        self._config = config
        self._document = document
        self._folder = templates_folder
        self._sandbox = Sandbox(config.templates)
        self._entries: dict[tuple[Place, str], _Entry] = {}

    def add(self, place: Place, message: str, type_name: str, change: str) -> None:
        """Add a failure with an event of a type, where a `change` of its sample is needed for it."""
        entry = self._entries.setdefault((place, message), _Entry())
        if change:
            entry.changes.setdefault(change, {})[type_name] = None
        else:
            entry.types[type_name] = None

    def problems(self) -> Iterator[Problem]:
        """Yield each failure: one that a sample meets is an error, else a warning of its first change."""
        for ((file, position), message), entry in self._entries.items():
            if entry.types:
                events = f"with the sample of {_some(entry.types)}"
            else:
                change, types = next(iter(entry.changes.items()))
                events = f"for {_some(types)} where {change}"
            yield Problem(
                file=file,
                line=position.line,
                column=position.column,
                severity=Severity.ERROR if entry.types else Severity.WARNING,
                code=Code.TEMPLATE_FAILS,
                message=f"fails {events}: {message}",
            )

    def place_of_condition(self, path: Path) -> Place:
        """Return the place of a condition."""
        return self._document.file, self._document.within(path, 0)

    def place_of(self, block: Path, error: TemplateError, variables: Variables) -> Place:
        """Return the place at which the send block at a path failed: in a file, or in a text of its own."""
        name = self._template_of(error.template)
        if name is None:
            return self._in_document(self._document, block, f".{error.template}", error, variables)
        file, source = f"{self._folder}/{name}", self._config.templates[name]
        if name.endswith(".yaml"):
            structure = yamldoc.parse(source.encode(), file)[0]
            rest = error.template.removeprefix(name)
            if structure is not None:
                return self._in_document(structure, (), rest, error, variables)
        line, column = line_and_column(source, self._offset(source, error, variables))
        return file, Position(line=line, column=column)

    def _template_of(self, name: str) -> str | None:
        """Return the file that an error names, alone or with a path in its structure."""
        if name in self._config.templates:
            return name
        structures = (file for file in self._config.templates if file.endswith(".yaml"))
        names = (file for file in structures if name.startswith((f"{file}.", f"{file}[")))
        return max(names, key=len, default=None)

    def _in_document(
        self, document: Document, above: Path, name: str, error: TemplateError, variables: Variables
    ) -> Place:
        value = _value_at(document.value, above)
        steps = _steps(value, name)
        if not steps and isinstance(value, dict) and "template" in value:
            steps = ("template",)
        path = (*above, *steps)
        text = _value_at(document.value, path)
        if not isinstance(text, str):
            return document.file, document.at(path)
        return document.file, document.within(path, self._offset(text, error, variables))

    def _offset(self, source: str, error: TemplateError, variables: Variables) -> int:
        """Return the offset of the expression that fails in an error's line, else of its first tag."""
        lines = source.splitlines(keepends=True)
        line = min(error.line or 1, max(len(lines), 1))
        start = sum(map(len, lines[: line - 1]))
        end = start + len(lines[line - 1]) if error.line and lines else len(source)
        for expression in _EXPRESSION.finditer(source, start):
            if expression.start() < end and self._fails(expression[1], error, variables):
                return expression.start(1) + len(expression[1]) - len(expression[1].lstrip())
        tag = _TAG.search(source, start, end)
        return tag.end() if tag else start

    def _fails(self, expression: str, error: TemplateError, variables: Variables) -> bool:
        try:
            self._sandbox.condition(expression.strip())(variables)
        except TemplateError as own:
            return own.message == error.message
        return False


def _value_at(value: Any, path: Path) -> Any:
    for step in path:
        value = value[step]
    return value


def _steps(value: Any, name: str) -> Path:
    """Return the path that a name such as `.json.items[0].id` means in a value, as far as it leads."""
    if isinstance(value, dict):
        for key in sorted(value, key=lambda key: -len(str(key))):
            rest = name.removeprefix(f".{key}")
            if rest != name and (not rest or rest[0] in ".["):
                return (key, *_steps(value[key], rest))
    index = re.match(r"\[(\d+)\]", name)
    if isinstance(value, list) and index and int(index[1]) < len(value):
        return (int(index[1]), *_steps(value[int(index[1])], name[index.end() :]))
    return ()


def _some(types: Collection[str]) -> str:
    names = list(types)
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"
