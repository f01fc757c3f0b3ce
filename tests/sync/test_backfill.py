"""Everything that Clerk has, in a mirror's tables, whatever happens meanwhile."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Any

import pytest
from servers.backend_api import ClerkServer
from sqlalchemy import create_engine, text

from hub import catalog
from hub.errors import ClerkError, HubError
from hub.mirror.changes import Effect
from hub.mirror.mirror import Mirror
from hub.mirror.reading import change_of_event
from hub.sync.api import BackendApi
from hub.sync.backfill import Progress, backfill, expected
from hub.sync.mirroring import Mirroring

BOTH = pytest.mark.parametrize("mirror_url", ["sqlite", "postgres"], indirect=True)
MAY_MS = 1_777_896_000_000


def rows(mirroring: Mirroring, table: str) -> list[dict[str, Any]]:
    live = mirroring.mirror.live(table, None, None, timeout_seconds=30)
    by_id = mirroring.mirror.find(table, [row["id"] for row in live], timeout_seconds=30)
    return sorted(by_id.values(), key=lambda row: row["id"])


def emails(mirroring: Mirroring, *users: str) -> dict[str, list[str]]:
    members = mirroring.mirror.set_rows("user_emails", users, timeout_seconds=30)
    return {user: [row["email_address"] for row in its] for user, its in members.items()}


def apply_event(mirroring: Mirroring, type_: str, *, at: int, **values: Any) -> Effect:
    data = {**catalog.sample(type_)["data"], **values}
    change = change_of_event(type_, data, event_id="evt_1", timestamp_ms=at, leave_out=())
    return mirroring.mirror.apply(change, instance_id=None, timeout_seconds=30)


@BOTH
def test_every_object_is_written_with_its_addresses_and_its_version(
    clerk: ClerkServer, api: BackendApi, mirroring: Mirroring
) -> None:
    for number in range(7):
        clerk.add("users", f"user_{number}", MAY_MS + number // 2)
    clerk.add("waitlist_entries", "wle_1", MAY_MS)
    shown: list[Progress] = []

    users, entries = backfill(api, mirroring, ["users", "waitlist_entries"], shown.append, limit=3)

    assert (users.read, users.effects) == (7, {Effect.INSERTED: 7})
    assert (entries.read, entries.refused) == (1, {})
    assert [(one.name, one.read, one.total) for one in shown] == [
        ("users", 3, 7),
        ("users", 6, 7),
        ("users", 7, 7),
        ("waitlist_entries", 1, 1),
    ]
    assert expected(api, "users") == 7
    assert [row["id"] for row in rows(mirroring, "users")] == [f"user_{number}" for number in range(7)]
    assert {row["_event_id"] for row in rows(mirroring, "users")} == {""}
    assert {row["_updated_at"] - MAY_MS for row in rows(mirroring, "users")} == {0, 1, 2, 3}
    assert emails(mirroring, "user_3") == {"user_3": ["user_3@example.com"]}
    assert mirroring.mirror.state("backfill/users", timeout_seconds=30) is None


def test_columns_that_only_events_carry_stay_and_the_newer_version_wins(
    clerk: ClerkServer, api: BackendApi, mirroring: Mirroring
) -> None:
    apply_event(
        mirroring, "organizationInvitation.accepted", at=MAY_MS, id="orginv_1", user_id="user_1", updated_at=5
    )
    apply_event(
        mirroring, "organizationInvitation.created", at=MAY_MS, id="orginv_2", role="new", updated_at=MAY_MS
    )
    clerk.add("organization_invitations", "orginv_1", MAY_MS, updated_at=MAY_MS, role="org:other")
    clerk.add("organization_invitations", "orginv_2", MAY_MS, updated_at=MAY_MS - 1, role="org:old")

    (result,) = backfill(api, mirroring, ["organization_invitations"])

    assert result.effects == {Effect.UPDATED: 1, Effect.KEPT: 1}
    first, second = rows(mirroring, "organization_invitations")
    assert (first["role"], first["user_id"]) == ("org:other", "user_1")
    assert second["role"] == "new"


def test_what_was_read_does_not_win_over_an_event_that_came_while_it_was_read(
    clerk: ClerkServer, api: BackendApi, mirroring: Mirroring
) -> None:
    backfill(api, mirroring, [])
    clerk.add("users", "user_1", MAY_MS, first_name="read")
    same = {"id": "user_1", "created_at": MAY_MS, "updated_at": MAY_MS}
    clerk.on_page = lambda _: apply_event(
        mirroring, "user.updated", at=int(time.time() * 1000), first_name="event", **same
    )

    backfill(api, mirroring, ["users"])

    assert [row["first_name"] for row in rows(mirroring, "users")] == ["event"]


def test_a_deleted_user_stays_deleted(clerk: ClerkServer, api: BackendApi, mirroring: Mirroring) -> None:
    apply_event(mirroring, "user.deleted", at=MAY_MS, id="user_1")
    clerk.add("users", "user_1", MAY_MS)

    backfill(api, mirroring, ["users"])

    assert mirroring.mirror.find("users", ["user_1"], timeout_seconds=30)["user_1"]["deleted_at"] == MAY_MS
    assert emails(mirroring, "user_1") == {}


@BOTH
def test_a_run_that_was_cut_off_goes_on_where_it_was(
    clerk: ClerkServer, api: BackendApi, mirroring: Mirroring, open_mirrors: Callable[..., Mirror]
) -> None:
    for number in range(10):
        clerk.add("organizations", f"org_{number}", MAY_MS + number)
        clerk.add("roles", f"role_{number}", MAY_MS + number)
    tables, cut = ["organizations", "roles"], itertools.count(1)

    def cut_off(progress: Progress) -> None:
        if next(cut) == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backfill(api, mirroring, tables, cut_off, limit=4)
    asked = clerk.requests
    again = Mirroring(open_mirrors(), "app-db", print)
    shown: list[Progress] = []
    results = backfill(api, again, tables, shown.append, limit=4)

    assert [result.read for result in results] == [10, 10]
    assert {(one.name, one.resumed) for one in shown} == {("roles", 8)}
    assert clerk.requests - asked < asked
    assert len(rows(mirroring, "roles")) == len(rows(mirroring, "organizations")) == 10


def test_a_run_that_was_cut_off_more_than_a_day_ago_begins_anew(
    clerk: ClerkServer, api: BackendApi, mirroring: Mirroring
) -> None:
    for number in range(10):
        clerk.add("users", f"user_{number}", MAY_MS + number)

    def cut_off(progress: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backfill(api, mirroring, ["users"], cut_off, limit=4)
    clerk.clock_ahead_seconds = 25 * 3600
    shown: list[Progress] = []
    backfill(api, mirroring, ["users"], shown.append, limit=4)

    assert [(one.resumed, one.read) for one in shown] == [(0, 4), (0, 8), (0, 10)]


def test_the_rate_and_the_rest_are_those_of_this_run() -> None:
    progress = Progress(name="users", read=300, total=500, seconds=20.0, resumed=100)

    assert (progress.rate, progress.remaining_seconds) == (10.0, 20.0)


def test_a_mirror_of_another_instance_is_refused_before_anything_is_written(
    clerk: ClerkServer, api: BackendApi, mirroring: Mirroring
) -> None:
    backfill(api, mirroring, ["users"])
    clerk.add("users", "user_1", MAY_MS)
    clerk.instance_id = "ins_other"

    with pytest.raises(HubError, match=r"ins_2xLoopback.*ins_other"):
        backfill(api, mirroring, ["users"])

    assert rows(mirroring, "users") == []


def test_an_object_that_no_table_can_have_is_told_and_keeps_no_other_from_it(
    clerk: ClerkServer, api: BackendApi, mirroring: Mirroring
) -> None:
    clerk.add("users", "user_1", MAY_MS)
    clerk.add("users", "user é", MAY_MS, email_addresses=[])
    clerk.add("users", "user_2", MAY_MS, first_name="a\0b\ud800")

    (result,) = backfill(api, mirroring, ["users"])

    assert list(result.refused) == ["user é"]
    assert {row["id"] for row in rows(mirroring, "users")} == {"user_1", "user_2"}


@BOTH
def test_a_row_that_the_database_refuses_is_told_and_keeps_no_other_from_it(
    clerk: ClerkServer, api: BackendApi, mirroring: Mirroring, mirror_url: str, waits: list[float]
) -> None:
    mirroring.mirror.migrate(timeout_seconds=30)
    engine = create_engine(mirror_url.replace("postgresql:", "postgresql+psycopg:"))
    table = "clerk.users" if mirror_url.startswith("postgres") else "clerk_users"
    with engine.begin() as connection:
        connection.execute(text(f"CREATE UNIQUE INDEX mine ON {table} (first_name)"))
    engine.dispose()
    for number, name in enumerate(("Ada", "Bo", "Ada", "Cy")):
        clerk.add("users", f"user_{number}", MAY_MS + number, first_name=name)

    (result,) = backfill(api, mirroring, ["users"])

    assert list(result.refused) == ["user_2"]
    assert "a unique index refuses it" in result.refused["user_2"]
    assert result.effects == {Effect.INSERTED: 3}
    assert waits == []


def test_a_list_that_the_instance_does_not_have_keeps_no_other_from_being_read(
    clerk: ClerkServer, api: BackendApi, mirroring: Mirroring
) -> None:
    clerk.absent = {"organizations"}
    clerk.add("roles", "role_1", MAY_MS)

    organizations, roles = backfill(api, mirroring, ["organizations", "roles"])

    assert organizations.absent.startswith("Clerk answered 403 Forbidden at /organizations: organization not")
    assert (roles.read, roles.absent) == (1, "")


def test_what_clerk_refuses_ends_it_with_what_was_read_kept(
    clerk: ClerkServer, api: BackendApi, mirroring: Mirroring
) -> None:
    for number in range(5):
        clerk.add("users", f"user_{number}", MAY_MS + number)

    def then_refuse(progress: Progress) -> None:
        clerk.answer_next(b"{}")

    with pytest.raises(ClerkError, match="is no list of objects"):
        backfill(api, mirroring, ["users"], then_refuse, limit=2)

    assert len(rows(mirroring, "users")) == 2
