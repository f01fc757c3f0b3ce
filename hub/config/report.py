"""The problems of a document, each at the very key or value that it is about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path as FilePath
from typing import Any

from hub.config.variables import MALFORMED, Replaced, places_in, replace_all
from hub.humanize import enumerated, not_set
from hub.model.problem import Code, Problem, Severity, allowed_codes, error_at
from hub.settings import QUOTES, value_fault
from hub.strings import printable, shortened
from hub.yamldoc import Document, Path

LONGEST_MESSAGE = 1000
"""Characters: a key may have a million."""


class Report:
    """A document with its variables replaced, and the problems found in it so far.

    No message repeats what a variable holds: it may be a secret. A warning that the block around it allows is
    left out.

    `value` is the document's tree with variables replaced, unset ones by nothing; `written` has their
    defaults alone, which is what the file says in any environment. Without an environment `${` is text like
    any other. `problems` are those of the file, `tolerated` those of values, and doubts about what has the
    right shape and is surely not meant: a hub starts with them all the same. `misnamed` has the sections that
    are there under a name that is none: what they hold is not known. `files` were read for it.
    """

    def __init__(self, document: Document, environment: Mapping[str, str] | None) -> None:
        self.document = document
        self.problems: list[Problem] = []
        self.tolerated: list[Problem] = []
        self.error_paths: set[Path] = set()
        self.misnamed: set[str | None] = set()
        self.value: Any = document.value
        self.written: Any = document.value
        self.variables: dict[Path, Replaced] = {}
        self.faults: dict[Path, str] = {}
        self.secrets: dict[str, None] = {}
        self.files: dict[FilePath, None] = {}
        self._places: set[Path] = set()
        if environment is not None:
            self.value, self.variables = replace_all(document.value, environment)
            self.written, _ = replace_all(document.value, {})
        self.environment = environment or {}
        for path, replaced in self.variables.items():
            if replaced.malformed is not None:
                self.error(path, Code.BAD_VARIABLE, MALFORMED, offset=replaced.malformed)

    def error(
        self, path: Path, code: Code, message: str, *, key: bool = False, offset: int | None = None
    ) -> None:
        """Add an error about the value at a path; about its key, or one character of it, where so asked."""
        self.error_paths.add(path)
        self._add(path, code, message, Severity.ERROR, offset, self.problems, key=key)

    def warn(
        self, path: Path, code: Code, message: str, *, key: bool = False, offset: int | None = None
    ) -> None:
        """Add a warning, placed as an error is."""
        self._add(path, code, message, Severity.WARNING, offset, self.problems, key=key)

    def unusable(self, path: Path, message: str) -> None:
        """Report that the values of variables at a path are no good, and why, as a part of a sentence."""
        for where in self._related(path):
            names = self.variables[where].set
            if names and where not in self.faults:
                self.faults[where] = f"{enumerated(names)} cannot be used: {message}"
                offset = self._variable_offset(where, names[0])
                self._add(
                    where, Code.BAD_VARIABLE, self.faults[where], Severity.ERROR, offset, self.tolerated
                )

    def tolerate(self, path: Path, code: Code, message: str) -> None:
        """Report an error about the value at a path that comes of the environment: a hub starts with it."""
        self._add(path, code, message, Severity.ERROR, None, self.tolerated)

    def fall_back(self, path: Path) -> None:
        """Let the defaults of a text hold instead of the environment's values."""
        _assign(self.value, path, self.written_at(path))

    def put(self, path: Path, *, written: str | None, value: str | None) -> None:
        """Put other texts in the place of one, as the file alone has it and with values; None leaves it."""
        for tree, text in ((self.written, written), (self.value, value)):
            if text is not None:
                _assign(tree, path, text)

    def leave(self, path: Path) -> None:
        """Let `${NAME}` stay in the texts at or below a path: they are filled in later."""
        for where in self.variables:
            if where[: len(path)] == path:
                self._places.add(where)
                for tree in (self.value, self.written):
                    _assign(tree, where, _value_at(self.document.value, where))

    def keep_secret(self, path: Path) -> None:
        """Note the variables at or below a path as secrets, which nothing may show."""
        for where in self.variables:
            if where[: len(path)] == path:
                text = _value_at(self.document.value, where)
                self.secrets |= dict.fromkeys(place.name for place in places_in(text))

    def doubt(
        self, path: Path, code: Code, message: str, severity: Severity, *, offset: int | None = None
    ) -> None:
        """Add a doubt about the value at a path, placed as an error is; none beside an error about it."""
        if path not in self.error_paths and code not in allowed_codes(self.value, path):
            self._add(path, code, message, severity, offset, self.tolerated)

    def unset_below(self, path: Path) -> dict[Path, tuple[str, ...]]:
        """Return the names of unset variables in each text at or below a path."""
        return {
            where: replaced.unset
            for where, replaced in self.variables.items()
            if replaced.unset and where[: len(path)] == path
        }

    def names_in(self, path: Path) -> tuple[str, ...]:
        """Return the names of the variables in the text at a path, set or not."""
        text = self.raw_at(path)
        return tuple(place.name for place in places_in(text)) if path in self.variables else ()

    def needed_below(self, path: Path) -> dict[Path, tuple[str, ...]]:
        """Return the names of variables without a default in each text at or below a path."""
        return {
            where: replaced.needed
            for where, replaced in self.variables.items()
            if replaced.needed and where[: len(path)] == path
        }

    def warn_unset(self, path: Path, effect: str) -> tuple[str, ...]:
        """Warn of each unset variable at or below a path, with its effect; return their names."""
        names: dict[str, None] = {}
        for where, unset in self.unset_below(path).items():
            for name in unset:
                message = f"{name} is not set: {effect}"
                self.warn(where, Code.UNSET_VARIABLE, message, offset=self._variable_offset(where, name))
                names[name] = None
        return tuple(names)

    def warn_quotes(self, path: Path) -> None:
        """Warn of values at or below a path, where any text is right, that an env file left quotes around."""
        for where, replaced in self.variables.items():
            for name in replaced.set if where[: len(path)] == path else ():
                value = self.environment[name]
                if len(value) > 1 and value[0] == value[-1] and value[0] in QUOTES:
                    message = f"{name} has quotes around its value, which are sent too; are they meant?"
                    self.warn(where, Code.BAD_VARIABLE, message, offset=self._variable_offset(where, name))

    def check_values(self, path: Path) -> None:
        """Report the values of variables at or below a path that are no good wherever they stand."""
        for where in self._related(path):
            for name in self.variables[where].set if where[: len(path)] == path else ():
                if fault := value_fault(self.environment[name]):
                    self.unusable(where, fault)

    def lacking(self, path: Path) -> tuple[str, ...]:
        """Return the names of variables at or below a path that are not set or no good."""
        names: dict[str, None] = {}
        for where, replaced in self.variables.items():
            if where[: len(path)] == path and where not in self._places:
                names |= dict.fromkeys(replaced.unset)
                names |= dict.fromkeys(replaced.set if where in self.faults else ())
        return tuple(names)

    def fault_below(self, path: Path) -> str:
        """Return in words what is wrong with the variables at or below a path; empty where nothing is."""
        unset = dict.fromkeys(name for names in self.unset_below(path).values() for name in names)
        faults = [fault for where, fault in self.faults.items() if where[: len(path)] == path]
        return "; ".join([*([not_set(tuple(unset))] if unset else []), *faults])

    def value_at(self, path: Path) -> Any:
        """Return the value at a path that exists."""
        return _value_at(self.value, path)

    def written_at(self, path: Path) -> Any:
        """Return the value at a path that exists, by the file alone."""
        return _value_at(self.written, path)

    def raw_at(self, path: Path) -> Any:
        """Return the value at a path that exists, with `${NAME}` in its texts."""
        return _value_at(self.document.value, path)

    def texts_of(self, path: Path) -> list[tuple[Path, str]]:
        """Return the texts of a key that takes one or a list, each with its path; none for a missing key."""
        block = self.value_at(path[:-1])
        value = block.get(path[-1]) if isinstance(block, dict) else None
        if isinstance(value, str):
            return [(path, value)]
        items = value if isinstance(value, list) else []
        return [((*path, index), item) for index, item in enumerate(items) if isinstance(item, str)]

    def is_undecided(self, path: Path) -> bool:
        """Return True where the file alone does not say the value at a path: a variable has no default."""
        related = (self.variables[where] for where in self._related(path))
        return any(replaced.needed or replaced.malformed is not None for replaced in related)

    def is_replaced(self, path: Path) -> bool:
        """Return True where a variable is part of the text at a path: no message repeats such a text."""
        return path in self.variables and path not in self._places

    def has_variables(self, path: Path) -> bool:
        """Return True where the value at a path has any variable in it that is replaced."""
        return any(True for _ in self._related(path))

    def has_values(self, path: Path) -> bool:
        """Return True where the value at a path has any of the environment in it."""
        return any(self.variables[where].set for where in self._related(path))

    def has_comment_behind(self, path: Path) -> bool:
        """Return whether a comment takes the place of a key's value: `channel: #sales`."""
        return self.document.comment_follows(path)

    def nothing_called(self, path: Path, noun: str, name: str) -> str:
        """Return the beginning of a message about a name that nothing has."""
        if self.is_replaced(path):
            return f"the variable here names no {noun}"
        return f'there is no {noun} "{name}"'

    def _related(self, path: Path) -> Iterator[Path]:
        """Yield the replaced texts at, below or above a path."""
        for where in self.variables:
            if where not in self._places and where[: len(path)] == path[: len(where)]:
                yield where

    def _without_values(self, message: str, path: Path) -> str:
        """Return a message without the value of any variable at or below a path."""
        for where, replaced in self.variables.items():
            if where[: len(path)] == path:
                for name in replaced.set:
                    value = self.environment.get(name, "")
                    message = message.replace(value, f"${{{name}}}") if len(value) >= 8 else message
        return message

    def _variable_offset(self, path: Path, name: str) -> int:
        """Return the offset of a variable in the text as the user wrote it."""
        return max(str(self.raw_at(path)).find("${" + name), 0)

    def _add(
        self,
        path: Path,
        code: Code,
        message: str,
        severity: Severity,
        offset: int | None,
        problems: list[Problem],
        *,
        key: bool = False,
    ) -> None:
        if severity is Severity.WARNING and code in allowed_codes(self.value, path):
            return
        position = self.document.key_at(path) if key else self.document.at(path)
        if offset is not None:
            position = self.document.within(path, offset)
        problems.append(
            Problem(
                file=self.document.file,
                line=position.line,
                column=position.column,
                severity=severity,
                code=code,
                message=self._without_values(message, path),
            )
        )


def _value_at(tree: Any, path: Path) -> Any:
    for step in path:
        tree = tree[step]
    return tree


def _assign(tree: Any, path: Path, value: Any) -> None:
    _value_at(tree, path[:-1])[path[-1]] = value


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
