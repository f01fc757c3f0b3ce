"""The problems of a document, each at the very key or value that it is about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path as FilePath
from typing import Any

from hub.config.variables import MALFORMED, Replaced, replace_all
from hub.model.problem import Code, Problem, Severity, error_at
from hub.strings import printable, shortened
from hub.yamldoc import Document, Path

LONGEST_MESSAGE = 1000
"""Characters: a key may have a million."""


class Report:
    """A document with its variables replaced, and the problems found in it so far.

    No message repeats what a variable holds: it may be a secret.

    `value` is the document's tree with variables replaced, unset ones by nothing. Without an environment
    `${` is text like any other.
    """

    def __init__(self, document: Document, environment: Mapping[str, str] | None) -> None:
        self.document = document
        self.problems: list[Problem] = []
        self.value: Any = document.value
        self.variables: dict[Path, Replaced] = {}
        if environment is not None:
            self.value, self.variables = replace_all(document.value, environment)
        self._environment = environment or {}
        for path, replaced in self.variables.items():
            if replaced.malformed is not None:
                self.error(path, Code.BAD_VARIABLE, MALFORMED, offset=replaced.malformed)

    def error(
        self, path: Path, code: Code, message: str, *, key: bool = False, offset: int | None = None
    ) -> None:
        """Add an error about the value at a path; about its key, or one character of it, where so asked."""
        self._add(path, code, message, Severity.ERROR, key, offset)

    def warn(
        self, path: Path, code: Code, message: str, *, key: bool = False, offset: int | None = None
    ) -> None:
        """Add a warning, placed as an error is."""
        self._add(path, code, message, Severity.WARNING, key, offset)

    def unset_below(self, path: Path) -> dict[Path, tuple[str, ...]]:
        """Return the names of unset variables in each text at or below a path."""
        return {
            where: replaced.unset
            for where, replaced in self.variables.items()
            if replaced.unset and where[: len(path)] == path
        }

    def names_in(self, path: Path) -> tuple[str, ...]:
        """Return the names of the variables in the text at a path, set or not."""
        replaced = self.variables.get(path)
        return (*replaced.set, *replaced.unset) if replaced else ()

    def warn_unset(self, path: Path, effect: str) -> tuple[str, ...]:
        """Warn of each unset variable at or below a path, with its effect; return their names."""
        names: dict[str, None] = {}
        for where, unset in self.unset_below(path).items():
            for name in unset:
                message = f"{name} is not set: {effect}"
                self.warn(where, Code.UNSET_VARIABLE, message, offset=self._variable_offset(where, name))
                names[name] = None
        return tuple(names)

    def value_at(self, path: Path) -> Any:
        """Return the value at a path that exists."""
        value = self.value
        for step in path:
            value = value[step]
        return value

    def texts_of(self, path: Path) -> list[tuple[Path, str]]:
        """Return the texts of a key that takes one or a list, each with its path; none for a missing key."""
        block = self.value_at(path[:-1])
        value = block.get(path[-1]) if isinstance(block, dict) else None
        if isinstance(value, str):
            return [(path, value)]
        items = value if isinstance(value, list) else []
        return [((*path, index), item) for index, item in enumerate(items) if isinstance(item, str)]

    def is_open(self, path: Path) -> bool:
        """Return whether the value at a path depends on an unset or malformed variable."""
        return any(
            (replaced.unset or replaced.malformed is not None) and where[: len(path)] == path[: len(where)]
            for where, replaced in self.variables.items()
        )

    def is_replaced(self, path: Path) -> bool:
        """Return whether a variable is part of the text at a path: no message repeats such a text."""
        return path in self.variables

    def has_comment_behind(self, path: Path) -> bool:
        """Return whether a comment takes the place of a key's value: `channel: #sales`."""
        return self.document.comment_follows(path)

    def nothing_called(self, path: Path, noun: str, name: str) -> str:
        """Return the beginning of a message about a name that nothing has."""
        if self.is_replaced(path):
            return f"the variable here names no {noun}"
        return f'there is no {noun} "{name}"'

    def _without_values(self, message: str, path: Path) -> str:
        """Return a message without the value of any variable at or below a path."""
        for where, replaced in self.variables.items():
            if where[: len(path)] == path:
                for name in replaced.set:
                    value = self._environment.get(name, "")
                    message = message.replace(value, f"${{{name}}}") if len(value) >= 8 else message
        return message

    def _variable_offset(self, path: Path, name: str) -> int:
        """Return the offset of a variable in the text as the user wrote it."""
        value: Any = self.document.value
        for step in path:
            value = value[step]
        return max(str(value).find("${" + name), 0)

    def _add(
        self, path: Path, code: Code, message: str, severity: Severity, key: bool, offset: int | None
    ) -> None:
        position = self.document.key_at(path) if key else self.document.at(path)
        if offset is not None:
            position = self.document.within(path, offset)
        self.problems.append(
            Problem(
                file=self.document.file,
                line=position.line,
                column=position.column,
                severity=severity,
                code=code,
                message=self._without_values(message, path),
            )
        )


def unreadable(path: FilePath, message: str) -> Problem:
    """Return the problem of a file that cannot be read at all."""
    return error_at(path.as_posix(), 1, 1, Code.UNREADABLE_FILE, message)


def presentable(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return the problems with files and messages of one line each: keys and file names may hold anything."""
    return tuple(
        replace(problem, file=_one_line(problem.file), message=_one_line(problem.message))
        for problem in problems
    )


def _one_line(text: str) -> str:
    return shortened(printable(text, instead="\N{REPLACEMENT CHARACTER}"), LONGEST_MESSAGE)
