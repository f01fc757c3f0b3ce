"""Problems of the user's files, and the codes of all there are."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    """An error stops a start or fails `hub check`; a warning fails only `hub check --strict`."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, kw_only=True, order=True)
class Problem:
    """A problem at one place of the user's files. Line and column count from 1."""

    file: str
    line: int
    column: int
    severity: Severity
    code: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.severity}[{self.code}]: {self.message}"


class Code(StrEnum):
    """A kind of problem: users name it under `allow`, tools sort by it."""

    UNREADABLE_FILE = "unreadable-file"
    YAML_SYNTAX = "yaml-syntax"
    DUPLICATE_KEY = "duplicate-key"
    BAD_KEY = "bad-key"
    UNUSED_ANCHOR = "unused-anchor"

    MISSING_KEY = "missing-key"
    UNKNOWN_KEY = "unknown-key"
    WRONG_TYPE = "wrong-type"
    BAD_VALUE = "bad-value"
    BAD_VERSION = "bad-version"
    BAD_NAME = "bad-name"
    BAD_PATH = "bad-path"
    BAD_DURATION = "bad-duration"
    BAD_RATE_LIMIT = "bad-rate-limit"
    BAD_PATTERN = "bad-pattern"
    BAD_SEND = "bad-send"
    BAD_BLOCKS = "bad-blocks"
    DUPLICATE_NAME = "duplicate-name"
    DUPLICATE_PATH = "duplicate-path"

    BAD_VARIABLE = "bad-variable"
    UNSET_VARIABLE = "unset-variable"

    UNKNOWN_TYPE = "unknown-type"
    UNKNOWN_SOURCE = "unknown-source"
    UNKNOWN_DESTINATION = "unknown-destination"
    UNKNOWN_ROUTE = "unknown-route"
    UNKNOWN_CODE = "unknown-code"

    NOT_A_TEMPLATE = "not-a-template"
    NOT_MEANT = "not-meant"
    SECRET_IN_FILE = "secret-in-file"  # noqa: S105 - the code of a problem
    PLAIN_HTTP = "plain-http"

    MISSING_TEMPLATE = "missing-template"
    TEMPLATE_SYNTAX = "template-syntax"

    UNKNOWN_EVENT = "unknown-event"
    UNUSED_DESTINATION = "unused-destination"
    UNREACHABLE_ROUTE = "unreachable-route"
    DUPLICATE_SEND = "duplicate-send"
    UNMIRRORED_EVENT = "unmirrored-event"
    KEPT_FROM_MIRROR = "kept-from-mirror"
    UNFED_TABLE = "unfed-table"

    UNKNOWN_FIELD = "unknown-field"
    UNKNOWN_VARIABLE = "unknown-variable"
    IMPOSSIBLE_COMPARISON = "impossible-comparison"
    NEVER_TRUE = "never-true"
    EMPTY_VALUE = "empty-value"
    ONE_TIME_SECRET = "one-time-secret"  # noqa: S105 - the code of a problem
    TEMPLATE_FAILS = "template-fails"


def error_at(file: str, line: int, column: int, code: Code, message: str) -> Problem:
    """Return a problem that is an error."""
    return Problem(file=file, line=line, column=column, severity=Severity.ERROR, code=code, message=message)


def allowed_codes(value: Any, path: tuple[str | int, ...]) -> frozenset[str]:
    """Return the codes that the route, destination or source around a path allows.

    `value` is the tree of routes.yaml, whose shape may be wrong.
    """
    block = value
    for step in path[:2]:
        is_there = isinstance(block, dict) and step in block
        is_there = is_there or (isinstance(block, list) and isinstance(step, int) and step < len(block))
        block = block[step] if is_there else None
    if path[:1] not in (("routes",), ("destinations",), ("sources",)) or not isinstance(block, dict):
        return frozenset()
    allow = block.get("allow")
    codes = allow if isinstance(allow, list) else [allow]
    return frozenset(code for code in codes if isinstance(code, str))
