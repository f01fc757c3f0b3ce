"""What the rules make of a case's event, beside what the case expects."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hub.ingest.route import Rules, is_ignored, match
from hub.model.delivery import RAW
from hub.model.event import Event
from hub.model.routing import Routing
from hub.preview.cases.case import Case, Expectation
from hub.preview.renderings import Rendering, renderings_of
from hub.preview.time_limit import MOST_SECONDS, TookTooLong, bounded

_TAG = re.compile("<[^<>]*>")


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One way in which a case fails: at its expectation, or at the case where a message is too many.

    `expected` and `actual` are shown beside each other; None where there is nothing to show.
    """

    line: int
    column: int
    said: str
    expected: str | None = None
    actual: str | None = None


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What came of a case; it passed where nothing differs."""

    case: Case
    differences: tuple[Difference, ...]

    @property
    def passed(self) -> bool:
        return not self.differences


def judge(case: Case, rules: Rules, public_url: str = "") -> Verdict:
    """Run a case: nothing is sent."""
    if is_ignored(rules.config.sources[case.event.source], case.event.type):
        routing = Routing(matched=(), verdicts=())
    else:
        routing = match(rules, case.event)
    sent = [
        Sent(rendering=each, event=case.event)
        for each in renderings_of(routing, case.event, rules, public_url)
    ]
    return Verdict(case=case, differences=tuple(_differences(case, sent, routing, rules)))


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A message that would go out, as an expectation looks at it."""

    rendering: Rendering
    event: Event

    @property
    def place(self) -> str:
        return (
            f"{self.rendering.destination.name} ({self.rendering.destination.type}) by {self.rendering.route}"
        )

    @property
    def text(self) -> str:
        """The text that people read, or the body."""
        message = self.rendering.message or {}
        if message.get(RAW):
            return self.event.payload.decode("utf-8", "replace")
        if "body" in message:
            return str(message["body"])
        text = str(message.get("text", ""))
        return html.unescape(text) if self.rendering.destination.type == "slack" else text

    @property
    def parts(self) -> list[str]:
        """Everything in which a text may stand: as people read it, and as it is sent."""
        message = self.rendering.message or {}
        strings = "\n".join(_strings(message))
        parts = [self.text, strings, html.unescape(strings)]
        if message.get("html"):
            parts.append(html.unescape(_TAG.sub("", message["html"])))
        return parts

    @property
    def json(self) -> Any:
        """The body, parsed, or the message as it is kept. Raises ValueError where the body is no JSON."""
        message = self.rendering.message or {}
        is_body = message.get(RAW) or "body" in message
        return json.loads(self.text) if is_body else message


def _differences(case: Case, sent: list[Sent], routing: Routing, rules: Rules) -> Iterator[Difference]:
    compared = [
        {
            n: list(_mismatches(expectation, each))
            for n, each in enumerate(sent)
            if _is_meant(expectation, each)
        }
        for expectation in case.expect
    ]
    pairs = _pairs(compared)
    for index, expectation in enumerate(case.expect):
        if index in pairs:
            yield from compared[index][pairs[index]]
        else:
            said = _why_missing(expectation, routing, rules)
            yield Difference(line=expectation.line, column=expectation.column, said=said)
    for number, each in enumerate(sent):
        if number not in pairs.values():
            said = f"{each.place}: this message is not expected"
            yield Difference(line=case.line, column=case.column, said=said, actual=_shown(each))
            yield from _failure(each, case.line, case.column)


def _pairs(compared: list[dict[int, list[Difference]]]) -> dict[int, int]:
    """Which message each expectation is compared with: those that fit first, whatever their order."""
    fitting = [[number for number, found in each.items() if not found] for each in compared]
    taken: dict[int, int] = {}
    for index in range(len(compared)):
        _take(index, fitting, taken, set())
    for index, each in enumerate(compared):
        free = [number for number in each if number not in taken]
        if free and index not in taken.values():
            taken[free[0]] = index
    return {index: number for number, index in taken.items()}


def _take(index: int, fitting: list[list[int]], taken: dict[int, int], tried: set[int]) -> bool:
    """Give an expectation a message, if need be by giving another expectation another one."""
    for number in fitting[index]:
        if number not in tried:
            tried.add(number)
            if number not in taken or _take(taken[number], fitting, taken, tried):
                taken[number] = index
                return True
    return False


def _is_meant(expectation: Expectation, sent: Sent) -> bool:
    rendering = sent.rendering
    return expectation.to == rendering.destination.name and expectation.route in (None, rendering.route)


