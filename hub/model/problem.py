"""Problems of the user's files, and the codes of all there are."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


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
    """A kind of problem: users name it under a route's `allow`, tools sort by it."""

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

    MISSING_TEMPLATE = "missing-template"
    TEMPLATE_SYNTAX = "template-syntax"

    UNKNOWN_EVENT = "unknown-event"
    UNUSED_DESTINATION = "unused-destination"
    UNREACHABLE_ROUTE = "unreachable-route"
    DUPLICATE_SEND = "duplicate-send"

    UNKNOWN_FIELD = "unknown-field"
    UNKNOWN_VARIABLE = "unknown-variable"
    IMPOSSIBLE_COMPARISON = "impossible-comparison"
    NEVER_TRUE = "never-true"
    EMPTY_VALUE = "empty-value"
    ONE_TIME_SECRET = "one-time-secret"  # noqa: S105 - the code of a problem


def error_at(file: str, line: int, column: int, code: Code, message: str) -> Problem:
    """Return a problem that is an error."""
    return Problem(file=file, line=line, column=column, severity=Severity.ERROR, code=code, message=message)
