"""The comparison of one message with one expectation."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from hub.catalog.redaction import Redaction
from hub.model.delivery import Message
from hub.model.parts import PartKind
from hub.preview.cases.actual import ActualMessage
from hub.preview.cases.case import Expectation
from hub.preview.time_limit import LIMIT_SECONDS, TimeLimitExceeded, time_limit


@dataclass(frozen=True, kw_only=True)
class Mismatch:
    """One way in which a case fails: at its expectation, or at the case where a message is too many.

    `expected` and `actual` are shown beside each other; None where there is nothing to show.
    """

    line: int
    column: int
    message: str
    expected: str | None = None
    actual: str | None = None

    def redacted(self, redaction: Redaction) -> Mismatch:
        """Return it without secrets."""
        return replace(
            self,
            message=redaction.own_text(self.message),
            expected=redaction.optional(self.expected),
            actual=None if self.actual is None else redaction.text(self.actual),
        )


def mismatches(expectation: Expectation, actual: ActualMessage) -> Iterator[Mismatch]:
    """Yield every property of a message that is not as expected."""

    def mismatch(message: str, expected: str | None = None, actual_text: str | None = None) -> Mismatch:
        return Mismatch(
            line=expectation.line,
            column=expectation.column,
            message=f"{actual.name}: {message}",
            expected=expected,
            actual=actual_text,
        )

    message = actual.rendering.message
    yield from failures(actual, expectation.line, expectation.column)
    if message is None:
        return
    for text in expectation.contains:
        if not any(_words(text) in _words(actual_text) for actual_text in actual.texts):
            yield mismatch("does not contain what is expected", text, actual.shown)
    for pattern in expectation.matches:
        if problem := _pattern_problem(pattern, actual):
            yield mismatch(problem, pattern, actual.shown)
    texts = (_visible(text) for text in (actual.text, actual.words))
    if expectation.equals is not None and _visible(expectation.equals) not in texts:
        yield mismatch("is not what is expected", expectation.equals.strip(), actual.text.strip())
    if expectation.subject is not None and expectation.subject != _visible(message.get("subject") or ""):
        yield mismatch("has another subject", expectation.subject, str(message.get("subject")))
    if expectation.recipient and sorted(expectation.recipient) != _addresses(message):
        recipients = ", ".join(message.get("to") or ()) or "(not configured)"
        yield mismatch("goes to another recipient", ", ".join(expectation.recipient), recipients)
    if expectation.json is not None:
        yield from (mismatch(*parts) for parts in _json_mismatches(expectation.json, actual))
    if expectation.table is not None or expectation.row is not None:
        yield from (mismatch(*parts) for parts in _row_mismatches(expectation, actual))


def failures(actual: ActualMessage, line: int, column: int) -> Iterator[Mismatch]:
    """Yield the failure to render a message of the user's own, if it failed."""
    rendering = actual.rendering
    if rendering.failed:
        effect = (
            "the delivery would be dead" if rendering.error else "the built-in message would go out instead"
        )
        yield Mismatch(line=line, column=column, message=f"{actual.name}: {rendering.failure}; {effect}")


def _pattern_problem(pattern: str, actual: ActualMessage) -> str | None:
    """Return the reason why a regular expression does not fit; None where it does."""
    try:
        with time_limit():
            if any(re.search(pattern, text, re.MULTILINE) for text in actual.texts):
                return None
    except TimeLimitExceeded:
        return f"the regular expression took more than {LIMIT_SECONDS:g} s; make it simpler"
    return "does not match what is expected"


def _json_mismatches(expected: Any, actual: ActualMessage) -> Iterator[tuple[str, str | None, str | None]]:
    try:
        value = actual.json
    except ValueError:
        yield "the body is no JSON", None, actual.text
        return
    for path, expected_text, actual_text in _unequal(expected, value, ""):
        yield f"has other JSON{f' at {path}' if path else ''}", expected_text, actual_text


def _row_mismatches(
    expectation: Expectation, actual: ActualMessage
) -> Iterator[tuple[str, str | None, str | None]]:
    """Yield what is other in the row of a table, or in the one of several that is most like it.

    A column that is not shown is null.
    """
    written = {part.label: json.loads(part.text) for part in actual.parts if part.kind is PartKind.JSON}
    table = expectation.table or next(iter(written), "any table")
    if table not in written:
        yield f"writes no row of {table}", table, ", ".join(written) or None
        return
    expected = expectation.row or {}
    rows = written[table] if isinstance(written[table], list) else [written[table]]
    whole = [{**dict.fromkeys(expected), **row} for row in rows]
    differences = min((list(_unequal(expected, row, "")) for row in whole), key=len)
    for path, expected_text, actual_text in differences:
        yield f"has another {path} in {table}", expected_text, actual_text


def _unequal(expected: Any, actual: Any, path: str) -> Iterator[tuple[str, str, str]]:
    """Yield path, expected and actual of unequal values.

    Objects may have more keys than expected; lists are compared item by item.
    """
    if isinstance(expected, dict) and isinstance(actual, dict):
        for key, item in expected.items():
            item_path = f"{path}.{key}" if path else key
            if key in actual:
                yield from _unequal(item, actual[key], item_path)
            else:
                yield item_path, _dumped(item), "(missing)"
    elif isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        for index, (one, other) in enumerate(zip(expected, actual, strict=True)):
            yield from _unequal(one, other, f"{path}[{index}]")
    elif expected != actual or isinstance(expected, bool) != isinstance(actual, bool):
        yield path, _dumped(expected), _dumped(actual)


def _addresses(message: Message) -> list[str]:
    return sorted(text.rpartition("<")[2].removesuffix(">") for text in message.get("to") or ())


def _dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _words(text: str) -> str:
    """Return the text without regard to its line breaks."""
    return " ".join(_visible(text).split())


def _visible(text: str) -> str:
    """Return the text without white space at its ends, and without what the filter `plain` puts into it."""
    return text.replace("\u2060", "").strip()
