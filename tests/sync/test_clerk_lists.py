"""Clerk's lists from beginning to end, and one object by its own request."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from servers.backend_api import ClerkServer

from hub import catalog
from hub.errors import ClerkError
from hub.sync.api import BackendApi
from hub.sync.lists import LISTED_TABLES, LISTS, count, lists_of, one, pages

ORGANIZATION = {"organization_id": "org_1"}
VALUES: dict[str, dict[str, Any]] = {
    "users": {},
    "organizations": {"slug": "one"},
    "organization_memberships": {
        "organization": {**catalog.sample("organization.created")["data"], "id": "org_1"},
        "public_user_data": {
            **catalog.sample("organizationMembership.created")["data"]["public_user_data"],
            "user_id": "user_1",
        },
    },
    "organization_domains": ORGANIZATION,
    "organization_invitations": ORGANIZATION,
    "invitations": {},
    "waitlist_entries": {},
    "roles": {},
    "permissions": {},
}
IDS = {
    "users": "user_1",
    "organizations": "org_1",
    "organization_memberships": "orgmem_1",
    "organization_domains": "orgdmn_1",
    "organization_invitations": "orginv_1",
    "invitations": "inv_1",
    "waitlist_entries": "wle_1",
    "roles": "role_1",
    "permissions": "perm_1",
}


@pytest.fixture
def clerk(clerk: ClerkServer) -> ClerkServer:
    """An instance with one object of each kind."""
    for table, values in VALUES.items():
        clerk.add(table, IDS[table], 1_000, **values)
    return clerk


def ids(api: BackendApi, table: str, limit: int = 500) -> list[str]:
    return [
        value["id"]
        for clerk_list in lists_of(table)
        for page in pages(api, clerk_list, limit=limit)
        for value in page.objects
    ]


def test_the_objects_on_loopback_are_those_of_the_catalog(api: BackendApi) -> None:
    for clerk_list in LISTS:
        schema = catalog.find_event_type(f"{clerk_list.group}.created").schema
        for page in pages(api, clerk_list):
            for value in page.objects:
                if clerk_list.table == "organization_invitations":
                    # Clerk's list has what the event has below `data`, and no `user_id`.
                    data = {"public_organization_data": value["public_organization_data"]}
                    value = {**value, "user_id": None, "data": data}
                jsonschema.Draft202012Validator(schema).validate(value)


@pytest.mark.parametrize("table", LISTED_TABLES)
def test_each_table_has_a_list_that_is_counted_and_its_objects_can_be_asked_for_alone(
    clerk: ClerkServer, api: BackendApi, table: str
) -> None:
    row = {"id": IDS[table], "organization_id": "org_1", "user_id": "user_1"}

    assert ids(api, table) == [IDS[table]]
    assert count(api, lists_of(table)[0]) == 1
    assert one(api, table, row).value == clerk.whole(table, IDS[table])

    clerk.remove(table, IDS[table])
    look = one(api, table, row)

    assert look.value is None
    assert look.answered_at_ms > 1e12


@pytest.mark.parametrize(
    "table", ["organization_memberships", "organization_domains", "organization_invitations"]
)
def test_what_hangs_on_an_organisation_is_gone_with_it_and_not_sought_without_its_id(
    clerk: ClerkServer, api: BackendApi, table: str
) -> None:
    asked = clerk.requests
    assert one(api, table, {"id": IDS[table], "organization_id": None}) is None
    assert clerk.requests == asked

    clerk.remove(table, IDS[table])
    clerk.remove("organizations", "org_1")

    assert one(api, table, {"id": IDS[table], "organization_id": "org_1"}).value is None


def test_what_cannot_be_listed_is_not_gone(clerk: ClerkServer, api: BackendApi) -> None:
    clerk.absent = {"invitations"}

    with pytest.raises(ClerkError, match=r"^Clerk answered 403 Forbidden at /invitations: "):
        one(api, "invitations", {"id": "inv_1"})


def test_an_organisation_whose_slug_is_the_id_of_another_is_not_that_one(
    clerk: ClerkServer, api: BackendApi
) -> None:
    clerk.change("organizations", "org_1", slug="org_2")

    assert one(api, "organizations", {"id": "org_2"}).value is None


def test_an_answer_that_is_no_object_does_not_say_that_one_is_gone(
    clerk: ClerkServer, api: BackendApi
) -> None:
    clerk.answer_next(b'{"status": "ok"}')

    with pytest.raises(ClerkError, match=r"^Clerk's answer at /users/user_1 is no object with an id$"):
        one(api, "users", {"id": "user_1"})


@pytest.mark.parametrize("total", [0, 1, 10**9, -7, True, None, "12"])
def test_a_list_is_read_to_its_end_whatever_its_total_says(
    clerk: ClerkServer, api: BackendApi, total: object
) -> None:
    for number in range(2, 13):
        clerk.add("roles", f"role_{number}", 1_000 + number)
    clerk.totals["roles"] = total
    (clerk_list,) = lists_of("roles")
    totals = {page.total for page in pages(api, clerk_list, limit=5)}

    assert set(ids(api, "roles", limit=5)) == {f"role_{number}" for number in range(1, 13)}
    assert totals == {total if total in (0, 1, 10**9) and total is not True else None}


def test_revoked_invitations_are_read_too(clerk: ClerkServer, api: BackendApi) -> None:
    clerk.add("invitations", "inv_2", 500, status="revoked")

    assert ids(api, "invitations") == ["inv_1", "inv_2"]
    assert one(api, "invitations", {"id": "inv_2"}).value["status"] == "revoked"


@pytest.mark.parametrize("answer", ["page", "empty", "start", "refusal"])
def test_users_go_on_where_the_user_of_a_cursor_is_deleted(
    clerk: ClerkServer, api: BackendApi, answer: str
) -> None:
    clerk.gone_cursor = answer
    for number in range(2, 10):
        clerk.add("users", f"user_{number}", 1_000 + number // 3)
    deleted: list[str] = []

    def delete_the_last(server: ClerkServer) -> None:
        if not deleted:
            deleted.append("user_4")
            server.remove("users", "user_4")

    clerk.on_page = delete_the_last
    seen = ids(api, "users", limit=4)

    assert set(seen) == {f"user_{number}" for number in range(1, 10)}
    assert clerk.requests < 12


@pytest.mark.parametrize("body", [b"{}", b"[1]", b'[{"id": "a"}]', b'{"data": [{"id": 1, "created_at": 1}]}'])
def test_an_answer_that_is_no_list_is_one_sentence(body: bytes, api: BackendApi, clerk: ClerkServer) -> None:
    clerk.answer_next(body)

    with pytest.raises(
        ClerkError, match=r"^Clerk's answer at /users is no list of objects with an id and cre"
    ):
        ids(api, "users")
