"""Commands that look into the databases of mirrors: `hub check --database` and `hub migrate`."""

import sqlite3
from contextlib import closing
from pathlib import Path

from shell import Run, bare_environment

ROUTES = """\
version: 1
sources: {clerk: {type: clerk, path: /api/webhooks, signing_secret: "${SECRET}"}}
destinations:
  app-db: {type: database, url: "${APP_DATABASE_URL}", tables: [roles]}
routes:
  - {name: mirror, events: role.*, send: app-db}
  - name: own
    events: user.*
    send:
      - to: app-db
        table: members
        key: {clerk_id: "{{ data.id }}"}
        set: {mail: "{{ data | primary_email }}"}
        on_delete: {left_at: "{{ event.timestamp }}"}
      - {to: app-db, table: member, key: {id: "{{ data.id }}"}, set: {name: "{{ data | full_name }}"}}
"""


def prepared(tmp_path: Path, url: str = "sqlite:///app.db") -> dict[str, str]:
    (tmp_path / "routes.yaml").write_text(ROUTES)
    with closing(sqlite3.connect(tmp_path / "app.db")) as connection:
        connection.execute("create table members (clerk_id text, email text)")
    return bare_environment(HUB_CONFIG="routes.yaml", APP_DATABASE_URL=url)


def errors(output: str) -> list[str]:
    return [line for line in output.splitlines() if "error[" in line]


def test_own_tables_are_held_against_the_database_when_asked(run: Run, tmp_path: Path) -> None:
    environment = prepared(tmp_path)
    alone = run("check", env=environment)
    looked = run("check", "--database", env=environment)

    assert (alone.exit_code, errors(alone.stdout)) == (0, [])
    assert looked.exit_code == 1
    of_members = "error[bad-send]: the table members has no column"
    assert errors(looked.stdout) == [
        f'routes.yaml:13:15: {of_members} "mail"; did you mean "email"?',
        f'routes.yaml:14:21: {of_members} "left_at"; it has clerk_id, email',
        "routes.yaml:15:29: error[bad-send]: there is no table member; make it, or mend the name",
    ]


def test_a_database_that_cannot_be_asked_is_one_problem(run: Run, tmp_path: Path) -> None:
    looked = run("check", "--database", env=prepared(tmp_path, "sqlite:///gone/app.db"))

    [line] = errors(looked.stdout)
    assert line.startswith(
        "routes.yaml:4:3: error[bad-send]: what it has cannot be looked at: the file or its folder"
    )


def test_migrate_makes_the_tables_of_mirrors_and_fails_for_none(run: Run, tmp_path: Path) -> None:
    environment = {**prepared(tmp_path), "DATABASE_URL": "sqlite:///hub.db"}
    first, second = run("migrate", env=environment), run("migrate", env=environment)
    away = run("migrate", env={**environment, "APP_DATABASE_URL": "sqlite:///gone/app.db"})

    assert first.stdout.splitlines()[-1].endswith("changes of its tables made")
    assert second.stdout.splitlines()[-1] == "app-db: its tables are up to date"
    assert away.stdout.splitlines()[-1].startswith("app-db: warning: the file or its folder is not there")
    assert [result.exit_code for result in (first, second, away)] == [0, 0, 0]
