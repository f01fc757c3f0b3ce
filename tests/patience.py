"""The bounds of stores and trials in a test's own process: no machine is so slow that it meets them.

The hub's own are those of a sender that waits 15 s. A test that proves them takes the fixture `usual_bounds`;
programs that tests start have their own.
"""

from __future__ import annotations

from typing import Any

from hub.maintenance import index
from hub.rules import load, trial
from hub.store import group_commit
from hub.store.engine import driver, postgres, sqlite

SECONDS = 60

_SETTINGS: tuple[tuple[dict[str, str], str, str], ...] = tuple(
    (postgres._SETTINGS, name, f"{SECONDS}s")
    for name in ("statement_timeout", "idle_in_transaction_session_timeout")
)
_BOUNDS: tuple[tuple[Any, str, Any], ...] = (
    (postgres, "_CONNECT_SECONDS", SECONDS),
    (postgres, "_POOL_SECONDS", SECONDS),
    (postgres, "_STATEMENT_SECONDS", SECONDS),
    (driver.Connection, "answer_seconds", SECONDS + 1),
    (sqlite, "_BUSY_SECONDS", SECONDS),
    (group_commit, "CUT_SECONDS", SECONDS),
    (group_commit.GroupCommit.__init__, "__defaults__", (SECONDS, SECONDS)),
    (index, "BUSY_SECONDS", SECONDS),
    (load, "CHECK_SECONDS", 5 * SECONDS),
    (trial, "SLOW_SECONDS", SECONDS),
)
USUAL_SETTINGS = [(settings, name, settings[name]) for settings, name, _ in _SETTINGS]
USUAL_BOUNDS = [(place, name, getattr(place, name)) for place, name, _ in _BOUNDS]


def be_patient() -> None:
    """Let every store that is opened, and every trial that is made from now on wait for a slow machine."""
    for settings, name, value in _SETTINGS:
        settings[name] = value
    for place, name, value in _BOUNDS:
        setattr(place, name, value)
