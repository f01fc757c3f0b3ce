"""The messages that a case expects, checked against the destinations and routes there are."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from hub.config.report import Report
from hub.config.shape import check_shape
from hub.destinations.base import find_destination
from hub.humanize import did_you_mean, kind_of, there_are
from hub.model.config import Config
from hub.model.problem import Code
from hub.model.routing import UNMATCHED
from hub.preview.cases.blocks import ExpectBlock
from hub.preview.cases.case import Expectation
from hub.yamldoc import Path

LONGEST_PATTERN = 1000

_KEYS_OF_SENDS = {"subject": "subject", "recipient": "recipient", "table": "table", "row": "table"}
"""Keys of an expectation, and the key of a send block without which no message has what they ask for."""


def read_expectations(report: Report, path: Path, value: Any, config: Config) -> Iterator[Expectation]:
    """Yield the valid expectations of the `expect` at a path; the problems of others are reported."""
    if value is None:
        return
    if not isinstance(value, list):
        message = f'"expect" must be a list of messages, [] for none, not {kind_of(value)}'
        report.error(path, Code.WRONG_TYPE, message)
        return
    for index in range(len(value)):
        expectation = _read_expectation(report, (*path, index), config)
        if expectation is not None:
            yield expectation


def _read_expectation(report: Report, path: Path, config: Config) -> Expectation | None:
    value = report.value_at(path)
    if isinstance(value, str):
        value = {"to": value}
        block: ExpectBlock | None = ExpectBlock(to=value["to"])
    else:
        block = check_shape(report, path, ExpectBlock, noun="an expected message")
    if not isinstance(value, dict):
        return None
    _check_destination(report, path, value, config)
    _check_route(report, path, value.get("route"), config)
    _check_patterns(report, path)
    if block is None:
        return None
    position = report.document.at(path)
    return Expectation(
        to=block.to,
        route=block.route,
        contains=tuple(block.contains or ()),
        matches=tuple(block.matches or ()),
        equals=block.equals,
        json=block.json_,
        subject=block.subject,
        recipient=tuple(block.recipient or ()),
        table=block.table,
        row=block.row,
        line=position.line,
        column=position.column,
    )


def _check_destination(report: Report, path: Path, value: Mapping[str, Any], config: Config) -> None:
    name, destinations = value.get("to"), config.destinations
    if not isinstance(name, str):
        return
    if name in destinations:
        _check_keys(report, path, destinations[name].type, value)
        return
    at = (*path, "to") if isinstance(report.value_at(path), dict) else path
    hint = did_you_mean(name, destinations, there_are(destinations, "; routes.yaml has none"))
    report.error(at, Code.UNKNOWN_DESTINATION, f'there is no destination "{name}"{hint}')


def _check_route(report: Report, path: Path, name: Any, config: Config) -> None:
    names = [*(route.name for route in config.routes), UNMATCHED]
    if isinstance(name, str) and name not in names:
        hint = did_you_mean(name, names, there_are(names, ""))
        report.error((*path, "route"), Code.UNKNOWN_ROUTE, f'there is no route "{name}"{hint}')


def _check_keys(report: Report, path: Path, type_: str, value: Mapping[str, Any]) -> None:
    """Report keys that no message of this type could ever fulfil."""
    destination = find_destination(type_)
    fields = destination.Send.model_fields if destination else {}
    for key, needed in _KEYS_OF_SENDS.items():
        if key in value and needed not in fields:
            message = f'a message to "{value["to"]}" (type {type_}) has no {key}; remove it, or use contains'
            report.error((*path, key), Code.UNKNOWN_KEY, message, key=True)


def _check_patterns(report: Report, path: Path) -> None:
    if not isinstance(report.value_at(path), dict):
        return
    for pattern_path, pattern in report.texts_of((*path, "matches")):
        if len(pattern) > LONGEST_PATTERN:
            message = f"the regular expression has more than {LONGEST_PATTERN} characters; make it shorter"
            report.error(pattern_path, Code.BAD_PATTERN, message)
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                re.compile(pattern)
        except re.error as error:
            message = f"this is no regular expression: {error.msg}"
            report.error(pattern_path, Code.BAD_PATTERN, message, offset=error.pos or 0)
        except (RecursionError, OverflowError):
            message = "the regular expression is too deeply nested or repeats too often; make it simpler"
            report.error(pattern_path, Code.BAD_PATTERN, message)
