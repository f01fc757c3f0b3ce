"""`hub doctor` beside a hub that runs, one that is stopped, and databases that are damaged or gone."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import given
import pytest
from shell import Served, bare_environment, shipped_environment
from sqlalchemy import delete

from hub.config.files import Files
from hub.ingest.request_counter import RequestCounter
from hub.rules.versions import register
from hub.store.open import open_store
from hub.store.repositories.events import RoutedEvent
from hub.store.tables import deliveries

Run = Callable[..., Any]

GOOD = """\
version: 1
sources:
  clerk: {type: clerk, path: /api/webhooks, signing_secret: "${S:-whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw}"}
destinations:
  log: {type: console}
routes:
  - {name: all, events: user.created, send: log}
"""


@pytest.fixture
def environment(sqlite_url: str, tmp_path: Path) -> dict[str, str]:
    (tmp_path / "routes.yaml").write_text(GOOD)
    return bare_environment(
        DATABASE_URL=sqlite_url, HUB_CONFIG="routes.yaml", HUB_TEMPLATES=str(tmp_path / "none")
    )


def findings(result: Any) -> dict[str, list[tuple[str, str]]]:
    by_check: dict[str, list[tuple[str, str]]] = {}
    for finding in json.loads(result.stdout)["findings"]:
        by_check.setdefault(finding["check"], []).append((finding["level"], finding["found"]))
    return by_check


def given_life(url: str) -> None:
    """An event that waits for its delivery, and a worker that lives."""
    event, owed = given.event(), given.routing("log")

    def work(transaction: Any) -> None:
        transaction.events.insert([RoutedEvent(event=event, routing=owed)])
        transaction.workers.beat("w", transaction.now, forget_after=timedelta(minutes=10))

    with closing(open_store(url)) as store:
        store.write(work)


def change(url: str, statement: Any) -> None:
    with closing(open_store(url)) as store:
        store.write(lambda transaction: transaction.session.connection.execute(statement) and None)


def test_all_is_right(run: Run, environment: dict[str, str], sqlite_url: str) -> None:
    given_life(sqlite_url)
    result = run("doctor", env=environment)

    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert all(line.startswith("✓ ") for line in lines[:-2]), result.stdout
    assert "1 owed = 0 delivered + 0 dead + 0 held + 0 cancelled + 1 pending + 0 sending" in lines[-3]
    assert lines[-1] == "everything is all right"


def test_a_hub_that_serves_is_seen_to_work(run: Run, served: Served) -> None:
    by_check = findings(run("doctor", "--json", env=served.environment))

    assert [level for level, _ in by_check["worker"]] == ["good"]
    assert [level for level, _ in by_check["accounts"]] == ["good"]
    lacking = "partner has no signing secret, so /api/partner answers 503: PARTNER_SECRET is not set"
    assert ("warning", lacking) in by_check["sources"]


def test_requests_that_are_refused_and_the_clock_that_is_off_are_problems(
    run: Run, environment: dict[str, str], sqlite_url: str
) -> None:
    given_life(sqlite_url)
    with closing(open_store(sqlite_url)) as store:
        requests = RequestCounter(store)
        for _ in range(5):
            requests.refuse(
                "clerk", "invalid_timestamp", time.time(), is_complete=True, clock_ahead_seconds=-900.0
            )
        requests.flush()
    result = run("doctor", "--json", env=environment)
    by_check = findings(result)

    assert result.exit_code == 1
    assert by_check["clock"] == [
        (
            "problem",
            (
                "This machine's clock is 15 min behind that of clerk: 5 requests with another time than now "
                "were refused"
            ),
        )
    ]
    ((level, words),) = by_check["sources"]
    assert level == "problem"
    assert words.startswith("clerk: 5 requests refused since ")
    assert "their time stamps are 15 min ahead of this machine's clock" in words


def test_a_hub_that_is_stopped_is_a_problem(run: Run, environment: dict[str, str]) -> None:
    result = run("doctor", env=environment)

    assert result.exit_code == 1
    assert "✗ worker" in result.stdout
    assert result.stdout.splitlines()[-1] == "1 problem"


def test_a_lost_delivery_is_found(run: Run, environment: dict[str, str], sqlite_url: str) -> None:
    given_life(sqlite_url)
    change(sqlite_url, delete(deliveries))
    result = run("doctor", "--json", env=environment)

    assert result.exit_code == 1
    accounts = findings(result)["accounts"]
    assert accounts[0] == (
        "problem",
        "1 owed, but 0 = 0 delivered + 0 dead + 0 held + 0 cancelled + 0 pending + 0 sending",
    )
    assert accounts[1][1].startswith("1 events lack a delivery that they were owed, such as evt_")


def test_a_bad_configuration_hides_nothing_of_the_store(run: Run, environment: dict[str, str]) -> None:
    Path("routes.yaml").write_text(GOOD.replace("send: log", "send: lag"))
    result = run("doctor", "--json", env=environment)

    assert result.exit_code == 1
    by_check = findings(result)
    assert "unknown-destination" in by_check["configuration"][0][1]
    assert [level for level, _ in by_check["accounts"]] == ["good"]


UNKNOWN_FIELD = GOOD.replace("send: log", 'send: {to: log, text: "{{ data.emial }}"}')


def test_what_only_the_catalog_finds_hides_nothing_for_the_hub_runs_with_it(
    run: Run, environment: dict[str, str], sqlite_url: str
) -> None:
    given_life(sqlite_url)
    Path("routes.yaml").write_text(UNKNOWN_FIELD)
    result = run("doctor", "--json", env=environment)
    by_check = findings(result)

    assert result.exit_code == 0
    assert by_check["configuration"][0][0] == "warning"
    assert "unknown-field" in by_check["configuration"][0][1]
    assert by_check["destinations"] == [("good", "log: all accept")]
    assert by_check["sources"] == [("good", "clerk: every signing secret is set")]


def test_beside_a_refused_edit_the_version_that_serves_is_looked_at(
    run: Run, environment: dict[str, str], sqlite_url: str
) -> None:
    given_life(sqlite_url)
    files = Files(
        path=Path("routes.yaml"),
        templates_folder=Path("none"),
        content=GOOD.encode(),
        templates={},
    )
    with closing(open_store(sqlite_url)) as store:
        register(store, files)
    Path("routes.yaml").write_text(GOOD.replace("send: log", "send: lag"))
    result = run("doctor", "--json", env=environment)
    by_check = findings(result)

    assert result.exit_code == 1
    assert by_check["configuration"][0][1].startswith("Your ")
    assert by_check["destinations"] == [("good", "log: all accept")]


def test_a_missing_database_is_named(run: Run) -> None:
    result = run("doctor", env=shipped_environment(DATABASE_URL="sqlite:///none.db"))

    assert result.exit_code == 1
    assert "✗ database" in result.stdout
    assert "hub migrate" in result.stdout
    assert not Path("none.db").exists()


def test_a_damaged_file_is_found(run: Run, environment: dict[str, str], sqlite_url: str) -> None:
    given_life(sqlite_url)
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
        page, size = connection.execute(
            "SELECT rootpage, (SELECT page_size FROM pragma_page_size) FROM sqlite_schema "
            "WHERE name = 'ix_deliveries_event'"
        ).fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * size + size // 2)
        file.write(b"\xff" * (size // 2))
    result = run("doctor", "--json", env=environment)

    assert result.exit_code == 1
    assert "problem" in [level for level, _ in findings(result)["database"]]


def test_a_database_that_does_not_answer_is_a_problem(run: Run) -> None:
    result = run("doctor", env=shipped_environment(DATABASE_URL="postgresql://nobody@127.0.0.1:1/none"))

    assert result.exit_code == 1
    assert "✗ database" in result.stdout


def test_a_proxy_in_the_environment_is_worth_knowing(run: Run, environment: dict[str, str]) -> None:
    given_life(environment["DATABASE_URL"])
    result = run("doctor", "--json", env={**environment, "ALL_PROXY": "socks5://proxy.test"})

    assert result.exit_code == 0
    (warning, _) = findings(result)["configuration"]
    assert warning[0] == "warning"
    assert warning[1].startswith("ALL_PROXY in the environment")
