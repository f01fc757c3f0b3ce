"""Events and objects of Clerk's API as changes of rows, hostile ones included."""

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub import catalog
from hub.catalog.variants import declared_fields, variants
from hub.errors import Unmirrorable
from hub.mirror.changes import Change, Version
from hub.mirror.reading import LAST_MOMENT, change_of_event, change_of_object, own_change
from hub.mirror.tables import Kind, table_of, tables

TIME = 1781111561749
USUAL = ("private_metadata", "unsafe_metadata")
MIRRORED = [name for name in catalog.event_types() if table_of(name)]
OF_KIND: dict[Kind, type | tuple[type, ...]] = {
    Kind.ID: str,
    Kind.TEXT: str,
    Kind.TIME: int,
    Kind.INTEGER: int,
    Kind.BOOLEAN: bool,
    Kind.JSON: (dict, list, str, int, float),
}
SECRET = "s3cret-0f-0nce"


def read(event_type: str, data: Any, leave_out: tuple[str, ...] = USUAL) -> Change:
    return change_of_event(event_type, data, event_id="evt_1", timestamp_ms=TIME, leave_out=leave_out)


def user(**changes: Any) -> dict[str, Any]:
    return {**catalog.sample("user.updated")["data"], **changes}


def wrong_values(change: Change) -> Iterator[tuple[str, Any]]:
    """Yield the values that are not of their column's kind, and the columns that there are none of."""
    rows = [(change.table, change.values)]
    rows += [(name, row) for name, members in change.rows.items() for row in members]
    for name, values in rows:
        columns = {column.name: column for column in tables()[name].columns}
        for key, value in values.items():
            if key not in columns or not isinstance(value, (OF_KIND[columns[key].kind], type(None))):
                yield key, value


@pytest.mark.parametrize("event_type", MIRRORED)
def test_every_sample_and_variant_becomes_a_row(event_type: str) -> None:
    body = catalog.sample(event_type)
    bodies = [body, *(variant for _, variant in variants(event_type, body, declared_fields(event_type)))]
    changes = [read(event_type, one["data"]) for one in bodies if isinstance(one["data"].get("id"), str)]

    assert len(changes) >= len(bodies) - 2
    for change in changes:
        assert (change.table, list(wrong_values(change))) == (table_of(event_type), [])
        assert (change.deleted_at is not None) == event_type.endswith(".deleted")
        json.dumps([change.values, change.rows])


HOSTILE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda items: st.lists(items, max_size=3) | st.dictionaries(st.text(max_size=9), items, max_size=3),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(
    event_type=st.sampled_from(MIRRORED),
    values=st.lists(HOSTILE, min_size=1, max_size=8),
    seed=st.integers(min_value=0, max_value=200),
)
def test_whatever_stands_in_a_field_the_row_is_written(event_type: str, values: list[Any], seed: int) -> None:
    data = catalog.sample(event_type)["data"]
    keys = [key for key in data if key != "id"]
    for index, value in enumerate(values):
        data[keys[(seed + index) % len(keys)]] = value
    change = read(event_type, data)

    assert list(wrong_values(change)) == []
    text = json.dumps([change.values, change.rows], allow_nan=False)
    assert "\\u0000" not in text
    text.encode()
    assert all(time is None or 0 < time <= LAST_MOMENT for time in times(change))


def times(change: Change) -> list[Any]:
    columns = {column.name for column in tables()[change.table].columns if column.kind is Kind.TIME}
    return [value for name, value in change.values.items() if name in columns]


@pytest.mark.parametrize(
    ("field", "value", "column"),
    [
        ("created_at", 1781111561, 1781111561000),
        ("created_at", LAST_MOMENT + 1, None),
        ("created_at", -1, None),
        ("created_at", True, None),
        ("created_at", "2026-06-10", None),
        ("first_name", "A\0d\ud800a", "A\ufffdd\ufffda"),
        ("first_name", "😀", "😀"),
        ("first_name", 7, None),
        ("verification_attempts_remaining", 2**63, None),
        ("verification_attempts_remaining", 5.0, 5),
        ("verification_attempts_remaining", 5.5, None),
        ("banned", 1, None),
        ("primary_phone_number_id", "idn_ü", None),
        ("primary_phone_number_id", "idn_a ", None),
        ("primary_phone_number_id", "i" * 192, None),
        ("public_metadata", {"a": "\0", "b": float("inf")}, {"a": "\ufffd", "b": None}),
    ],
)
def test_an_odd_value_costs_its_column_alone(field: str, value: Any, column: Any) -> None:
    change = read("user.updated", user(**{field: value}))

    assert (change.values[field], change.values["last_name"]) == (column, "Lindqvist")


def test_what_a_column_cannot_hold_stays_in_raw() -> None:
    change = read("user.updated", user(created_at=LAST_MOMENT + 1, banned=1, invented=[2**70]))

    raw = change.values["raw"]
    assert (raw["created_at"], raw["banned"], raw["invented"]) == (LAST_MOMENT + 1, 1, [2**70])


def test_json_is_kept_as_deep_as_every_database_takes_it() -> None:
    deep: Any = "bottom"
    for _ in range(90):
        deep = [deep]
    change = read("user.updated", user(public_metadata={"a": deep}))

    assert "bottom" not in json.dumps(change.values)
    assert json.dumps(change.values["public_metadata"]).count("[") == 28


@pytest.mark.parametrize(
    ("updated_at", "version"), [(TIME - 5, TIME - 5), (1781111561, 1781111561000), (None, TIME), ("x", TIME)]
)
def test_the_version_is_of_the_object_or_else_of_the_event(updated_at: Any, version: int) -> None:
    change = read("user.updated", user(updated_at=updated_at))

    assert change.version == Version(version, TIME, "evt_1")


