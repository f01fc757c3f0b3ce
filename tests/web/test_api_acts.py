"""Acts on many deliveries and events through the API, on both dialects."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from given_web import KEY, PASSWORD, World, a_config, payload
from sqlalchemy import update
from test_access import form_token, sign_in

from hub.maintenance.index import Indexer
from hub.settings import Settings
from hub.store.open import open_store
from hub.store.store import Store
from hub.store.tables import deliveries

DELIVERIES, EVENTS = "/api/deliveries/acts", "/api/events/acts"
ABSENT = "dlv_000000000000"


@pytest.fixture
def world(store: Store) -> Iterator[World]:
    world = World(store=store, config=a_config(), settings=Settings(password=PASSWORD))
    yield world
    world.close()


def post(client: FlaskClient, path: str, body: Any, status: int = 200) -> Any:
    answer = client.post(path, headers=KEY, data=json.dumps(body))
    assert answer.status_code == status, answer.text
    return answer.get_json()


def ids_of(client: FlaskClient, destination: str) -> list[str]:
    listed = client.get(f"/api/deliveries?destination={destination}", headers=KEY).get_json()["items"]
    return [item["id"] for item in listed]


def set_state(world: World, ids: list[str], state: str) -> None:
    change = update(deliveries).where(deliveries.c.id.in_(ids)).values(state=state)
    world.store.write(lambda transaction: transaction.session.connection.execute(change) and None)


@pytest.fixture
def owed(world: World, client: FlaskClient) -> tuple[list[str], list[str]]:
    """Three events, and their deliveries to the console."""
    sent = [world.send(client, payload(), f"msg_{number}")["event"] for number in range(3)]
    return sent, ids_of(client, "log")


def alive(world: World) -> None:
    """A worker runs."""

    def beat(transaction: Any) -> None:
        transaction.workers.beat("w", transaction.now, forget_after=timedelta(hours=1))

    world.store.write(beat)


def test_ids_are_retried_and_the_others_say_why_not_in_the_order_of_the_question(
    world: World, client: FlaskClient, owed: tuple[list[str], list[str]]
) -> None:
    alive(world)
    newest, middle, oldest = owed[1]
    set_state(world, [newest, oldest], "dead")
    set_state(world, [middle], "held")
    answer = post(client, DELIVERIES, {"act": "retry", "ids": [middle, ABSENT, newest, oldest]})

    assert answer == {
        "changed": 2,
        "skipped": [
            {
                "id": middle,
                "why": "it cannot be retried: it is held because it may have arrived; "
                "resolve it as delivered or as retry",
            },
            {"id": ABSENT, "why": f"there is no delivery {ABSENT}"},
        ],
    }


@pytest.mark.parametrize(
    ("body", "before", "after"),
    [
        ({"act": "cancel"}, "pending", "cancelled"),
        ({"act": "resolve", "as": "delivered"}, "held", "delivered"),
        ({"act": "resolve", "as": "retry"}, "held", "pending"),
    ],
)
def test_ids_are_cancelled_or_resolved(
    world: World,
    client: FlaskClient,
    owed: tuple[list[str], list[str]],
    body: dict[str, str],
    before: str,
    after: str,
) -> None:
    alive(world)
    ids = owed[1]
    set_state(world, ids, before)
    dry = post(client, DELIVERIES, {**body, "ids": ids, "dry_run": True})
    answer = post(client, DELIVERIES, {**body, "ids": ids})
    listed = client.get("/api/deliveries?destination=log", headers=KEY).get_json()["items"]

    assert dry == answer == {"changed": 3, "skipped": []}
    assert {item["state"] for item in listed} == {after}


def test_what_an_act_owes_and_waits_all_the_same_is_told_by_destination(
    world: World, client: FlaskClient, owed: tuple[list[str], list[str]]
) -> None:
    alive(world)
    client.post("/api/destinations/log/pause", headers=KEY)
    ids = owed[1]
    answers = [
        post(client, DELIVERIES, {"act": "retry", "ids": ids, "dry_run": is_dry}) for is_dry in (True, False)
    ]
    replayed = post(client, EVENTS, {"act": "replay", "ids": owed[0]})
    text = "log is paused (paused by an operator); sent once it is resumed"
    waits = [{"destination": "log", "deliveries": 3, "why": {"code": "paused", "text": text, "until": None}}]

    assert answers == [{"changed": 3, "skipped": [], "waits": waits}] * 2
    assert (replayed["deliveries"], replayed["waits"]) == (6, waits)
    assert post(client, DELIVERIES, {"act": "cancel", "ids": ids}) == {"changed": 3, "skipped": []}


def test_all_that_a_filter_finds_are_changed(
    world: World, client: FlaskClient, owed: tuple[list[str], list[str]]
) -> None:
    alive(world)
    first, second, _ = owed[1]
    set_state(world, [first, second], "dead")
    crm = post(client, DELIVERIES, {"act": "retry", "filter": {"state": "dead", "destination": "crm"}})
    some = {"state": "dead", "destination": "log", "type": "waitlist*", "since": "1h"}
    dry = post(client, DELIVERIES, {"act": "retry", "filter": some, "dry_run": True})
    answer = post(client, DELIVERIES, {"act": "retry", "filter": some})
    rest = post(client, DELIVERIES, {"act": "cancel", "filter": {"event": owed[0][0]}})
    entries = client.get(f"/api/audit?subject={first}", headers=KEY).get_json()["items"]

    assert crm == {"changed": 0, "skipped": []}
    assert dry == answer == {"changed": 2, "skipped": []}
    assert rest == {"changed": 2, "skipped": []}
    assert [(entry["act"], entry["subject"], entry["changed"]) for entry in entries] == [("retry", "log", 2)]


def test_all_about_somebody_is_changed_and_nothing_else(
    world: World, client: FlaskClient, owed: tuple[list[str], list[str]]
) -> None:
    alive(world)
    ada = world.send(client, payload(email_address="ada@example.com"), "msg_ada")["event"]
    Indexer(world.store).run()
    cancelled = post(client, DELIVERIES, {"act": "cancel", "filter": {"q": "ada@example.com"}})
    replayed = post(client, EVENTS, {"act": "replay", "filter": {"q": "ada@"}, "destinations": ["log"]})
    nobody = post(client, DELIVERIES, {"act": "cancel", "filter": {"q": "!"}}, 400)
    listed = client.get(f"/api/deliveries?event={ada}", headers=KEY).get_json()["items"]

    assert cancelled == {"changed": 2, "skipped": []}
    assert replayed == {"changed": 1, "deliveries": 1, "skipped": []}
    assert "say 1 to 8 words" in nobody["message"]
    assert sorted(item["state"] for item in listed) == ["cancelled", "cancelled", "pending"]


def test_what_a_filter_finds_and_cannot_be_changed_says_why(
    world: World, client: FlaskClient, owed: tuple[list[str], list[str]]
) -> None:
    set_state(world, owed[1][:1], "delivered")
    answer = post(client, DELIVERIES, {"act": "cancel", "filter": {"destination": "log"}})

    assert answer == {
        "changed": 2,
        "skipped": [{"id": owed[1][0], "why": "it cannot be cancelled: it is delivered"}],
    }


def test_a_filter_acts_on_so_many_at_once_and_says_that_there_are_more(
    world: World,
    client: FlaskClient,
    owed: tuple[list[str], list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("hub.operator.selection.LARGEST", 2)
    body = {"act": "cancel", "filter": {"state": "pending", "destination": "log"}}

    assert post(client, DELIVERIES, body) == {"changed": 2, "skipped": [], "more": True}
    assert post(client, DELIVERIES, body) == {"changed": 1, "skipped": []}
    assert post(client, EVENTS, {"act": "replay", "filter": {"type": "*"}, "dry_run": True})["more"] is True


def test_events_that_a_filter_finds_are_replayed(
    world: World, client: FlaskClient, owed: tuple[list[str], list[str]]
) -> None:
    alive(world)
    set_state(world, owed[1][:2], "dead")
    where = {"state": "dead", "destination": "log"}
    answer = post(client, EVENTS, {"act": "replay", "filter": where, "destinations": ["log"]})

    assert answer == {"changed": 2, "deliveries": 2, "skipped": []}


def test_events_are_replayed_to_some_destinations(
    world: World, client: FlaskClient, owed: tuple[list[str], list[str]]
) -> None:
    alive(world)
    ids = owed[0]
    body = {"act": "replay", "destinations": ["crm"], "ids": [*ids, "evt_000000000000"]}
    dry = post(client, EVENTS, {**body, "dry_run": True})
    answer = post(client, EVENTS, body)

    skipped = [{"id": "evt_000000000000", "why": "there is no event evt_000000000000"}]
    assert dry == answer == {"changed": 3, "deliveries": 3, "skipped": skipped}
    assert (len(ids_of(client, "crm")), len(ids_of(client, "log"))) == (6, 3)


def test_one_event_is_replayed_to_some_destinations(
    world: World, client: FlaskClient, owed: tuple[list[str], list[str]]
) -> None:
    path = f"/api/events/{owed[0][0]}/replay"
    answer = client.post(f"{path}?destination=log", headers=KEY)
    both = client.post(f"{path}?destination=log&destination=crm", headers=KEY)
    other = client.post(f"{path}?destination=growth", headers=KEY)
    unknown = client.post(f"{path}?destination=lgo", headers=KEY)

    assert answer.get_json() == {"event": owed[0][0], "routes": ["waitlist"], "deliveries": 1}
    assert both.get_json()["deliveries"] == 2
    assert (other.status_code, other.get_json()["message"]) == (409, "today's rules send it to crm, log only")
    assert (unknown.status_code, unknown.get_json()["message"]) == (
        404,
        'there is no destination "lgo"; did you mean "log"?',
    )


REFUSED: list[tuple[str, Any, str]] = [
    (DELIVERIES, "no", "the body is text"),
    (DELIVERIES, [], "the body is a list"),
    (DELIVERIES, None, "the body is nothing"),
    (DELIVERIES, {"ids": [ABSENT]}, "act is missing; it must be retry or cancel or resolve"),
    (
        DELIVERIES,
        {"act": "replay", "ids": [ABSENT]},
        "act is 'replay'; it must be retry or cancel or resolve",
    ),
    (DELIVERIES, {"act": ["retry"], "ids": [ABSENT]}, "act is a list"),
    (DELIVERIES, {"act": "retry"}, "say either ids, a list"),
    (DELIVERIES, {"act": "retry", "ids": [ABSENT], "filter": {"state": "dead"}}, "say either ids, a list"),
    (DELIVERIES, {"act": "retry", "filter": {}}, "filter is an empty object"),
    (DELIVERIES, {"act": "retry", "filter": "dead"}, "filter is 'dead'; it must be an object"),
    (
        DELIVERIES,
        {"act": "retry", "filter": {"stat": "dead"}},
        "there is no 'stat' in filter; it takes q,",
    ),
    (DELIVERIES, {"act": "retry", "filter": {"state": ""}}, "state in filter is ''; leave it out"),
    (DELIVERIES, {"act": "retry", "filter": {"state": None}}, "state in filter is nothing"),
    (DELIVERIES, {"act": "retry", "filter": {"state": ["dead"]}}, "state in filter is a list"),
    (DELIVERIES, {"act": "retry", "filter": {"state": "ded"}}, "state is 'ded'; it must be one of"),
    (
        DELIVERIES,
        {"act": "retry", "filter": {"degraded": False}},
        "degraded in filter is false; leave it out",
    ),
    (DELIVERIES, {"act": "retry", "filter": {"since": "soon"}}, "since is 'soon'"),
    (DELIVERIES, {"act": "retry", "filter": {"type": "a*" * 9}}, "a pattern has at most 8 *"),
    (DELIVERIES, {"act": "retry", "filter": {"type": "\x00"}}, "type must be at most 300 printable"),
    (EVENTS, {"act": "replay", "filter": {"event": "evt_0"}}, "there is no 'event' in filter"),
    (DELIVERIES, {"act": "retry", "ids": []}, "ids is an empty list"),
    (DELIVERIES, {"act": "retry", "ids": ABSENT}, f"ids is '{ABSENT}'; it must be a list"),
    (DELIVERIES, {"act": "retry", "ids": {ABSENT: 1}}, "ids is a mapping"),
    (DELIVERIES, {"act": "retry", "ids": [7]}, "ids has a number"),
    (DELIVERIES, {"act": "retry", "ids": [None]}, "ids has nothing"),
    (DELIVERIES, {"act": "retry", "ids": ["evt_0"]}, "ids has 'evt_0', which is the id of an event"),
    (DELIVERIES, {"act": "retry", "ids": ["dlv_0\n"]}, "ids has 'dlv_0\\n', which is no id"),
    (DELIVERIES, {"act": "retry", "ids": ["\ud800"]}, "ids has '\\ud800', which is no id"),
    (DELIVERIES, {"act": "retry", "ids": [ABSENT] * 10_001}, "ids has 10,001 entries; at most 10,000"),
    (DELIVERIES, {"act": "retry", "ids": [ABSENT], "dryrun": True}, "there is no 'dryrun' here"),
    (DELIVERIES, {"act": "retry", "ids": [ABSENT], "dry_run": "yes"}, "dry_run is 'yes'"),
    (DELIVERIES, {"act": "retry", "ids": [ABSENT], "dry_run": 1}, "dry_run is a number"),
    (DELIVERIES, {"act": "retry", "ids": [ABSENT], "as": "retry"}, "as goes with resolve, not with retry"),
    (DELIVERIES, {"act": "resolve", "ids": [ABSENT]}, "as is missing; it must be delivered or retry"),
    (DELIVERIES, {"act": "resolve", "ids": [ABSENT], "as": "dead"}, "as is 'dead'"),
    (EVENTS, {"act": "retry", "ids": ["evt_0"]}, "act is 'retry'; it must be replay"),
    (EVENTS, {"act": "replay", "ids": [ABSENT]}, f"ids has '{ABSENT}', which is the id of a delivery"),
    (EVENTS, {"act": "replay", "ids": ["evt_0"], "as": "retry"}, "there is no 'as' here"),
    (EVENTS, {"act": "replay", "ids": ["evt_0"], "destinations": "log"}, "destinations is 'log'"),
    (EVENTS, {"act": "replay", "ids": ["evt_0"], "destinations": []}, "destinations is an empty list"),
    (EVENTS, {"act": "replay", "ids": ["evt_0"], "destinations": [{}]}, "destinations has an empty object"),
    (EVENTS, {"act": "replay", "ids": ["evt_0"], "destinations": ["log"] * 501}, "destinations has 501"),
]
TEXTS = ["", "{", "\xff", "[" * 100_000, '{"act": "retry", "act": "cancel"}', "9" * 5000, "NaN"]


@pytest.fixture(scope="module")
def module_client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    store = open_store(f"sqlite:///{tmp_path_factory.mktemp('acts') / 'hub.db'}")
    store.migrate()
    world = World(store=store, config=a_config(), settings=Settings(password=PASSWORD))
    yield world.app().test_client()
    world.close()
    store.close()


@pytest.mark.parametrize(("path", "body", "words"), REFUSED)
def test_a_body_that_cannot_be_used_is_refused_in_words(
    module_client: FlaskClient, path: str, body: Any, words: str
) -> None:
    answer = post(module_client, path, body, 400)

    assert answer["error"] == "bad_request"
    assert words in answer["message"]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("path", [DELIVERIES, EVENTS])
def test_a_body_that_is_no_object_is_refused_in_words(
    module_client: FlaskClient, path: str, text: str
) -> None:
    answer = module_client.post(path, headers=KEY, data=text.encode("latin-1"))

    assert answer.status_code == 400
    assert answer.get_json()["message"].startswith(("the body is", "a key of the body is there twice"))


def test_an_unknown_destination_is_not_found(module_client: FlaskClient) -> None:
    body = {"act": "replay", "ids": ["evt_0"], "destinations": ["crn"]}

    words = 'there is no destination "crn"; did you mean "crm"?'
    assert post(module_client, EVENTS, body, 404)["message"] == words
    body = {"act": "retry", "filter": {"destination": "crn"}}
    assert post(module_client, DELIVERIES, body, 404)["message"] == words


@pytest.mark.parametrize("path", [DELIVERIES, EVENTS])
def test_an_act_needs_the_key_or_a_session_with_its_form_token(module_client: FlaskClient, path: str) -> None:
    body = json.dumps({"act": "retry", "ids": [ABSENT]})
    nobody = module_client.post(path, data=body)
    sign_in(module_client)
    stranger = module_client.post(path, data=body)
    token = form_token(module_client, "/")
    own = module_client.post(path, data=body, headers={"X-CSRFToken": token})
    module_client.post("/logout", data={"csrf_token": token})

    assert (nobody.status_code, stranger.status_code) == (401, 400)
    assert "form" in stranger.get_json()["message"]
    assert own.status_code == (200 if path == DELIVERIES else 400)
    assert "form" not in own.get_json().get("message", "")
