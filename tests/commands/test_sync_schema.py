"""`hub sync schema`: a mirror's tables in words, and the statements that its database still lacks."""

import sqlite3
from contextlib import closing
from pathlib import Path

from shell import Run, bare_environment

ROUTES = """\
version: 1
sources: {clerk: {type: clerk, path: /api/webhooks, signing_secret: "${SECRET}"}}
destinations:
  app-db: {type: database, url: "${APP_DATABASE_URL}", tables: [roles]}
  other: {type: database, url: "${APP_DATABASE_URL}", tables: [users], schema: other}
routes:
  - {name: mirror, events: role.*, send: app-db}
  - {name: others, events: user.*, send: other}
"""


def test_tables_are_listed_without_a_database(run: Run, tmp_path: Path) -> None:
    (tmp_path / "routes.yaml").write_text(ROUTES)
    environment = bare_environment(HUB_CONFIG="routes.yaml")
    listed = run("sync", "schema", "--to", "app-db", env=environment)
    asked = run("sync", "schema", env=environment)
    unset = run("sync", "schema", "--sql", "--to", "other", env=environment)

    assert listed.exit_code == 0
    assert listed.stdout.splitlines()[0].split() == ["roles", "from", "role.*"]
    assert "  permissions                               json\n" in listed.stdout
    assert (asked.exit_code, asked.stderr.splitlines()[-1]) == (
        1,
        "hub: there are several databases; choose one: --to app-db or --to other",
    )
    assert unset.stderr.splitlines()[-1] == "hub: other is not configured: APP_DATABASE_URL is not set"


def test_what_a_database_lacks_is_printed_and_makes_it_whole(run: Run, tmp_path: Path) -> None:
    (tmp_path / "routes.yaml").write_text(ROUTES)
    environment = bare_environment(HUB_CONFIG="routes.yaml", APP_DATABASE_URL="sqlite:///app.db")
    arguments = ("sync", "schema", "--sql", "--to", "app-db")
    printed = run(*arguments, env=environment)
    with closing(sqlite3.connect(tmp_path / "app.db")) as connection:
        connection.executescript(printed.stdout)
    again = run(*arguments, env=environment)

    assert "CREATE TABLE clerk_roles (" in printed.stdout
    assert (again.exit_code, again.stdout, again.stderr) == (0, "", "nothing is missing\n")
