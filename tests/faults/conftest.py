"""How long the fault tests are, and the table of what they counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from faults.hubs import Places

from hub.demo.http_receiver import HttpReceiver
from hub.demo.smtp_server import SmtpServer

COUNTED = pytest.StashKey[list[tuple[str, dict[str, Any]]]]()

Count = Callable[..., None]


@pytest.fixture
def is_full(request: pytest.FixtureRequest) -> bool:
    """Whether this is `make faults`, which takes its time."""
    return bool(request.config.getoption("--full"))


@pytest.fixture
def count(request: pytest.FixtureRequest) -> Count:
    """`count(events=812, kills=50)`: what a test counted, for the table at the end."""

    def keep(**numbers: Any) -> None:
        request.config.stash.setdefault(COUNTED, []).append((request.node.name, numbers))

    return keep


@pytest.fixture
def places() -> Iterator[Places]:
    with Places(HttpReceiver(), SmtpServer()) as places:
        yield places


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    counted = config.stash.get(COUNTED, [])
    if counted:
        terminalreporter.section("what the fault tests counted")
    for name, numbers in counted:
        told = ", ".join(f"{value} {word.replace('_', ' ')}" for word, value in numbers.items())
        terminalreporter.write_line(f"{name}: {told}")
