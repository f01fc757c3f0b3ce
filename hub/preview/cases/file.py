"""routes.test.yaml -> Case, or every problem at once, each with its line and column.

The user's tests of routes: an event, and every message that must come of it. Nothing runs here.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path as FilePath
from typing import Annotated, Any

from pydantic import Field

from hub import catalog, yamldoc
from hub.config.report import Report, presentable, unreadable
from hub.config.shape import check_shape
from hub.config.values import Texts
from hub.destinations.base import Block, find_destination
from hub.errors import HubError
from hub.humanize import did_you_mean, kind_of, there_are
from hub.model.config import Config
from hub.model.event import Event
from hub.model.problem import Code, Problem
from hub.model.routing import UNMATCHED
from hub.preview.cases.case import Case, Expectation
from hub.yamldoc import Path

LONGEST_PATTERN = 1000
EVENT_ID = "evt_test"
"""The same each time, so that a message with a link can be expected word by word."""


class CaseBlock(Block):
    """One test: an event, and every message that must come of it."""

    name: Annotated[str, Field(min_length=1, max_length=200)] = Field(
        description="what is tested, unlike any other"
    )
    event: str | None = Field(default=None, description="the event's type; the catalog has a sample of it")
    payload: str | None = Field(
        default=None, description="a file with the event's JSON instead, its path as seen from this file"
    )
    source: str | None = Field(default=None, description="the source it comes from; left out: the first")
    set: dict[str, Any] = Field(
        default={}, description="values to change: data.email_address: ada@example.com"
    )
    expect: Any = Field(description="every message that must come of it, unmatched included; []: none")


class ExpectBlock(Block):
    """A message that must be sent, and what must be true of it."""

    to: str = Field(description="the name of a destination")
    route: str | None = Field(default=None, description="the route that sends it, or unmatched")
    contains: Texts | None = Field(default=None, description="stands anywhere in the message, as it is read")
    matches: Texts | None = Field(
        default=None, description="a regular expression that fits somewhere in the message"
    )
    equals: str | None = Field(default=None, description="is the whole text, plain-text part or body")
    json_: Any = Field(
        default=None,
        alias="json",
        description="stands in the body; other keys may stand beside these. Not http: in the message",
    )
    subject: str | None = Field(default=None, description="the mail's subject")
    recipient: Texts | None = Field(default=None, description="whom the mail goes to")


_OF_MAIL = ("subject", "recipient")


def read_cases(path: FilePath, config: Config) -> tuple[tuple[Case, ...], tuple[Problem, ...]]:
    """The cases of a file that are right, and all that is wrong with the others."""
    try:
        with path.open("rb") as file:
            content = file.read(yamldoc.FILE_LIMIT_BYTES + 1)
    except OSError as error:
        reason = "there is no such file" if isinstance(error, FileNotFoundError) else error.strerror
        said = f"the tests cannot be read: {reason}"
        return (), (unreadable(path, said),)
    tree, problems = yamldoc.parse(content, path.as_posix())
    if tree is None:
        return (), presentable(problems)
    report = Report(tree, None)
    cases = _Reader(report, path.parent, config).read()
    return cases, presentable(sorted({*problems, *report.problems}))


class _Reader:
    """Reads the cases of one file against one configuration."""

    def __init__(self, report: Report, folder: FilePath, config: Config) -> None:
        self._report = report
        self._folder = folder
        self._config = config
        self._now = datetime.now(UTC)

    def read(self) -> tuple[Case, ...]:
        value = self._report.value
        if value is None:
            return ()
        if not isinstance(value, list):
            said = f'the file must be a list of cases, each beginning with "- name:", not {kind_of(value)}'
            self._report.error((), Code.WRONG_TYPE, said)
            return ()
        cases = [self._read_case((index,)) for index in range(len(value))]
        self._check_names(value)
        return tuple(case for case in cases if case is not None)

    def _check_names(self, values: list[Any]) -> None:
        first_lines: dict[str, int] = {}
        for index, value in enumerate(values):
            name = value.get("name") if isinstance(value, dict) else None
            if not isinstance(name, str) or not name:
                continue
            if name in first_lines:
                said = (
                    f'the case in line {first_lines[name]} is called "{name}" already; give each its own name'
                )
                self._report.error((index, "name"), Code.DUPLICATE_NAME, said)
            first_lines.setdefault(name, self._report.document.at((index, "name")).line)

    def _read_case(self, path: Path) -> Case | None:
        value = self._report.value_at(path)
        name = value.get("name") if isinstance(value, dict) else None
        noun = f'the case "{name}"' if isinstance(name, str) and name and len(name) <= 200 else "a case"
        block = check_shape(self._report, path, CaseBlock, value, noun=noun)
        if not isinstance(value, dict):
            return None
        expectations = tuple(self._read_expectations((*path, "expect"), value.get("expect")))
        event = self._read_event(path, value, is_whole=block is not None)
        if block is None or event is None:
            return None
        place = self._report.document.at(path)
        return Case(name=block.name, event=event, expect=expectations, line=place.line, column=place.column)

    # -- the event ----------------------------------------------------------------------------

    def _read_event(self, path: Path, value: Mapping[str, Any], *, is_whole: bool) -> Event | None:
        source = self._source(path, value.get("source"))
        if value.get("event") is None and value.get("payload") is None:
            if is_whole:
                said = (
                    "a case needs an event: its type, such as user.created, or payload: a file with its JSON"
                )
                self._report.error(path, Code.MISSING_KEY, said)
            return None
        body = self._body(path, value)
        if body is None or source is None:
            return None
        is_sample = value.get("payload") is None
        changes = value.get("set")
        for where, item in changes.items() if isinstance(changes, dict) else ():
            try:
                if is_sample:
                    catalog.check_start(body, where)
                catalog.assign(body, where, deepcopy(item))
            except HubError as error:
                self._report.error((*path, "set", where), Code.BAD_PATH, str(error), key=True)
        type_ = value.get("event") or body.get("type")
        return Event(
            id=EVENT_ID,
            source=source,
            message_id="msg_test",
            type=str(type_),
            payload=catalog.json_bytes(body),
            received_at=self._now,
        )

    def _source(self, path: Path, name: Any) -> str | None:
        known = self._config.sources
        if name is None:
            return next(iter(known), "")
        if isinstance(name, str) and name not in known:
            close = did_you_mean(name, known, there_are(known, "; add it under sources"))
            self._report.error((*path, "source"), Code.UNKNOWN_SOURCE, f'there is no source "{name}"{close}')
            return None
        return name if isinstance(name, str) else None

    def _body(self, path: Path, value: Mapping[str, Any]) -> dict[str, Any] | None:
        """The event's body before `set`; None where there is none, which is reported."""
        type_, file = value.get("event"), value.get("payload")
        if file is None:
            return self._sample(path, type_)
        body = self._payload((*path, "payload"), file)
        if body is None:
            return None
        found = body.get("type", type_)
        if type_ is None and not isinstance(found, str):
            said = f'"{file}" does not say which "type" the event is of; add event: to this case'
            self._report.error((*path, "payload"), Code.MISSING_KEY, said)
            return None
        if type_ is not None and found != type_:
            said = f'"{file}" holds an event of type "{found}"; name that one, or leave event out'
            self._report.error((*path, "event"), Code.BAD_VALUE, said)
            return None
        return {"type": found, **body}

    def _sample(self, path: Path, type_: Any) -> dict[str, Any] | None:
        if not isinstance(type_, str):
            return None
        if catalog.find_event_type(type_) is None:
            said = f"{catalog.unknown_event_type(type_)}; for one of your own, name a file as payload"
            self._report.error((*path, "event"), Code.UNKNOWN_EVENT, said)
            return None
        return catalog.sample(type_)

    def _payload(self, path: Path, name: Any) -> dict[str, Any] | None:
        if not isinstance(name, str):
            return None
        try:
            with (self._folder / name).open("rb") as file:
                return catalog.read_body(file.read(catalog.BODY_LIMIT_BYTES + 1))
        except HubError as error:
            said = f'"{name}" {error}'
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "this is no file name"
            said = f'"{name}" cannot be read: {reason.lower()}; paths begin at the folder of this file'
        self._report.error(path, Code.UNREADABLE_FILE, said)
        return None

    # -- what is expected ---------------------------------------------------------------------

    def _read_expectations(self, path: Path, value: Any) -> Iterator[Expectation]:
        if value is None:
            return
        if not isinstance(value, list):
            said = f'"expect" must be a list of messages, [] for none, not {kind_of(value)}'
            self._report.error(path, Code.WRONG_TYPE, said)
            return
        for index in range(len(value)):
            expectation = self._read_expectation((*path, index))
            if expectation is not None:
                yield expectation

    def _read_expectation(self, path: Path) -> Expectation | None:
        value = self._report.value_at(path)
        if isinstance(value, str):
            value = {"to": value}
        block = check_shape(self._report, path, ExpectBlock, value, noun="an expected message")
        if not isinstance(value, dict):
            return None
        self._check_names_in(path, value)
        self._check_patterns(path)
        if block is None:
            return None
        place = self._report.document.at(path)
        return Expectation(
            to=block.to,
            route=block.route,
            contains=tuple(block.contains or ()),
            matches=tuple(block.matches or ()),
            equals=block.equals,
            json=block.json_,
            subject=block.subject,
            recipient=tuple(block.recipient or ()),
            line=place.line,
            column=place.column,
        )

    def _check_names_in(self, path: Path, value: Mapping[str, Any]) -> None:
        to, route = value.get("to"), value.get("route")
        places = self._config.destinations
        at = (*path, "to") if isinstance(self._report.value_at(path), dict) else path
        if isinstance(to, str) and to not in places:
            close = did_you_mean(to, places, there_are(places, "; routes.yaml has none"))
            self._report.error(at, Code.UNKNOWN_DESTINATION, f'there is no destination "{to}"{close}')
        elif isinstance(to, str):
            self._check_keys(path, places[to].type, value)
        routes = [*(each.name for each in self._config.routes), UNMATCHED]
        if isinstance(route, str) and route not in routes:
            close = did_you_mean(route, routes, there_are(routes, ""))
            self._report.error((*path, "route"), Code.UNKNOWN_ROUTE, f'there is no route "{route}"{close}')

    def _check_keys(self, path: Path, type_: str, value: Mapping[str, Any]) -> None:
        """Keys that no message of this type could ever fulfil."""
        destination = find_destination(type_)
        fields = destination.Send.model_fields if destination else {}
        for key in _OF_MAIL:
            if key in value and key not in fields:
                said = f'a message to "{value["to"]}" (type {type_}) has no {key}; remove it, or use contains'
                self._report.error((*path, key), Code.UNKNOWN_KEY, said, key=True)

    def _check_patterns(self, path: Path) -> None:
        if not isinstance(self._report.value_at(path), dict):
            return
        for where, pattern in self._report.texts_of((*path, "matches")):
            if len(pattern) > LONGEST_PATTERN:
                said = f"the regular expression has more than {LONGEST_PATTERN} characters; make it shorter"
                self._report.error(where, Code.BAD_PATTERN, said)
                continue
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    re.compile(pattern)
            except re.error as error:
                said = f"this is no regular expression: {error.msg}"
                self._report.error(where, Code.BAD_PATTERN, said, offset=error.pos or 0)
            except (RecursionError, OverflowError):
                said = "the regular expression is too deeply nested or repeats too often; make it simpler"
                self._report.error(where, Code.BAD_PATTERN, said)
