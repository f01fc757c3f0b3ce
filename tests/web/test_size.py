"""What lists and pages read and answer is bounded, however large events and messages are."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest
from flask.testing import FlaskClient
from given_web import KEY, World, payload
from sqlalchemy import update
from test_access import sign_in

from hub.preview.drawing import pretty
from hub.store.repositories.payloads import LISTED_PAYLOAD_BYTES
from hub.store.tables import deliveries
from hub.web.paging import PAGE_BYTES, page_of

MIB = 1024 * 1024
PAGE_LIMIT = 100_000
DENSE = [1] * (MIB // 2 - 200)


def send_dense(world: World, client: FlaskClient, count: int, type_: str = "waitlistEntry.created") -> None:
    """Send events of 1 MiB less a few bytes, every other byte of them a number."""
    body = json.dumps(
        {
            "type": type_,
            "data": {"email_address": "ada@example.com", "url": "https://x.example/t", "n": DENSE},
        },
        separators=(",", ":"),
    ).encode()
    for number in range(count):
        world.send(client, body, f"msg_dense_{number}")


def pages(client: FlaskClient, path: str) -> list[tuple[int, list[Any]]]:
    """Read a list to its end; return the bytes and the items of each page."""
    answers, cursor = [], ""
    while cursor is not None:
        answer = client.get(f"{path}&before={cursor}" if cursor else path, headers=KEY)
        assert answer.status_code == 200
        answers.append((len(answer.data), answer.get_json()["items"]))
        cursor = answer.get_json()["next"]
    return answers


def test_the_overview_reads_no_dense_event(world: World, client: FlaskClient) -> None:
    sign_in(client)
    send_dense(world, client, 9)
    client.get("/")
    tracemalloc.start()
    text = client.get("/").text
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert most < MIB
    assert text.count("/events/evt_") == 6


def test_a_list_leaves_large_payloads_out_and_has_small_ones(world: World, client: FlaskClient) -> None:
    world.send(client, payload(email_address="ada@example.com"), "small")
    world.send(client, payload(note="x" * LISTED_PAYLOAD_BYTES), "large")
    sign_in(client)
    text = client.get("/events").text
    with world.store.read() as snapshot:
        large, small = snapshot.event_list.records()

    assert (large.payload is None, small.payload is None) == (True, False)
    assert text.count("/events/evt_") == 2
    assert "ada@example.com" in text


def test_a_page_of_events_ends_at_8_mib_and_the_next_goes_on(world: World, client: FlaskClient) -> None:
    send_dense(world, client, 9)
    answers = pages(client, "/api/events?payload=true&limit=100")

    assert [len(items) for _, items in answers] == [7, 2]
    assert max(size for size, _ in answers) <= PAGE_BYTES + MIB
    assert len({item["id"] for _, items in answers for item in items}) == 9
    assert all(item["payload"]["data"]["n"][:3] == [1, 1, 1] for _, items in answers for item in items)


def test_what_grows_while_it_is_written_counts_as_it_is_written(world: World, client: FlaskClient) -> None:
    for number in range(10):
        body = json.dumps(
            {"type": "user.created", "data": {"n": "\u00e9" * (MIB // 2 - 100)}}, ensure_ascii=False
        )
        world.send(client, body.encode(), f"msg_{number}")
    answers = pages(client, "/api/events?payload=true")

    assert max(size for size, _ in answers) <= PAGE_BYTES + 4 * MIB
    assert sum(len(items) for _, items in answers) == 10


def test_a_page_of_deliveries_ends_at_8_mib(world: World, client: FlaskClient) -> None:
    for number in range(30):
        world.send(client, payload(), f"msg_{number}")
    large = update(deliveries).values(message={"text": "x" * 256 * 1024})
    world.store.write(lambda transaction: transaction.session.connection.execute(large) and None)
    answers = pages(client, "/api/deliveries?limit=500")
    sign_in(client)

    assert max(size for size, _ in answers) <= PAGE_BYTES + MIB
    assert len({item["id"] for _, items in answers for item in items}) == 60
    assert len(client.get("/deliveries").data) < MIB


@pytest.mark.parametrize(
    ("sizes", "ids", "has_more"),
    [
        ([], [], False),
        ([("a", 1), ("b", 1)], ["a", "b"], False),
        ([("a", 1), ("b", 1), ("c", 1)], ["a", "b"], True),
        ([("a", PAGE_BYTES * 2), ("b", 1)], ["a"], True),
        ([("a", PAGE_BYTES - 1), ("b", 1), ("c", 0)], ["a", "b"], True),
        ([("a", PAGE_BYTES), ("b", 1)], ["a"], True),
    ],
)
def test_a_page_ends_by_number_and_by_size(
    sizes: list[tuple[str, int]], ids: list[str], has_more: bool
) -> None:
    page = page_of(sizes, limit=2)

    assert (page.ids, page.has_more) == (ids, has_more)


def test_a_dense_deep_payload_is_cut_instead_of_growing_a_hundredfold(
    world: World, client: FlaskClient
) -> None:
    nested: Any = DENSE[: MIB // 4]
    for _ in range(90):
        nested = [nested]
    sent = world.send(client, json.dumps({"type": "user.created", "data": {"n": nested}}).encode())
    sign_in(client)
    answer = client.get(f"/events/{sent['event']}")

    assert "cut here; the API has all of it" in answer.text
    assert "All of it as JSON" in answer.text
    assert "Copy payload" not in answer.text
    assert len(answer.data) < PAGE_LIMIT
    assert pretty({"a": [1]}) == json.dumps({"a": [1]}, indent=2)


@pytest.mark.parametrize("text", ['"', "\u202e"])
def test_no_page_of_a_large_event_takes_more_than_a_page_may(
    world: World, client: FlaskClient, text: str
) -> None:
    sent = world.send(client, payload(email_address=text * (1_000_000 // len(json.dumps(text)))))
    sign_in(client)
    with world.store.read() as snapshot:
        ids = snapshot.delivery_list.find(event=sent["event"]).ids

    for path in ("/events", f"/events/{sent['event']}", *(f"/deliveries/{one}" for one in ids)):
        assert len(client.get(path).data) < PAGE_LIMIT, path


def test_a_large_message_is_cut_on_its_page(world: World, client: FlaskClient) -> None:
    world.send(client, payload())
    large = update(deliveries).values(message={"text": "x" * 256 * 1024})
    world.store.write(lambda transaction: transaction.session.connection.execute(large) and None)
    sign_in(client)
    with world.store.read() as snapshot:
        ids = snapshot.delivery_list.find().ids

    for delivery_id in ids:
        answer = client.get(f"/deliveries/{delivery_id}")
        assert "cut here; the API has all of it" in answer.text
        assert len(answer.data) < PAGE_LIMIT


# -- what is not seen -------------------------------------------------------------------------------------

HOSTILE = "a\u202eb\u2066c\x9bd\u200fe\u2028f\ud800g"


def test_what_would_not_be_seen_is_shown_on_every_page(world: World, client: FlaskClient) -> None:
    sent = world.send(client, payload("strange.type", name=HOSTILE, note={"inner": HOSTILE}))
    sign_in(client)
    for path in ("/", "/events", f"/events/{sent['event']}"):
        text = client.get(path).text

        assert not set("\u202e\u2066\x9b\u200f\u2028") & set(text), path
    block = client.get(f"/events/{sent['event']}").text.partition("<pre")[2]
    assert '"inner": "a\\u202eb\\u2066c\\u009bd\\u200fe\\u2028f\\ud800g"' in block.replace("&#34;", '"')
