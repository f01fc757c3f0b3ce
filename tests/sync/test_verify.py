"""A mirror held against Clerk: drift is found to the row, nothing else counts, and a repair mends it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from servers.backend_api import ClerkServer
from sqlalchemy import create_engine, text

from hub import catalog
from hub.mirror.reading import change_of_event
from hub.model.mirror import DriftKind
from hub.sync.api import BackendApi
from hub.sync.backfill import backfill
from hub.sync.compare import is_settled
from hub.sync.lists import LISTED_TABLES, Look
from hub.sync.mirroring import Mirroring
from hub.sync.repair import MOST_OBJECTS, MaxDeletes, repair
from hub.sync.verify import SECOND_LOOK_SECONDS, Differing, Verifier

MAY_MS = 1_777_896_000_000
MISSING, STALE, EXTRA = DriftKind
ORGANIZATION = {**catalog.sample("organization.created")["data"], "id": "org_1"}
MEMBER = catalog.sample("organizationMembership.created")["data"]["public_user_data"]

EVERYWHERE = pytest.mark.parametrize("mirror_url", ["sqlite", "postgres", "mariadb"], indirect=True)

Sql = Callable[[str], None]


@pytest.fixture
def sql(mirror_url: str) -> Iterator[Sql]:
    """Runs a statement, the name of a table in braces, as somebody with a shell would."""
    engine = create_engine(
        mirror_url.replace("postgresql:", "postgresql+psycopg:").replace("mysql:", "mysql+pymysql:")
    )
    prefix = "clerk." if mirror_url.startswith("postgres") else "clerk_"

    def run(statement: str) -> None:
        names = {table: prefix + table for table in (*LISTED_TABLES, "user_emails")}
        with engine.begin() as connection:
            connection.execute(text(statement.format(**names)))

    yield run
    engine.dispose()


@pytest.fixture
def filled(clerk: ClerkServer, api: BackendApi, mirroring: Mirroring) -> Mirroring:
    """A mirror of 12 users and an organisation with a membership, as they are in Clerk."""
    for number in range(12):
        clerk.add("users", f"user_{number:02d}", MAY_MS + number // 3)
    clerk.add("organizations", "org_1", MAY_MS)
    member = {"organization": ORGANIZATION, "public_user_data": {**MEMBER, "user_id": "user_01"}}
    clerk.add("organization_memberships", "orgmem_1", MAY_MS, **member)
    backfill(api, mirroring, ["users", "organizations", "organization_memberships"])
    clerk.clock_ahead_seconds = 3600
    return mirroring


def compare(
    api: BackendApi,
    mirroring: Mirroring,
    table: str = "users",
    owed: frozenset[str] = frozenset(),
    **options: Any,
):
    verifier = Verifier(api, mirroring, owed.intersection, limit=5, wait=lambda _: None, whole=100, **options)
    return verifier.compare(table)


def drift(*arguments: Any, **options: Any) -> list[tuple[str, str, DriftKind]]:
    return sorted((one.table, one.id, one.kind) for one in compare(*arguments, **options).drift)


def delete_by_event(mirroring: Mirroring) -> None:
    change = change_of_event(
        "user.deleted", {"id": "user_01"}, event_id="e", timestamp_ms=MAY_MS, leave_out=()
    )
    mirroring.mirror.apply(change, instance_id=None, timeout_seconds=30)


def test_what_is_the_same_does_not_differ_and_what_moves_by_itself_is_not_compared(
    clerk: ClerkServer, api: BackendApi, filled: Mirroring
) -> None:
    clerk.change("users", "user_03", last_active_at=MAY_MS + 9, last_sign_in_at=MAY_MS + 9, locked=True)

    comparison = compare(api, filled)

    assert (comparison.objects, comparison.rows, comparison.drift) == (12, 12, ())


@EVERYWHERE
def test_drift_put_in_by_sql_is_found_to_the_row_and_repaired(
    clerk: ClerkServer, api: BackendApi, filled: Mirroring, sql: Sql
) -> None:
    sql("delete from {users} where id = 'user_02'")
    sql("update {users} set first_name = 'X', primary_email = 'x' where id = 'user_05'")
    sql("update {users} set created_at = null where id = 'user_06'")
    sql("delete from {user_emails} where user_id = 'user_07'")
    sql("update {user_emails} set email_address = 'x' where user_id = 'user_08'")
    clerk.remove("users", "user_11")
    clerk.remove("users", "user_10")

    comparison = compare(api, filled)

    assert sorted((one.table, one.id, one.kind) for one in comparison.drift) == [
        ("user_emails", "idn_user_07", MISSING),
        ("user_emails", "idn_user_08", STALE),
        ("users", "user_02", MISSING),
        ("users", "user_05", STALE),
        ("users", "user_06", STALE),
        ("users", "user_10", EXTRA),
        ("users", "user_11", EXTRA),
    ]
    by_id = {one.id: one.columns for one in comparison.drift}
    assert (by_id["user_05"], by_id["user_06"]) == (("first_name", "primary_email"), ("created_at",))

    refused = repair(api, filled, comparison, MaxDeletes())

    assert (refused.written, refused.deleted, refused.too_many) == (5, 0, 2)
    assert drift(api, filled) == [("users", "user_10", EXTRA), ("users", "user_11", EXTRA)]

    mended = repair(api, filled, compare(api, filled), MaxDeletes(percent=50))

    assert (mended.written, mended.deleted, mended.too_many) == (0, 2, 0)
    assert drift(api, filled) == []


def test_what_only_events_carry_is_not_compared(
    clerk: ClerkServer, api: BackendApi, filled: Mirroring, sql: Sql
) -> None:
    clerk.add("organization_invitations", "orginv_1", MAY_MS, organization_id="org_1")
    backfill(api, filled, ["organization_invitations"])
    sql("update {organization_invitations} set user_id = 'user_01'")

    comparison = compare(api, filled, "organization_invitations")

    assert (comparison.objects, comparison.rows, comparison.drift) == (1, 1, ())


@EVERYWHERE
def test_addresses_whose_user_neither_side_has_are_extra(
    clerk: ClerkServer, api: BackendApi, filled: Mirroring, sql: Sql
) -> None:
    clerk.remove("users", "user_03")
    clerk.remove("users", "user_04")
    sql("delete from {users} where id in ('user_03', 'user_05')")
    sql("update {users} set deleted_at = updated_at where id = 'user_04'")

    comparison = compare(api, filled)
    repair(api, filled, comparison, MaxDeletes(percent=None, count=5))

    assert sorted((one.table, one.owner or one.id, one.kind) for one in comparison.drift) == [
        ("user_emails", "user_03", EXTRA),
        ("user_emails", "user_04", EXTRA),
        ("users", "user_05", MISSING),
    ]
    assert drift(api, filled) == []
    assert set(filled.mirror.set_rows("user_emails", ["user_03", "user_04"], timeout_seconds=30)) == set()


def test_what_an_event_has_written_since_is_not_counted_as_written(
    clerk: ClerkServer, api: BackendApi, filled: Mirroring, sql: Sql
) -> None:
    sql("update {users} set first_name = 'X' where id = 'user_05'")
    comparison = compare(api, filled)
    sql("update {users} set _updated_at = _updated_at + 1 where id = 'user_05'")

    repaired = repair(api, filled, comparison, MaxDeletes())

    assert (repaired.written, repaired.mended) == (0, {"user_05"})


def test_a_second_look_comes_later_and_tells_what_was_only_on_its_way(
    clerk: ClerkServer, api: BackendApi, filled: Mirroring
) -> None:
    clerk.add("users", "user_new", MAY_MS + 50)
    clerk.remove("users", "user_01")
    waits: list[float] = []

    def meanwhile(seconds: float) -> None:
        waits.append(seconds)
        for type_, data in (
            ("user.created", clerk.whole("users", "user_new")),
            ("user.deleted", {"id": "user_01", "deleted": True}),
        ):
            change = change_of_event(type_, data, event_id="evt_1", timestamp_ms=MAY_MS + 99, leave_out=())
            filled.mirror.apply(change, instance_id=None, timeout_seconds=30)

    comparison = Verifier(api, filled, frozenset().intersection, wait=meanwhile).compare("users")

    assert comparison.drift == ()
    assert waits == [SECOND_LOOK_SECONDS]


@pytest.mark.parametrize(
    ("owed", "ahead_seconds", "expected"),
    [
        (frozenset(), 3600, [("users", "user_04", STALE), ("users", "user_05", MISSING)]),
        (frozenset(["user/user_05"]), 3600, [("users", "user_04", STALE)]),
        (frozenset(["user/user_04", "user/user_05"]), 3600, []),
        (frozenset(), 60, []),
    ],
    ids=["sure", "one owed", "both owed", "changed lately"],
)
def test_what_is_owed_or_was_changed_lately_does_not_count(
    clerk: ClerkServer,
    api: BackendApi,
    filled: Mirroring,
    sql: Sql,
    owed: frozenset[str],
    ahead_seconds: int,
    expected: list[tuple[str, str, DriftKind]],
) -> None:
    clerk.clock_ahead_seconds = 0
    now_ms = api.get("/instance").answered_at_ms
    clerk.clock_ahead_seconds = ahead_seconds
    clerk.change("users", "user_04", first_name="New", updated_at=now_ms)
    clerk.change("users", "user_05", updated_at=now_ms)
    sql("delete from {users} where id = 'user_05'")

    assert drift(api, filled, owed=owed) == expected


@pytest.mark.parametrize(("ahead_seconds", "expected"), [(3600, [("users", "user_04", EXTRA)]), (60, [])])
def test_a_row_that_was_changed_lately_is_not_extra_yet(
    clerk: ClerkServer,
    api: BackendApi,
    filled: Mirroring,
    sql: Sql,
    ahead_seconds: int,
    expected: list[tuple[str, str, DriftKind]],
) -> None:
    clerk.clock_ahead_seconds = 0
    now_ms = api.get("/instance").answered_at_ms
    clerk.clock_ahead_seconds = ahead_seconds
    sql(f"update {{users}} set _updated_at = {now_ms} where id = 'user_04'")
    clerk.remove("users", "user_04")

    assert drift(api, filled) == expected


def test_settled_is_what_was_changed_more_than_5_minutes_ago() -> None:
    assert [is_settled(0, now_ms) for now_ms in (300_000, 300_001)] == [False, True]


def test_what_is_delivered_while_it_is_judged_does_not_differ(
    clerk: ClerkServer, api: BackendApi, filled: Mirroring
) -> None:
    clerk.change("users", "user_04", first_name="New", updated_at=MAY_MS + 10)
    change = change_of_event(
        "user.updated", clerk.whole("users", "user_04"), event_id="e", timestamp_ms=MAY_MS, leave_out=()
    )

    def delivered_when_asked(_: object) -> set[str]:
        filled.mirror.apply(change, instance_id=None, timeout_seconds=30)
        return set()

    verifier = Verifier(api, filled, delivered_when_asked, wait=lambda _: None)

    assert verifier.compare("users").drift == ()


def test_a_row_without_its_time_is_extra_once_clerk_has_it_no_more(
    clerk: ClerkServer, api: BackendApi, filled: Mirroring, sql: Sql
) -> None:
    sql("update {users} set created_at = null where id in ('user_03', 'user_06')")
    clerk.remove("users", "user_03")

    assert drift(api, filled) == [("users", "user_03", EXTRA), ("users", "user_06", STALE)]


def test_so_many_objects_that_differ_are_kept_whole(api: BackendApi, filled: Mirroring, sql: Sql) -> None:
    sql("delete from {users}")
    verifier = Verifier(api, filled, frozenset().intersection, wait=lambda _: None, whole=5)

    for _ in range(2):
        looks = [object_.look.value or {} for object_ in verifier.compare("users").differing]

        assert sorted(look.keys() == {"id"} for look in looks) == [False] * 5 + [True] * 7


def test_what_is_extra_keeps_no_repair_from_the_rest(api: BackendApi, filled: Mirroring, sql: Sql) -> None:
    sql("update {users} set first_name = 'X' where id = 'user_05'")
    comparison = compare(api, filled)
    gone = Differing(id="user_x", drift=(), look=Look(value=None, began_at_ms=1, answered_at_ms=1))
    many = replace(comparison, differing=(*comparison.differing, *(gone,) * (MOST_OBJECTS + 1)))

    repaired = repair(api, filled, many, MaxDeletes())

    assert (repaired.written, repaired.too_many) == (1, MOST_OBJECTS + 1)


def test_a_list_that_the_instance_does_not_have_is_not_compared(
    clerk: ClerkServer, api: BackendApi, filled: Mirroring
) -> None:
    clerk.absent = {"organizations"}
    comparison = compare(api, filled, "organizations")

    assert comparison.absent.startswith("Clerk answered 403 Forbidden at /organizations")
    assert (comparison.rows, comparison.drift) == (0, ())


def test_what_is_newer_than_clerk_does_not_differ(
    api: BackendApi, filled: Mirroring, clerk: ClerkServer
) -> None:
    data = {**clerk.whole("users", "user_04"), "first_name": "Newer", "updated_at": MAY_MS + 10**6}
    change = change_of_event("user.updated", data, event_id="evt_1", timestamp_ms=MAY_MS, leave_out=())
    filled.mirror.apply(change, instance_id=None, timeout_seconds=30)

    assert drift(api, filled) == []


def test_a_row_that_a_list_does_not_show_is_not_extra_while_clerk_has_that_very_object(
    clerk: ClerkServer, api: BackendApi, filled: Mirroring
) -> None:
    clerk.hidden.add("user_04")

    assert drift(api, filled) == []


@EVERYWHERE
def test_what_counts_as_deleted_and_lives_is_revived(
    clerk: ClerkServer, api: BackendApi, filled: Mirroring
) -> None:
    deletion = change_of_event(
        "user.deleted", {"id": "user_01"}, event_id="evt_1", timestamp_ms=MAY_MS, leave_out=()
    )
    filled.mirror.apply(deletion, instance_id=None, timeout_seconds=30)
    tables = ["users", "organization_memberships"]

    assert drift(api, filled, "users") == [("users", "user_01", MISSING)]
    assert drift(api, filled, "organization_memberships") == [
        ("organization_memberships", "orgmem_1", MISSING)
    ]

    for table in tables:
        repair(api, filled, compare(api, filled, table), MaxDeletes())

    assert [drift(api, filled, table) for table in tables] == [[], []]


def test_what_is_gone_before_it_is_revived_is_left_to_its_event(
    clerk: ClerkServer, api: BackendApi, filled: Mirroring
) -> None:
    delete_by_event(filled)
    comparison = compare(api, filled)
    clerk.remove("users", "user_01")
    repaired = repair(api, filled, comparison, MaxDeletes())

    assert (len(comparison.drift), repaired.written, repaired.deleted) == (1, 0, 0)
    assert drift(api, filled) == []


def test_a_deletion_that_is_kept_without_its_row_is_taken_back(
    api: BackendApi, filled: Mirroring, sql: Sql
) -> None:
    delete_by_event(filled)
    sql("delete from {users} where id = 'user_01'")
    before = drift(api, filled)
    repaired = repair(api, filled, compare(api, filled), MaxDeletes())

    assert (before, repaired.written) == ([("users", "user_01", MISSING)], 1)
    assert drift(api, filled) == []


def test_a_row_is_deleted_as_of_when_clerk_said_that_it_is_gone(
    clerk: ClerkServer, api: BackendApi, filled: Mirroring
) -> None:
    clerk.remove("users", "user_01")
    comparison = compare(api, filled)
    repair(api, filled, comparison, MaxDeletes())
    (differing,) = comparison.differing
    row = filled.mirror.find("users", ["user_01"], timeout_seconds=30)["user_01"]

    assert row["deleted_at"] == differing.look.answered_at_ms > MAY_MS


def test_a_row_that_the_database_refuses_keeps_no_repair_from_the_rest(
    clerk: ClerkServer, api: BackendApi, filled: Mirroring, sql: Sql
) -> None:
    sql("create unique index mine on {users} (username)")
    for number, name in ((1, "ada"), (2, "ada"), (3, "bo")):
        clerk.change("users", f"user_0{number}", username=name, updated_at=MAY_MS + 10)
    repaired = repair(api, filled, compare(api, filled), MaxDeletes())

    assert (list(repaired.refused), repaired.mended) == (["user_02"], {"user_01", "user_03"})


def test_what_cannot_be_asked_for_does_not_differ(
    clerk: ClerkServer, api: BackendApi, filled: Mirroring, sql: Sql
) -> None:
    sql("update {organization_memberships} set organization_id = null")
    clerk.remove("organization_memberships", "orgmem_1")

    assert drift(api, filled, "organization_memberships") == []


def test_a_membership_is_extra_only_once_its_organisation_says_so(
    clerk: ClerkServer, api: BackendApi, filled: Mirroring
) -> None:
    clerk.remove("organization_memberships", "orgmem_1")
    expected = ("organization_memberships", "orgmem_1", EXTRA)

    assert drift(api, filled, "organization_memberships") == [expected]
    for owed in ("organizationMembership/orgmem_1", "user/user_01", "organization/org_1"):
        assert drift(api, filled, "organization_memberships", owed=frozenset([owed])) == []


def test_many_candidates_are_looked_for_in_the_list_and_not_one_by_one(
    clerk: ClerkServer, api: BackendApi, filled: Mirroring
) -> None:
    for number in range(100):
        clerk.add("users", f"user_of_{number}", MAY_MS + 50 + number)
    asked = clerk.requests
    comparison = Verifier(api, filled, frozenset().intersection, wait=lambda _: None).compare("users")

    assert len(comparison.drift) == 100
    assert clerk.requests - asked == 2


@pytest.mark.parametrize(
    ("max_deletes", "rows", "expected"),
    [
        (MaxDeletes(), 10, 1),
        (MaxDeletes(), 1000, 10),
        (MaxDeletes(percent=0.5), 1000, 5),
        (MaxDeletes(percent=None, count=3), 10, 3),
        (MaxDeletes(percent=None, count=0), 10, 0),
    ],
    ids=str,
)
def test_a_repair_deletes_a_share_of_the_rows_at_most(
    max_deletes: MaxDeletes, rows: int, expected: int
) -> None:
    assert max_deletes.of(rows) == expected
