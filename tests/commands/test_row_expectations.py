"""A case may expect the row that a mirror, or a table of the user's own, gets."""

from collections.abc import Callable
from pathlib import Path

import pytest
from case_files import ROUTES
from click.testing import Result
from shell import Run, bare_environment

MIRROR = """\
  - {name: mirror, events: user.*, send: app-db}
  - name: own
    events: user.*
    send:
      - {to: app-db, table: members, key: {id: "{{ data.id }}"}, set: {locked: "{{ data.locked }}"}}
"""
Results = Callable[[str], Result]
CASE = "- name: one\n  event: user.created\n  set: {data.username: null}\n  expect:\n"


@pytest.fixture
def results(tmp_path: Path, run: Run) -> Results:
    """Run cases on routes with a mirror and a table of the user's own."""
    database = "  app-db: {type: database, url: sqlite:///app.db, tables: [users]}\nroutes:\n"
    (tmp_path / "routes.yaml").write_text(ROUTES.replace("routes:\n", database) + MIRROR)

    def invoke(expected: str) -> Result:
        (tmp_path / "routes.test.yaml").write_text(CASE + expected)
        return run("test", env=bare_environment(HUB_CONFIG="routes.yaml"))

    return invoke


@pytest.mark.parametrize(
    ("mirrored", "problem"),
    [
        ("{first_name: Mara, username: null, created_at: 2026-06-10T17:12:41.337Z}", ""),
        ("{first_name: Ada}", 'has another first_name in users\n    expected  "Ada"\n    actual    "Mara"\n'),
        ("{username: mara}", 'has another username in users\n    expected  "mara"\n    actual    null\n'),
    ],
)
def test_a_row_is_compared_column_by_column(results: Results, mirrored: str, problem: str) -> None:
    own = "    - {to: app-db, route: own, table: members, row: {locked: false}}\n"
    result = results(f"    - {{to: app-db, table: users, row: {mirrored}}}\n{own}")

    assert (problem in result.stdout, result.exit_code) == (True, 1 if problem else 0), result.output


def test_a_row_of_a_set_is_any_of_them(results: Results) -> None:
    mail = "{to: app-db, route: mirror, table: user_emails, row: {email_address: mara.home@example.org}}"
    result = results(f"    - {mail}\n    - {{to: app-db, route: own, table: roles}}\n")

    assert "app-db (database) by own: writes no row of roles\n" in result.stdout
    assert result.stdout.count("has another") == 0


def test_only_a_database_has_rows(results: Results) -> None:
    result = results("    - {to: crm, row: {id: 1}}\n")

    assert 'a message to "crm" (type http) has no row; remove it' in result.stdout