def _why_missing(expectation: Expectation, routing: Routing, rules: Rules) -> str:
    """That a message is missing, and why the routes that could send it did not."""
    by = f" by {expectation.route}" if expectation.route else ""
    said = f"{expectation.to}{by}: nothing is sent there"
    for verdict in routing.verdicts:
        sends = [send.to for send in rules.config.sends_of(verdict.route)]
        if not verdict.matched and expectation.to in sends and expectation.route in (None, verdict.route):
            said += f"; the route {verdict.route} does not take it: {verdict.condition}: {verdict.value}"
    if not rules.config.destinations[expectation.to].enabled:
        said += "; the destination has enabled: false"
    return said


# -- one message ----------------------------------------------------------------------------------


def _mismatches(expectation: Expectation, sent: Sent) -> Iterator[Difference]:
    """Everything in which a message is not what is expected of it."""

    def difference(said: str, expected: str | None = None, actual: str | None = None) -> Difference:
        return Difference(
            line=expectation.line,
            column=expectation.column,
            said=f"{sent.place}: {said}",
            expected=expected,
            actual=actual,
        )

    message = sent.rendering.message
    yield from _failure(sent, expectation.line, expectation.column)
    if message is None:
        return
    for text in expectation.contains:
        if not any(_words(text) in _words(part) for part in sent.parts):
            yield difference("does not contain what is expected", text, _shown(sent))
    for pattern in expectation.matches:
        if said := _unmatched(pattern, sent):
            yield difference(said, pattern, _shown(sent))
    if expectation.equals is not None and expectation.equals.strip() != sent.text.strip():
        yield difference("is not what is expected", expectation.equals.strip(), sent.text.strip())
    if expectation.subject is not None and expectation.subject != message.get("subject"):
        yield difference("has another subject", expectation.subject, str(message.get("subject")))
    if expectation.recipient and sorted(expectation.recipient) != sorted(message.get("to") or ()):
        actual = ", ".join(message.get("to") or ()) or "(not configured)"
        yield difference("goes to another recipient", ", ".join(expectation.recipient), actual)
    if expectation.json is not None:
        yield from (difference(*found) for found in _json_differences(expectation.json, sent))


def _failure(sent: Sent, line: int, column: int) -> Iterator[Difference]:
    """That no message of the user's own could be made."""
    rendering = sent.rendering
    if rendering.failed:
        follows = (
            "the delivery would be dead" if rendering.error else "the built-in message would go out instead"
        )
        said = f"{sent.place}: {rendering.error or rendering.degraded}; {follows}"
        yield Difference(line=line, column=column, said=said)


def _unmatched(pattern: str, sent: Sent) -> str | None:
    """Why a regular expression does not fit; None where it does."""
    try:
        with bounded():
            if any(re.search(pattern, part, re.MULTILINE) for part in sent.parts):
                return None
    except TookTooLong:
        return f"the regular expression took more than {MOST_SECONDS:g} s; make it simpler"
    return "does not match what is expected"


def _json_differences(expected: Any, sent: Sent) -> Iterator[tuple[str, str | None, str | None]]:
    try:
        actual = sent.json
    except ValueError:
        yield "the body is no JSON", None, sent.text
        return
    for path, one, other in _unequal(expected, actual, ""):
        yield f"has other JSON{f' at {path}' if path else ''}", one, other


def _unequal(expected: Any, actual: Any, path: str) -> Iterator[tuple[str, str, str]]:
    """Where a value is not what is expected: objects may have more keys, lists are compared item by item."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        for key, item in expected.items():
            where = f"{path}.{key}" if path else key
            if key in actual:
                yield from _unequal(item, actual[key], where)
            else:
                yield where, _dumped(item), "(missing)"
    elif isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        for index, (one, other) in enumerate(zip(expected, actual, strict=True)):
            yield from _unequal(one, other, f"{path}[{index}]")
    elif expected != actual or isinstance(expected, bool) != isinstance(actual, bool):
        yield path, _dumped(expected), _dumped(actual)


def _dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _shown(sent: Sent) -> str | None:
    """What a failure shows of a message: its text, and what stands in the blocks beside it."""
    message = sent.rendering.message
    if message is None:
        return None
    if not message.get("blocks"):
        return sent.text
    return f"{sent.text}\n{html.unescape(chr(10).join(_strings(message['blocks'])))}"


def _strings(value: Any) -> Iterator[str]:
    """Every text in a message that people read."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            if key != "type":
                yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)


def _words(text: str) -> str:
    """A text without regard to how its lines are broken."""
    return " ".join(text.split())
