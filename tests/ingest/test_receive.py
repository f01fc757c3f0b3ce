"""The answers to a sender, through the real app; nothing that anybody sends is answered with a 5xx."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import given
import pytest
import signing
from flask.testing import FlaskClient
from hypothesis import HealthCheck, settings
from hypothesis import given as for_any
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from hub.ingest.route import Rules
from hub.model.source import SourceState
from hub.process.logs import set_up_logs
from hub.rules.reload import Serving
from hub.settings import Settings
from hub.store.open import open_store
from hub.store.store import Store
from hub.web.app import create_app

OTHER_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
PATH = "/api/webhooks"
NOW = datetime(2026, 1, 31, tzinfo=UTC)
BODY = b'{"type":"user.created","data":{"id":"user_1"}}'
RULES = given.rules(given.route("one", ("user.*",), "log", "log"), given.route("two", ("*",), "log"))


def client_of(store: Store, rules: Rules = RULES) -> FlaskClient:
    return create_app(store, lambda: Serving(rules=rules, since=NOW), Settings()).test_client()


@pytest.fixture
def client(store: Store) -> FlaskClient:
    return client_of(store)


def post(
    client: FlaskClient, body: bytes = BODY, headers: dict[str, str] | None = None, **kw: Any
) -> TestResponse:
    return client.post(PATH, data=body, headers=signing.headers(body, **kw) if headers is None else headers)


def stored(store: Store) -> int:
    with store.read() as snapshot:
        return snapshot.numbers.stats().events


def test_an_event_is_answered_with_what_became_of_it(store: Store, client: FlaskClient) -> None:
    answer = post(client)
    with store.read() as snapshot:
        record = snapshot.event_list.record(answer.json["event"])

    assert answer.status_code == 200
    assert answer.json == {"event": record.id, "duplicate": False, "routes": ["one", "two"], "deliveries": 3}
    assert (record.payload, record.message_id, record.source) == (BODY, "msg_1", "clerk")


@pytest.mark.usefixtures("plain_log")
def test_a_mistake_of_the_hubs_own_is_answered_in_words_and_logged(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up_logs("text", "info")
    unknown = dataclasses.replace(given.source(), type="gone")
    answer = post(client_of(store, given.rules(given.route("all", ("*",)), sources=(unknown,))))

    assert (answer.status_code, answer.json["error"]) == (500, "internal_error")
    assert answer.headers["Retry-After"] == "5"
    assert stored(store) == 0
    logged = capsys.readouterr().err
    assert "event.failed source=clerk" in logged
    assert "LookupError: no source type gone" in logged


def test_a_duplicate_is_answered_with_the_first_events_id(store: Store, client: FlaskClient) -> None:
    first, second = post(client).json, post(client).json

    assert second == {**first, "duplicate": True, "deliveries": 0}
    assert stored(store) == 1


def test_an_ignored_type_is_answered_and_not_kept(store: Store) -> None:
    rules = given.rules(
        given.route("all", ("*",)), sources=(given.source(ignore=("user.*", "session.ended")),)
    )
    answer = post(client_of(store, rules))

    assert answer.status_code == 200
    assert answer.json == {"event": None, "duplicate": False, "routes": [], "deliveries": 0, "ignored": True}
    assert stored(store) == 0


def test_what_is_to_be_ignored_must_be_genuine_all_the_same(store: Store) -> None:
    rules = given.rules(sources=(given.source(ignore=("*",)),))

    assert post(client_of(store, rules), headers={}).status_code == 400


@pytest.mark.parametrize(
    ("body", "headers", "code"),
    [
        (BODY, dict, "missing_headers"),
        (BODY, lambda: signing.headers(BODY, timestamp=1), "invalid_timestamp"),
        (BODY, lambda: signing.headers(b"other"), "invalid_signature"),
        (b"not json", lambda: None, "invalid_payload"),
        (b"[]", lambda: None, "invalid_payload"),
        (b"", lambda: None, "invalid_payload"),
    ],
)
def test_what_is_refused_says_what_to_do_and_leaves_no_row(
    store: Store,
    client: FlaskClient,
    body: bytes,
    headers: Callable[[], dict[str, str] | None],
    code: str,
) -> None:
    answer = post(client, body, headers())

    assert answer.status_code == 400
    assert set(answer.json) == {"error", "message"}
    assert answer.json["error"] == code
    assert len(answer.json["message"]) > 20
    assert stored(store) == 0


def test_a_mebibyte_is_accepted_and_more_is_not(store: Store, client: FlaskClient) -> None:
    def sized(size: int) -> bytes:
        return BODY[:-1] + b" " * (size - len(BODY)) + b"}"

    fits, too_large = post(client, sized(1024 * 1024)), post(client, sized(1024 * 1024 + 1))

    assert fits.status_code == 200
    assert (too_large.status_code, too_large.json["error"]) == (413, "payload_too_large")
    assert stored(store) == 1


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"])
def test_other_methods_are_told_to_post(store: Store, client: FlaskClient, method: str) -> None:
    answer = client.open(PATH, method=method, data=BODY, headers=signing.headers(BODY))

    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    assert method == "HEAD" or "POST" in answer.json["message"]
    assert stored(store) == 0


@pytest.mark.parametrize("slashes", ["/", "//", "///"])
def test_a_sources_path_with_slashes_at_its_end_is_that_sources(
    store: Store, client: FlaskClient, slashes: str
) -> None:
    answer = client.post(PATH + slashes, data=BODY, headers=signing.headers(BODY))

    assert (answer.status_code, stored(store)) == (200, 1)


@pytest.mark.parametrize("path", ["/api/webhook", "/api//webhooks", "/api", "/nothing", "/nothing/"])
def test_an_unknown_path_names_the_paths_there_are(client: FlaskClient, path: str) -> None:
    answer = client.post(path, data=BODY, headers=signing.headers(BODY))

    assert answer.status_code == 404
    assert PATH in answer.text


def test_a_source_without_its_secret_says_which_variable_is_missing(store: Store) -> None:
    source = given.source(secrets=(), missing=("CLERK_WEBHOOK_SIGNING_SECRET",))
    answer = post(client_of(store, given.rules(sources=(source,))))

    assert (answer.status_code, answer.json["error"]) == (503, "not_configured")
    assert "CLERK_WEBHOOK_SIGNING_SECRET" in answer.json["message"]
    assert int(answer.headers["Retry-After"]) > 0
    assert stored(store) == 0


def test_a_source_whose_secret_is_no_good_says_what_is_wrong_with_it(store: Store) -> None:
    source = given.source(secrets=(), missing=("KEY",), fault="KEY is too short for a signing secret")
    answer = post(client_of(store, given.rules(sources=(source,))))

    assert (answer.status_code, answer.json["error"]) == (503, "not_configured")
    assert answer.json["message"] == (
        "set KEY to the signing secret of the endpoint that sends here, then retry: "
        "KEY is too short for a signing secret"
    )


def counted(client: FlaskClient, store: Store) -> tuple[dict[tuple[str, str], int], SourceState]:
    """The refusals and the state of the source, once what the app counted is in the store."""
    client.application.requests.flush()  # type: ignore[attr-defined]
    with store.read() as snapshot:
        return snapshot.metrics.refused(), snapshot.sources.all()["clerk"]


def test_every_refusal_is_counted_by_its_code_and_only_what_may_be_the_senders_as_since(
    store: Store, client: FlaskClient
) -> None:
    post(client, headers={})
    post(client, headers={"svix-id": "msg_1"})
    post(client, headers=signing.headers(b"other"))
    post(client, b"not json")
    client.get(PATH)
    client.put(PATH, data=BODY, headers=signing.headers(BODY))
    post(client, b"x" * (1024 * 1024 + 1))
    totals, state = counted(client, store)

    assert totals == {
        ("clerk", "missing_headers"): 2,
        ("clerk", "invalid_signature"): 1,
        ("clerk", "invalid_payload"): 1,
        ("clerk", "method_not_allowed"): 2,
        ("clerk", "payload_too_large"): 1,
    }
    assert state.accepted_at is None
    assert state.refused is not None
    assert state.refused.counts == {
        "invalid_signature": 1,
        "invalid_payload": 1,
        "method_not_allowed": 1,
        "payload_too_large": 1,
    }


@pytest.mark.parametrize("again", ["ignored", "duplicate", "new"])
def test_every_genuine_request_is_a_sign_of_life(store: Store, again: str) -> None:
    rules = given.rules(given.route("all", ("*",)), sources=(given.source(ignore=("session.*",)),))
    client = client_of(store, rules)
    post(client)
    post(client, headers=signing.headers(b"other"))
    _, before = counted(client, store)
    body = b'{"type":"session.created"}' if again == "ignored" else BODY
    answer = post(client, body, message_id="msg_1" if again == "duplicate" else "msg_2")
    totals, after = counted(client, store)

    assert (answer.json.get("ignored", False), answer.json["duplicate"]) == (
        again == "ignored",
        again == "duplicate",
    )
    assert before.refused is not None
    assert before.accepted_at is not None
    assert after.accepted_at is not None
    assert after.accepted_at > before.accepted_at
    assert after.refused is None
    assert totals == {("clerk", "invalid_signature"): 1}


def test_what_a_database_that_is_away_keeps_out_is_counted_and_nobodys_fault(store: Store) -> None:
    away = open_store("postgresql://hub@127.0.0.1:1/hub")
    client = client_of(away)
    post(client)
    (counts,) = client.application.requests._take({})  # type: ignore[attr-defined]
    away.close()

    assert (counts.counts, counts.seen.refused) == ({"unavailable": 1}, None)


def test_how_far_the_clock_is_off_is_believed_only_where_it_is_signed(
    store: Store, client: FlaskClient
) -> None:
    at = time.time() - 600
    forged = signing.headers(BODY, timestamp=at)
    post(client, headers={**forged, "svix-timestamp": "1"})
    _, of_strangers = counted(client, store)
    post(client, headers=forged)
    _, of_the_sender = counted(client, store)

    assert of_strangers.refused is not None
    assert of_strangers.refused.clock_ahead_seconds is None
    assert of_the_sender.refused is not None
    assert of_the_sender.refused.clock_ahead_seconds == pytest.approx(600, abs=5)


def test_a_store_that_is_down_is_answered_with_when_to_come_back() -> None:
    store = open_store("postgresql://hub@127.0.0.1:1/hub")
    answer = post(client_of(store))
    store.close()

    assert (answer.status_code, answer.json["error"]) == (503, "unavailable")
    assert int(answer.headers["Retry-After"]) > 0


def test_a_database_that_was_never_migrated_is_answered_the_same(empty_url: str) -> None:
    store = open_store(empty_url)
    answer = post(client_of(store))
    store.close()

    assert answer.status_code == 503


def test_each_source_has_its_path_and_its_secret(store: Store) -> None:
    other = given.source("other", type="svix", path="/hooks", secrets=(OTHER_SECRET,))
    client = client_of(store, given.rules(given.route("all", ("*",)), sources=(given.source(), other)))
    headers = signing.headers(BODY, secret=OTHER_SECRET)

    assert client.post("/hooks", data=BODY, headers=headers).status_code == 200
    assert client.post(PATH, data=BODY, headers=headers).status_code == 400


def test_a_rotated_secret_is_known_without_a_restart(store: Store) -> None:
    new = OTHER_SECRET
    today = {"rules": given.rules(given.route("all", ("*",)))}
    client = create_app(store, lambda: Serving(rules=today["rules"], since=NOW), Settings()).test_client()
    before = post(client, secret=new).status_code
    today["rules"] = given.rules(given.route("all", ("*",)), sources=(given.source(secrets=(new,)),))

    assert (before, post(client, secret=new).status_code) == (400, 200)


@pytest.mark.parametrize(
    "data",
    ["null", "[]", '"x"', "7", '{"a":"\\u0000"}', '{"a":"\\ud800"}', '{"items":{"keys":[]}}', '{"id":[1]}'],
)
@pytest.mark.parametrize("type_", ["user.created", "invitation.created", "nothing.known", "emoji 😀"])
def test_genuine_events_of_any_shape_are_kept(
    store: Store, client: FlaskClient, type_: str, data: str
) -> None:
    body = json.dumps({"type": type_}, ensure_ascii=False)[:-1] + f', "data": {data}, "timestamp": {data}}}'
    answer = post(client, body.encode())

    assert (answer.status_code, answer.json["duplicate"]) == (200, False)


@pytest.fixture(scope="module")
def kept_client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FlaskClient, Store]]:
    """One app on one SQLite store, for a property that is tried many times."""
    store = open_store(f"sqlite:///{tmp_path_factory.mktemp('receive')}/hub.db")
    store.migrate()
    yield client_of(store), store
    store.close()


GENUINE = signing.headers(BODY)
LATIN = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\x00"), max_size=80)
METHODS = st.sampled_from(["POST", "POST", "POST", "GET", "PUT", "DELETE", "OPTIONS", "HEAD", "TRACE", "X-Y"])
MUTATIONS: st.SearchStrategy[Callable[[bytes], bytes]] = st.one_of(
    st.tuples(st.integers(0, len(BODY) - 1), st.integers(1, 255)).map(
        lambda at: lambda body: body[: at[0]] + bytes([body[at[0]] ^ at[1]]) + body[at[0] + 1 :]
    ),
    st.binary(min_size=1, max_size=40).map(lambda more: lambda body: body + more),
    st.integers(0, len(BODY) - 1).map(lambda size: lambda body: body[:size]),
    st.binary(max_size=300).map(lambda other: lambda body: other if other != body else b""),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@for_any(
    st.one_of(
        st.tuples(MUTATIONS, st.just(GENUINE), METHODS),
        st.tuples(
            st.just(lambda body: body),
            st.tuples(st.sampled_from(sorted(GENUINE)), LATIN)
            .filter(lambda change: change[1].strip() != GENUINE[change[0]])
            .map(lambda change: {**GENUINE, change[0]: change[1]}),
            METHODS,
        ),
        st.tuples(
            MUTATIONS,
            st.dictionaries(
                st.sampled_from(
                    [*GENUINE, "webhook-id", "Content-Type", "Content-Encoding", "Cookie", "Host"]
                ),
                LATIN,
            ),
            METHODS,
        ),
    )
)
def test_a_changed_request_is_refused_and_leaves_no_row(
    kept_client: tuple[FlaskClient, Store],
    changed: tuple[Callable[[bytes], bytes], dict[str, str], str],
) -> None:
    client, store = kept_client
    mutate, headers, method = changed
    answer = client.open(PATH, method=method, data=mutate(BODY), headers=headers)

    assert 400 <= answer.status_code < 500
    assert stored(store) == 0
