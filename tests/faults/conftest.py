"""The length of the fault tests, and the table of their counts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from faults.hubs import Receivers
from servers.http_receiver import HttpReceiver
from servers.smtp_server import SmtpServer

COUNTED = "counted"
"""The property of a test that its counts are reported as: from there they reach whoever prints them."""

COLUMNS = ("times", "events", "deliveries", "unanswered", "refused", "duplicates", "unexplained", "lost")
"""The counts of most tests; `times` is how often the test did its worst. What only one counts comes after."""

Count = Callable[..., None]


@pytest.fixture
def is_full(request: pytest.FixtureRequest) -> bool:
    """True in `make faults`, which takes its time."""
    return bool(request.config.getoption("--full"))


@pytest.fixture
def count(request: pytest.FixtureRequest, record_property: Callable[[str, Any], None]) -> Count:
    """`count("on SQLite", times=50, events=812)`: what a test counted, for the table at the end."""
    began = time.monotonic()

    def keep(where: str = "", **numbers: Any) -> None:
        name = f"{request.node.name.removeprefix('test_')} {where}".rstrip()
        seconds = round(time.monotonic() - began)
        record_property(COUNTED, (name, {**numbers, "seconds": seconds}))

    return keep


@pytest.fixture
def receivers() -> Iterator[Receivers]:
    with Receivers(HttpReceiver(), SmtpServer()) as receivers:
        yield receivers


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the counts as a table with a column for each word."""
    outcomes = (terminalreporter.getreports(outcome) for outcome in ("passed", "failed"))
    reports = [report for reports in outcomes for report in reports if report.when == "call"]
    counted = [value for report in reports for name, value in report.user_properties if name == COUNTED]
    if not counted:
        return
    counted_words = (word for _, numbers in counted for word in numbers)
    words = list(dict.fromkeys((*COLUMNS, *counted_words)))
    head = ["", *(word.replace("_", " ") for word in words)]
    rows = [[name, *(str(numbers.get(word, "")) for word in words)] for name, numbers in counted]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    terminalreporter.section("what the fault tests counted")
    for row in (head, *rows):
        cells = (cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))
        terminalreporter.write_line("  ".join((row[0].ljust(widths[0]), *cells)))
