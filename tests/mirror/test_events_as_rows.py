"""Every event type, and events with odd values, as rows of every table on every database."""

from contextlib import closing
from typing import Any

from given_mirror import SECONDS, Place, apply

from hub import catalog
from hub.mirror.reading import LAST_MOMENT, change_of_event
from hub.mirror.tables import owner_tables, table_of, tables

DEEP: Any = "bottom"
for _ in range(90):
    DEEP = {"a": DEEP}
ODD = {
    "first_name": "A\0d\ud83da 😀",
    "last_name": "x" * 100_000,
    "username": ["no", "text"],
    "created_at": LAST_MOMENT + 1,
    "last_sign_in_at": 1781111561,
    "legal_accepted_at": LAST_MOMENT,
    "verification_attempts_remaining": 2**63,
    "create_organizations_limit": -(2**63),
    "primary_phone_number_id": "idn_ü",
    "banned": "yes",
    "public_metadata": {"nul\0": "\0\udc00", "deep": DEEP, "huge": 10**400},
    "unknown_field": {"of": ["tomorrow"]},
}


def change(event_type: str, **values: Any) -> Any:
    data = {**catalog.sample(event_type)["data"], **values}
    return change_of_event(event_type, data, event_id="evt_1", timestamp_ms=1781111561749, leave_out=())


def test_every_event_type_is_written(place: Place) -> None:
    types = [name for name in catalog.event_types() if table_of(name)]
    with closing(place.mirror(tables=owner_tables())) as mirror:
        for name in types:
            apply(mirror, change(name))
        names = [name for name, table in tables().items() if not table.items]
        newest = {name: mirror.newest(name, timeout_seconds=SECONDS) for name in names}

    assert len(types) == 48
    assert {name for name, written_at in newest.items() if not written_at} == set()


def test_odd_values_are_null_or_mended_and_the_row_is_written(place: Place) -> None:
    with closing(place.mirror(tables=("users",))) as mirror:
        effect = apply(mirror, change("user.updated", id="user_odd", **ODD))
        row = mirror.find("users", ["user_odd"], timeout_seconds=SECONDS)["user_odd"]

    assert effect == "inserted"
    assert row["first_name"] == "A\ufffdd\ufffda 😀"
    assert len(row["last_name"]) == 100_000
    null = ("username", "created_at", "verification_attempts_remaining", "primary_phone_number_id", "banned")
    assert [row[name] for name in null] == [None] * len(null)
    assert (row["last_sign_in_at"], row["legal_accepted_at"]) == (1781111561000, LAST_MOMENT)
    assert row["create_organizations_limit"] == -(2**63)
    assert row["public_metadata"]["nul\ufffd"] == "\ufffd\ufffd"
