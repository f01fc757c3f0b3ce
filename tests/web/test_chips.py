"""The filters of a list as chips, in words and in links; and the words of what was not found."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from given_web import World, payload
from sqlalchemy import update
from test_access import sign_in

from hub.model.delivery import State
from hub.model.event import first_id
from hub.model.filter import Filter, Matches
from hub.store.repositories.choices import MOST_COUNTED, Values
from hub.store.tables import events
from hub.web.chips import chips_of, in_words, options_of, origin_of, searched_type
from hub.web.nothing_found import COUNTED, Search, count_words, nothing_words

NOW = datetime(2026, 6, 12, 19, 0, tzinfo=UTC)
TYPES = ("user.created", "user.deleted")
PRUNED = first_id("evt", NOW - timedelta(days=40)) + "0" * 16
QUERY = {"q": "jane", "destination": "crm", "degraded": "true"}


def test_each_filter_but_the_words_is_a_chip_that_leads_to_the_list_without_it() -> None:
    chips = [(chip.label, dict(chip.without)) for chip in chips_of(QUERY)]

    assert chips == [
        ("destination: crm", {"q": "jane", "degraded": "true"}),
        ("degraded", {"q": "jane", "destination": "crm"}),
    ]
    assert in_words(QUERY) == '"jane", destination: crm, degraded'
    assert origin_of({"q": "a&b", "state": "dead"}) == {"from": "q=a%26b&state=dead"}
    assert origin_of({}) == {}


def test_a_time_up_to_now_takes_the_place_of_one_that_is_over() -> None:
    values = Values(sources={}, types={}, routes={}, destinations={}, states=Counter(), degraded=0)
    (hour, *_) = options_of(values, {"since": "2026-01-01", "until": "2026-01-02", "q": "a"})["time"]

    assert hour.query == {"since": "1h", "q": "a"}


@pytest.mark.parametrize(
    ("query", "by_type"),
    [
        ({"q": "user.created", "state": "dead"}, {"type": "user.created", "state": "dead"}),
        ({"q": " user.* "}, {"type": "user.*"}),
        ({"q": "user.created", "type": "user.*"}, None),
        ({"q": "example.com"}, None),
        ({"q": "*"}, None),
        ({"state": "dead"}, None),
    ],
)
def test_a_type_in_the_search_box_is_a_filter_by_it(query: dict[str, str], by_type: Any) -> None:
    assert searched_type(query, TYPES) == by_type


def test_values_are_offered_by_how_many_have_them_and_keep_the_other_filters() -> None:
    values = Values(
        sources={},
        types={},
        routes={"a": 2, "b": MOST_COUNTED + 1, "c": 0},
        destinations={},
        states=dict.fromkeys(State, 0),
        degraded=3,
    )
    options = options_of(values, {"q": "jane", "route": "a"})
    routes = [(one.label, one.count, one.is_chosen, dict(one.query)) for one in options["route"]]

    assert list(options) == ["state", "route", "degraded", "time"]
    assert routes == [
        ("b", "1,000+", False, {"q": "jane", "route": "b"}),
        ("a", "2", True, {"q": "jane", "route": "a"}),
        ("c", "", False, {"q": "jane", "route": "c"}),
    ]


def search(**changes: Any) -> Search:
    usual: dict[str, Any] = {"noun": "event", "query": {}, "before": None, "matches": Matches(ids=())}
    usual |= {"read_until": None, "retention": timedelta(days=30), "pruned": None, "now": NOW}
    return Search(**usual | changes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"matches": Matches(ids=["a"])}, "1 event · newest first"),
        ({"matches": Matches(ids=["a"] * 124), "query": QUERY}, "124 found · newest first"),
        (
            {"matches": Matches(ids=["a"] * (COUNTED + 1)), "noun": "delivery"},
            "more than 1,000 deliveries · newest first",
        ),
        ({"matches": Matches(ids=["a"] * 51, is_counted=False), "query": QUERY}, "newest first"),
        ({"matches": Matches(ids=["a"]), "before": "evt_1"}, "newest first"),
        (
            {"matches": Matches(ids=["a"], resume="x", is_counted=False)},
            "newest first · looked through the newest 20,000",
        ),
        (
            {"read_until": NOW},
            "read until 2026-06-12 19:00:00 UTC; what came later is found in a moment",
        ),
        ({}, ""),
    ],
)
def test_a_list_says_how_many_it_has_where_that_is_known(changes: dict[str, Any], words: str) -> None:
    assert count_words(search(**changes)) == words


FIELDS = "Ids, addresses and names are searched, whole or by the beginning of any of their words."
KEPT = "30 days are kept (HUB_RETENTION); what is older was pruned."


@pytest.mark.parametrize(
    ("changes", "sentences"),
    [
        ({}, []),
        ({"query": {"q": "zoe"}}, ['No event fits "zoe".', FIELDS, KEPT]),
        (
            {"query": {"q": "***", "state": "dead"}, "is_searchable": False},
            [
                '"***" cannot be searched for.',
                "Say 1 to 8 words of ids, addresses or names, each with a letter or a digit.",
            ],
        ),
        ({"query": {"state": "dead"}, "before": "x"}, ["No older event fits state: dead.", KEPT]),
        (
            {"query": {"type": "usr.created"}, "retention": timedelta(hours=36)},
            [
                'No event fits type: usr.created; did you mean "user.created"?',
                "36 h are kept (HUB_RETENTION); what is older was pruned.",
            ],
        ),
        (
            {
                "query": {"q": "a", "state": "dead"},
                "matches": Matches(ids=(), resume="x"),
                "noun": "delivery",
            },
            ['None of the newest 20,000 deliveries fits "a", state: dead; older ones may.'],
        ),
        (
            {"query": {"q": "msg_1"}, "pruned": PRUNED},
            [
                'No event fits "msg_1".',
                FIELDS,
                KEPT,
                "msg_1 was received on 3 May 2026 and was pruned since then.",
            ],
        ),
        (
            {"query": {"q": PRUNED}},
            [
                f'No event fits "{PRUNED}".',
                FIELDS,
                KEPT,
                f"{PRUNED} is of 3 May 2026: whatever it was, it was pruned.",
            ],
        ),
        ({"query": {"q": "evt_ffffffffffff"}}, ['No event fits "evt_ffffffffffff".', FIELDS, KEPT]),
        ({"query": {"q": "dlv_000000000000"}}, ['No event fits "dlv_000000000000".', FIELDS, KEPT]),
    ],
)
def test_nothing_found_says_what_was_searched_and_how_far_back(
    changes: dict[str, Any], sentences: list[str]
) -> None:
    assert nothing_words(search(**changes)) == sentences


def test_a_pruned_event_is_found_as_pruned_by_its_own_id_and_its_senders(
    world: World, client: FlaskClient
) -> None:
    sent = world.send(client, payload("user.created"), "msg_Pruned")
    sign_in(client)
    gone = update(events).values(payload=None)
    world.store.write(lambda transaction: transaction.session.connection.execute(gone) and None)

    for words in ("msg_Pruned", sent["event"]):
        text = client.get(f"/deliveries?q={words}").text
        assert "and was pruned since then" in text
        assert f'href="/events/{sent["event"]}"' in text


def test_a_record_leads_to_those_beside_it_in_the_list_that_led_to_it(
    world: World, client: FlaskClient
) -> None:
    for number in range(3):
        world.send(client, payload(), f"msg_{number}")
    sign_in(client)
    with world.store.read() as snapshot:
        newest, middle, oldest = snapshot.delivery_list.find(Filter(destination="crm")).ids
    text = client.get(f"/deliveries/{middle}?from=destination%3Dcrm").text

    assert (
        f'<a rel="up" href="/deliveries?destination=crm#{middle}">Deliveries (destination: crm)</a>' in text
    )
    assert f'<a rel="prev" href="/deliveries/{newest}?from=destination%3Dcrm">' in text
    assert f'<a rel="next" href="/deliveries/{oldest}?from=destination%3Dcrm">' in text
    assert (
        f'href="/deliveries/{middle}?from=destination%3Dcrm"'
        in client.get("/deliveries?destination=crm").text
    )


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("", 200),
        ("destination%3Dcrm", 200),
        ("//evil.test", 400),
        ("next%3D//evil.test", 400),
        ("state%3Dloud", 400),
        ("destination%3Dcrn", 404),
        ("q%3D" + "a" * 4_000, 400),
    ],
)
def test_the_list_in_a_link_is_read_as_every_filter_is(
    world: World, client: FlaskClient, origin: str, status: int
) -> None:
    sent = world.send(client, payload())
    sign_in(client)

    assert client.get(f"/events/{sent['event']}?from={origin}").status_code == status
