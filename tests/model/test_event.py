"""Ids sort by the time they were made at; what nobody could read is not seen."""

from __future__ import annotations

import json
import multiprocessing
from datetime import UTC, datetime, timedelta

import pytest

from hub.model.event import DEPTH_LIMIT, OBJECT_ID_LIMIT, Event, first_id, new_id, shallow


def test_ids_sort_by_the_microsecond_and_are_never_the_same() -> None:
    began = datetime(2026, 11, 26, 2, 3, 4, 998_500, tzinfo=UTC)
    moments = [began + timedelta(microseconds=number) for number in range(3000)]
    ids = [new_id("evt", moment) for moment in moments]

    assert ids == sorted(ids)
    assert {len(event_id) for event_id in ids} == {32}
    assert len({new_id("evt", began) for _ in range(1000)}) == 1000


def test_what_comes_first_of_a_moment_is_before_its_ids_and_behind_those_before() -> None:
    for number in range(3000):
        moment = datetime(2026, 11, 26, tzinfo=UTC) + timedelta(milliseconds=number)
        assert new_id("evt", moment - timedelta(microseconds=1)) < first_id("evt", moment)
        assert first_id("evt", moment) <= new_id("evt", moment)
    assert first_id("evt", datetime(1960, 1, 1, tzinfo=UTC)) == "evt_000000000000"


def test_processes_that_were_forked_from_one_make_different_ids() -> None:
    fork = multiprocessing.get_context("fork")
    made = fork.SimpleQueue()
    processes = [fork.Process(target=lambda: made.put(new_id("evt", datetime.now(UTC))[-13:])) for _ in "12"]
    for process in processes:
        process.start()
    random_parts = [made.get() for _ in processes]
    for process in processes:
        process.join()

    assert random_parts[0] != random_parts[1]


def nested(levels: int, inner: str = "") -> str:
    return "[" * levels + inner + "]" * levels


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (nested(100), nested(100)),
        (nested(101), nested(100, "null")),
        (nested(99, '[[1], 2, {"a": [3]}]'), nested(99, "[null, 2, null]")),
        (f'{{"a": {nested(3000)}, "b": 1}}', f'{{"a": {nested(99, "null")}, "b": 1}}'),
        (nested(99, r'["[[\"[[", "\\", {"]": 1}]'), nested(99, r'["[[\"[[", "\\", null]')),
        ("[" * 200, "[" * 100),
        (json.dumps([[1]] * 200), json.dumps([[1]] * 200)),
    ],
)
def test_below_a_hundred_levels_there_is_null(payload: str, expected: str) -> None:
    assert shallow(payload) == expected


def test_an_event_keeps_its_bytes_and_shows_what_can_be_read() -> None:
    payload = f'{{"type": "x", "data": {{"a": {nested(3000)}, "b": 1}}}}'.encode()
    at = datetime(2026, 11, 26, tzinfo=UTC)
    event = Event(id="evt_1", source="clerk", message_id="m", type="x", payload=payload, received_at=at)

    assert event.payload == payload
    assert event.data == {"a": json.loads(nested(DEPTH_LIMIT - 2, "null")), "b": 1}


@pytest.mark.parametrize(
    ("type_", "data", "key"),
    [
        ("user.updated", {"id": "user_1"}, "user/user_1"),
        (
            "organizationMembership.deleted",
            {"id": "orgmem_1", "role": "x"},
            "organizationMembership/orgmem_1",
        ),
        ("ping", {"id": "1"}, "ping/1"),
        ("user.updated", {"id": "x" * OBJECT_ID_LIMIT}, f"user/{'x' * OBJECT_ID_LIMIT}"),
        ("user.updated", {"id": "x" * (OBJECT_ID_LIMIT + 1)}, None),
        ("user.updated", {"id": ""}, None),
        ("user.updated", {"id": 7}, None),
        ("user.updated", {"id": "a\nb"}, None),
        ("user.updated", {"id": "\0"}, None),
        ("user.updated", {"id": "\ud800"}, None),
        ("user.updated", {"user_id": "user_1"}, None),
        ("user.updated", ["user_1"], None),
        ("user.updated", "user_1", None),
        ("user.updated", None, None),
    ],
)
def test_an_event_is_about_what_its_data_names_by_id(type_: str, data: object, key: str | None) -> None:
    body = {"type": type_, "data": data}
    event = Event(
        id="evt_1",
        source="clerk",
        message_id="m",
        type=type_,
        payload=json.dumps(body).encode(),
        received_at=datetime(2026, 11, 26, tzinfo=UTC),
    )

    assert event.object_key == key


def test_what_was_parsed_to_be_verified_is_not_parsed_again() -> None:
    at, parsed = datetime(2026, 11, 26, tzinfo=UTC), {"data": {"id": "user_1"}}
    event = Event(
        id="evt_1", source="clerk", message_id="m", type="x", payload=b"", received_at=at, parsed=parsed
    )

    assert event.body is parsed
