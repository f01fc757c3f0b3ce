"""routes.test.yaml -> cases, or every problem at once, each with its line and column; nothing runs here."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path as FilePath
from typing import Any

from hub import yamldoc
from hub.config.regular_files import read_regular
from hub.config.report import Report, presentable, unreadable
from hub.config.shape import check_shape
from hub.humanize import kind_of
from hub.model.config import Config
from hub.model.problem import Code, Problem
from hub.preview.cases.blocks import CaseBlock
from hub.preview.cases.case import Case
from hub.preview.cases.event import EventReader
from hub.preview.cases.expectations import read_expectations
from hub.yamldoc import Path


def read_cases(path: FilePath, config: Config) -> tuple[tuple[Case, ...], tuple[Problem, ...]]:
    """Return the valid cases of a file and the problems of all others."""
    try:
        content = read_regular(path, yamldoc.FILE_LIMIT_BYTES + 1)
    except OSError as error:
        reason = "there is no such file" if isinstance(error, FileNotFoundError) else error.strerror
        return (), (unreadable(path, f"the tests cannot be read: {reason}"),)
    document, problems = yamldoc.parse(content, path.as_posix())
    if document is None:
        return (), presentable(problems)
    report = Report(document, None)
    cases = _read_list(report, path.parent, config)
    return cases, presentable(sorted({*problems, *report.problems}))


def _read_list(report: Report, folder: FilePath, config: Config) -> tuple[Case, ...]:
    value = report.value
    if value is None:
        return ()
    if not isinstance(value, list):
        message = f'the file must be a list of cases, each beginning with "- name:", not {kind_of(value)}'
        report.error((), Code.WRONG_TYPE, message)
        return ()
    events = EventReader(report, folder, config.sources, datetime.now(UTC))
    cases = [_read_case(report, (index,), config, events) for index in range(len(value))]
    _check_names(report, value)
    return tuple(case for case in cases if case is not None)


def _read_case(report: Report, path: Path, config: Config, events: EventReader) -> Case | None:
    value = report.value_at(path)
    name = value.get("name") if isinstance(value, dict) else None
    noun = f'the case "{name}"' if isinstance(name, str) and name and len(name) <= 200 else "a case"
    block = check_shape(report, path, CaseBlock, noun=noun)
    if not isinstance(value, dict):
        return None
    expectations = tuple(read_expectations(report, (*path, "expect"), value.get("expect"), config))
    event = events.read(path, value, is_whole=block is not None)
    if block is None or event is None:
        return None
    position = report.document.at(path)
    return Case(
        name=block.name,
        event=event,
        previous=events.read_previous(path, value, event),
        expect=expectations,
        line=position.line,
        column=position.column,
    )


def _check_names(report: Report, values: list[Any]) -> None:
    first_lines: dict[str, int] = {}
    for index, value in enumerate(values):
        name = value.get("name") if isinstance(value, dict) else None
        if not isinstance(name, str) or not name:
            continue
        if name in first_lines:
            message = (
                f'the case in line {first_lines[name]} is called "{name}" already; give each its own name'
            )
            report.error((index, "name"), Code.DUPLICATE_NAME, message)
        first_lines.setdefault(name, report.document.at((index, "name")).line)