@pytest.mark.parametrize(
    "data", [None, [], "user_1", {}, {"id": None}, {"id": 7}, {"id": ""}, {"id": "a b"}, {"id": "x" * 192}]
)
@pytest.mark.parametrize("event_type", ["user.updated", "user.deleted"])
def test_an_object_without_an_id_is_refused(event_type: str, data: Any) -> None:
    with pytest.raises(Unmirrorable, match="the id of the object is"):
        read(event_type, data)


def test_a_type_without_a_table_is_refused() -> None:
    with pytest.raises(Unmirrorable, match="no table has what email"):
        read("email.created", {"id": "ema_1"})


def test_a_deletion_is_one_whatever_else_its_object_says() -> None:
    assert read("user.deleted", {"id": "user_1", "updated_at": 5}).version is None
    assert read("organizationMembership.deleted", {"id": "orgmem_1", "deleted": True}).version is None


def test_an_own_row_gets_what_set_or_on_delete_has() -> None:
    live, gone = catalog.sample("user.updated")["data"], catalog.sample("user.deleted")["data"]
    facts: dict[str, Any] = {"event_id": "evt_1", "timestamp_ms": TIME, "table": "members"}
    facts |= {"key": {"clerk_id": live["id"]}, "values": {"name": "A\0da"}}
    update = own_change("user.updated", live, on_delete={"gone": True}, **facts)
    deletion = own_change("user.deleted", gone, on_delete={"gone": True}, **facts)
    removal = own_change("user.deleted", gone, on_delete="delete", **facts)

    assert (update.values, update.is_deletion) == ({"name": "A\ufffdda"}, False)
    assert (deletion.values, deletion.is_deletion, deletion.removes) == ({"gone": True}, True, False)
    assert (removal.values, removal.is_deletion, removal.removes) == ({}, True, True)
    assert (update.object, update.version.updated_at) == ("user", live["updated_at"])


def test_a_deletion_has_the_time_of_its_event_and_no_columns() -> None:
    change = read("user.deleted", catalog.sample("user.deleted")["data"])

    assert (change.deleted_at, change.version, dict(change.values)) == (TIME, None, {})


def test_a_deleted_membership_has_its_columns_beside_the_deletion() -> None:
    change = read("organizationMembership.deleted", catalog.sample("organizationMembership.deleted")["data"])

    assert change.deleted_at == TIME
    assert change.version is not None
    assert change.values["organization_id"].startswith("org_")
    assert change.values["user_id"].startswith("user_")


def test_the_primary_email_is_the_one_that_the_user_names() -> None:
    change = read("user.updated", user())
    addresses = [row["email_address"] for row in change.rows["user_emails"]]

    assert addresses[0] == "mara.home@example.org"
    assert change.values["primary_email"] == "mara.lindqvist@example.com"
    assert read("user.updated", user(primary_email_address_id=None)).values["primary_email"] is None
    assert read("user.updated", user(email_addresses=None)).values["primary_email"] is None


def test_a_set_holds_each_address_once_and_none_without_an_id() -> None:
    entries = [*user()["email_addresses"], *user()["email_addresses"], {"email_address": "x@y.example"}, 7]
    change = read("user.updated", user(email_addresses=entries, phone_numbers="none"))

    assert len(change.rows["user_emails"]) == 2
    assert "user_phones" not in change.rows


def with_secrets(value: Any) -> Any:
    """Return a sample in which every field that is never shown has the same text, in copies, too."""
    if isinstance(value, list):
        return [with_secrets(item) for item in value]
    if not isinstance(value, dict):
        return value
    hidden = dict.fromkeys(("url", "nonce", "backup_codes", "external_verification_redirect_url"), SECRET)
    private = {"private_metadata": {"ssn": SECRET}, "unsafe_metadata": {"ssn": SECRET}}
    kept = {key: item if "metadata" in key else with_secrets(item) for key, item in value.items()}
    return {**kept, **hidden, **private}


@pytest.mark.parametrize("event_type", MIRRORED)
def test_secrets_and_what_is_left_out_are_kept_at_no_depth(event_type: str) -> None:
    data = with_secrets(deepcopy(catalog.sample(event_type)["data"]))
    data["organization_memberships"] = [{"organization": deepcopy(data)}]
    change = read(event_type, data)

    assert SECRET not in json.dumps([change.values, change.rows])


def test_metadata_may_have_a_key_that_is_a_secret_elsewhere() -> None:
    change = read("user.updated", user(public_metadata={"url": "https://example.com"}))

    assert change.values["public_metadata"] == {"url": "https://example.com"}
    assert change.values["raw"]["public_metadata"] == {"url": "https://example.com"}


def test_a_left_out_key_leaves_columns_sets_and_raw() -> None:
    data = catalog.sample("organizationMembership.created")["data"]
    membership = read("organizationMembership.created", data, ("public_user_data", "role_name"))
    person = read("user.updated", user(), ("email_address", "public_metadata"))

    assert "june@example.com" not in json.dumps(membership.values)
    assert (membership.values["role_name"], membership.values["role"]) == (None, "org:admin")
    assert membership.values["user_id"] == data["public_user_data"]["user_id"]
    assert "mara.lindqvist" not in json.dumps([person.values, person.rows])
    assert (person.values["primary_email"], person.values["public_metadata"]) == (None, None)


def test_an_object_of_the_api_leaves_what_only_events_carry() -> None:
    data = catalog.sample("organizationInvitation.accepted")["data"]
    change = change_of_object("organization_invitations", data, read_at_ms=TIME, leave_out=USUAL)

    assert "user_id" in read("organizationInvitation.accepted", data).values
    assert "user_id" not in change.values
    assert change.version == Version(data["updated_at"], TIME, "")
