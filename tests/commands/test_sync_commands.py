"""`hub sync backfill`, `verify` and `pull`, and `hub gaps`, beside a hub's database."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import given
import pytest
from click.testing import Result
from servers.backend_api import SECRET_KEY, ClerkServer
from shell import bare_environment

from hub import catalog
from hub.commands.mirror.refusals import refusals
from hub.commands.mirror.verify import report
from hub.model.mirror import DriftKind
from hub.store.open import open_store
from hub.sync.compare import Drift
from hub.sync.lease import reading
from hub.sync.lists import Look
from hub.sync.repair import Repaired
from hub.sync.runs import Outcome
from hub.sync.verify import Comparison, Differing
from hub.terminal import progress

ROUTES = """\
version: 1
sources:
  clerk:
    type: clerk
    path: /api/webhooks
    signing_secret: ${CLERK_WEBHOOK_SIGNING_SECRET}
    secret_key: ${CLERK_SECRET_KEY}
    api_url: ${CLERK_API_URL}
destinations:
  app-db: {type: database, url: "${APP_DATABASE_URL}", tables: [users, invitations]}
  log: {type: console}
routes:
  - {name: mirror, events: [user.*, invitation.*], send: app-db}
"""
UNAUTHORIZED = (
    "hub: Clerk answered 401 Unauthorized at /users: authentication invalid; secret_key is not one of its "
    "keys any more: copy it anew\n"
)
TOO_MANY = "  none was deleted: 1 row would be, and --max-deletes is 1%; look at them, then raise it"
MAY_MS = 1_777_896_000_000
MANY = "organization_memberships"

READING = (("sync", "backfill"), ("sync", "verify"), ("gaps",))

Sync = Callable[..., Result]


@pytest.fixture
def clerk() -> Iterator[ClerkServer]:
    """An instance with three users and an invitation."""
    with ClerkServer() as server:
        for number in range(3):
            server.add("users", f"user_{number}", MAY_MS + number)
        server.add("invitations", "inv_1", MAY_MS)
        yield server


@pytest.fixture
def sync(run: Callable[..., Result], tmp_path: Path, sqlite_url: str, clerk: ClerkServer) -> Sync:
    """Runs a command of a hub that mirrors users and invitations."""
    (tmp_path / "routes.yaml").write_text(ROUTES)

    def invoke(*arguments: str, **env: str) -> Result:
        environment = {
            "HUB_CONFIG": "routes.yaml",
            "HUB_TEMPLATES": ".",
            "DATABASE_URL": sqlite_url,
            "CLERK_WEBHOOK_SIGNING_SECRET": given.SECRET,
            "CLERK_SECRET_KEY": SECRET_KEY,
            "CLERK_API_URL": clerk.api_url,
            "APP_DATABASE_URL": "sqlite:///app.db",
            **env,
        }
        return run(*arguments, env=bare_environment(**environment))

    return invoke


def test_a_mirror_is_filled_compared_and_one_object_of_it_fetched(sync: Sync, clerk: ClerkServer) -> None:
    plan = sync("sync", "backfill", "--dry-run")
    filled = sync("sync", "backfill")
    compared = sync("sync", "verify", "--json")
    clerk.remove("users", "user_2")
    pulled = [sync("sync", "pull", id_) for id_ in ("user_1", "user_2", "user_9")]

    assert plan.exit_code == 0, plan.output
    assert plan.stdout.splitlines()[:2] == ["users: 3 objects in Clerk", "invitations: 1 object in Clerk"]
    assert plan.stdout.splitlines()[-1].endswith("; nothing was written")
    assert (filled.exit_code, filled.stdout) == (
        0,
        "users: 3 read, 3 inserted\ninvitations: 1 read, 1 inserted\n",
    )
    assert compared.exit_code == 0, compared.output
    assert [(table["table"], table["objects"]) for table in json.loads(compared.stdout)["tables"]] == [
        ("users", 3),
        ("invitations", 1),
    ]
    assert [(result.exit_code, result.output) for result in pulled] == [
        (0, "users: user_1 is as it is in Clerk\n"),
        (0, "users: user_2 is gone in Clerk: deleted\n"),
        (1, "hub: Clerk has no user_9, and users has no such row\n"),
    ]


def test_a_row_that_an_event_made_newer_than_clerk_stays(sync: Sync, tmp_path: Path) -> None:
    sync("sync", "pull", "user_1")
    with closing(sqlite3.connect(tmp_path / "app.db")) as mirror:
        mirror.execute("UPDATE clerk_users SET first_name = 'New', _updated_at = _updated_at + 1")
        mirror.commit()
    pulled = sync("sync", "pull", "user_1")

    assert (pulled.exit_code, pulled.output) == (0, "users: user_1 is as it is in Clerk, or newer\n")


@pytest.mark.full  # The second look comes 10 s after the first.
def test_what_differs_is_exit_code_1_until_it_is_mended(sync: Sync, clerk: ClerkServer) -> None:
    sync("sync", "backfill", "--only", "users")
    clerk.clock_ahead_seconds = 3600
    clerk.change("users", "user_1", first_name="New", updated_at=MAY_MS + 10)
    clerk.remove("users", "user_2")
    runs = [
        sync("sync", "verify", *arguments)
        for arguments in ((), ("--repair", "--max-deletes", "0"), ("--repair",), ("--json",))
    ]

    assert [run.exit_code for run in runs] == [1, 1, 0, 0], [run.output for run in runs]
    assert ["  stale user_1: first_name" in run.stdout for run in runs] == [True, True, False, False]
    assert [" written, " in run.stdout for run in runs] == [False, True, True, False]
    assert json.loads(runs[-1].stdout)["same"] is True


def test_a_list_that_the_instance_does_not_have_is_one_line(sync: Sync, clerk: ClerkServer) -> None:
    clerk.absent = {"invitations"}
    runs = [sync("sync", *arguments) for arguments in (("backfill", "--dry-run"), ("backfill",), ("verify",))]

    assert [run.exit_code for run in runs] == [0, 0, 0]
    assert [run.stdout.splitlines()[1].partition(": Clerk answered 403 Forbidden")[0] for run in runs] == [
        "invitations: nothing to read",
        "invitations: nothing to read",
        "invitations: nothing to compare",
    ]


@pytest.mark.parametrize(
    ("arguments", "env", "message"),
    [
        (
            ("sync", "backfill", "--only", "user"),
            {},
            'hub: there is no table "user"; did you mean "users"?\n',
        ),
        (
            ("sync", "backfill", "--only", "user_emails"),
            {},
            "hub: user_emails is not read by itself: it comes with users; there are invitations, users\n",
        ),
        (
            ("sync", "backfill", "--only", "roles"),
            {},
            (
                "hub: roles is not read by itself: app-db does not have it among its tables; "
                "there are invitations, users\n"
            ),
        ),
        (
            ("sync", "backfill", "--only", "sessions"),
            {},
            (
                "hub: sessions is not read by itself: Clerk has no list of it, it comes from events alone; "
                "there are invitations, users\n"
            ),
        ),
        (
            ("sync", "verify", "--to", "app"),
            {},
            'hub: no route mirrors into "app"; did you mean "app-db"?\n',
        ),
        (
            ("sync", "verify"),
            {"CLERK_SECRET_KEY": ""},
            "hub: secret_key of the source clerk: CLERK_SECRET_KEY is not set\n",
        ),
        (
            ("sync", "verify"),
            {"APP_DATABASE_URL": ""},
            "hub: app-db is not configured: APP_DATABASE_URL is not set\n",
        ),
        (
            ("sync", "pull", "sess_1"),
            {},
            'hub: no row of users and invitations has the id "sess_1", nor does it begin as theirs do\n',
        ),
        (("sync", "pull", "role_1"), {}, "hub: roles is not mirrored into app-db\n"),
        (
            ("gaps",),
            {"CLERK_SECRET_KEY": "sk_live_another_key_than_the_right_one"},
            UNAUTHORIZED,
        ),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    sync: Sync, sqlite_url: str, arguments: tuple[str, ...], env: dict[str, str], message: str
) -> None:
    with closing(open_store(sqlite_url)) as store:
        store.write(lambda tx: given.keep(tx, given.event(), given.routing("app-db")))

    result = sync(*arguments, **env)

    assert (result.exit_code, result.stderr) == (1, message)


def test_gaps_are_objects_of_whose_last_change_no_event_came(
    sync: Sync, sqlite_url: str, clerk: ClerkServer
) -> None:
    now = datetime.now(UTC)

    def ms(**ago: float) -> int:
        return int((now - timedelta(**ago)).timestamp() * 1000)

    times = (ms(days=2), ms(days=3), ms(hours=29), ms(hours=27), ms(days=9))
    for number, updated_at in enumerate(times, 1):
        clerk.add("users", f"user_g{number}", MAY_MS + number, updated_at=updated_at)
    heard = {"user_g1": ms(days=2), "user_g2": ms(days=3) - 1}
    with closing(open_store(sqlite_url)) as store:
        for id_, updated_at in heard.items():
            data = {**catalog.sample("user.updated")["data"], "id": id_, "updated_at": updated_at}
            stored = given.event("user.updated", data=data, received_at=now - timedelta(days=1, hours=20))
            store.write(lambda tx, stored=stored: given.keep(tx, stored, given.routing()))

    shown, as_json = sync("gaps"), sync("gaps", "--json", "--since", "28h")
    doctor = sync("doctor")

    assert shown.exit_code == 1
    assert [line.partition(",")[0] for line in shown.stdout.splitlines()[:3]] == [
        "user user_g2",
        "user user_g3",
        "user user_g4",
    ]
    assert shown.stdout.splitlines()[3:5] == [
        "organization: no event of it was ever stored: is it ticked in Clerk, under Webhooks?",
        "organization_membership: no event of it was ever stored: is it ticked in Clerk, under Webhooks?",
    ]
    assert shown.stdout.endswith("1 never heard of, 1 missed, 1 may still come in the last 7 d\n")
    assert (as_json.exit_code, [gap["kind"] for gap in json.loads(as_json.stdout)]) == (0, ["may_still_come"])
    assert "1 change may still come" in doctor.stdout


def test_what_is_ignored_or_not_in_the_instance_is_not_searched_for_gaps(
    sync: Sync, tmp_path: Path, sqlite_url: str, clerk: ClerkServer
) -> None:
    ignoring = ROUTES.replace("    secret_key", "    ignore: [organization.updated]\n    secret_key")
    (tmp_path / "routes.yaml").write_text(ignoring)
    clerk.absent = {"invitations"}
    with closing(open_store(sqlite_url)) as store:
        for event_type in ("user.created", "invitation.created"):
            stored = given.event(event_type)
            store.write(lambda tx, stored=stored: given.keep(tx, stored, given.routing()))

    lines = [line.partition(":")[::2] for line in sync("gaps").stdout.splitlines()]
    reasons = {name: reason for name, reason in lines if reason}

    assert reasons["organization"] == " the source clerk ignores organization.updated"
    assert reasons["invitation"].startswith(" Clerk answered 403 Forbidden at /invitations: ")
    assert lines[-1] == ("no gap in the last 7 d", "")


def test_where_nothing_was_compared_no_gap_is_denied(sync: Sync, sqlite_url: str) -> None:
    open_store(sqlite_url).close()
    shown, doctor = sync("gaps"), sync("doctor")

    assert (shown.exit_code, shown.stdout.splitlines()[-1]) == (0, "nothing was compared")
    assert "was missed" not in doctor.stdout


def test_a_mirror_that_is_fed_in_part_alone_is_not_filled(
    sync: Sync, tmp_path: Path, sqlite_url: str
) -> None:
    open_store(sqlite_url).close()
    (tmp_path / "routes.yaml").write_text(ROUTES.replace("[user.*, invitation.*]", "[user.created]"))

    for command in ("backfill", "verify"):
        result = sync("sync", command)

        assert (result.exit_code, result.stderr.partition(":")[2].partition(":")[0]) == (
            1,
            " no table of app-db can be filled or compared",
        )


def test_one_command_at_a_time_reads_from_clerk(sync: Sync, sqlite_url: str, clerk: ClerkServer) -> None:
    with closing(open_store(sqlite_url)) as store:
        with reading(store, "clerk", "hub sync backfill"):
            refused = [sync(*command) for command in READING]
            asked = clerk.requests
            others = [sync("sync", "backfill", "--dry-run"), sync("sync", "pull", "user_1")]
        after = sync("gaps")

    assert [(result.exit_code, result.stdout) for result in refused] == [(1, "")] * 3
    assert all(
        re.fullmatch(
            r"hub: hub sync backfill \(process \d+ on .+\) has been reading from Clerk since .+ UTC, .+, and "
            r"two at once would take twice .+: wait for its end, or end it \(after a kill .+ a minute\)\n",
            result.stderr,
        )
        for result in refused
    ), refused[0].stderr
    assert asked == 0
    assert [result.exit_code for result in (*others, after)] == [0] * 3


@pytest.mark.parametrize(
    ("columns", "line"),
    [
        (200, f"{MANY} [{'#' * 15}{'-' * 15}] 500,000/1,000,000, 2,500/s, 3 min more"),
        (80, f"{MANY} [######-------] 500,000/1,000,000, 2,500/s, 3 min more"),
        (68, f"{MANY} [-] 500,000/1,000,000, 2,500/s, 3 min more"),
        (50, f"{MANY} 500,000/1,000,000, 2,500"),
    ],
)
def test_a_bar_fits_into_its_terminal(columns: int, line: str) -> None:
    drawn = progress.bar(MANY, 500_000, 1_000_000, 2500.0, 200.0, columns)

    assert (drawn, len(drawn) < columns) == (line, True)


def test_a_wait_is_told_with_its_reason_unless_it_is_short(capsys: pytest.CaptureFixture[str]) -> None:
    for seconds in (1.0, 7.0):
        progress.retry("Clerk answered 429 Too Many Requests at /users", seconds)

    assert capsys.readouterr().err == "hub: Clerk answered 429 Too Many Requests at /users; again in 7 s\n"


def test_rows_that_were_refused_are_named() -> None:
    lines = list(refusals({f"user_{number}": "it is\nlate" for number in range(22)}))

    assert lines[19:] == ["  not written: user_19: it is late", "  and 2 more were not written"]


def drifting(*kinds: DriftKind, is_gone: bool = False) -> Comparison:
    look = Look(value=None if is_gone else {"id": "user_1"}, began_at_ms=0, answered_at_ms=0)
    drift = [
        Drift(table="users", id=f"user_{number}", kind=kind, columns=("locale",) * (kind is DriftKind.STALE))
        for number, kind in enumerate(kinds)
    ]
    differing = tuple(Differing(id=one.id, drift=(one,), look=look) for one in drift)
    return Comparison(table="users", objects=30, rows=29, differing=differing)


@pytest.mark.parametrize(
    ("outcome", "lines"),
    [
        (Outcome(comparison=drifting()), ["users: 30 in Clerk, 29 rows: the same"]),
        (
            Outcome(comparison=drifting(DriftKind.STALE, DriftKind.MISSING)),
            [
                "users: 30 in Clerk, 29 rows: 1 missing, 1 stale",
                "  stale user_0: locale",
                "  missing user_1",
            ],
        ),
        (
            Outcome(comparison=drifting(DriftKind.EXTRA, is_gone=True), repaired=Repaired(too_many=1)),
            [
                "users: 30 in Clerk, 29 rows: 1 extra",
                "  extra user_0",
                "  0 written, 0 deleted",
                TOO_MANY,
            ],
        ),
    ],
    ids=["same", "drift", "too many"],
)
def test_a_comparison_is_told_table_by_table(outcome: Outcome, lines: list[str]) -> None:
    assert list(report(outcome, "1%")) == lines
