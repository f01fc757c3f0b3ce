"""What is done, by whom and from where, stands in the audit, in the log, and on the page of its subject."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from given_web import KEY, World, payload
from sqlalchemy import update
from structlog.testing import capture_logs
from test_access import PAGE, form_token, sign_in

from hub.model.audit import Act, new_entry
from hub.model.filter import Filter
from hub.store.tables import deliveries
from hub.web.audit_page import lines_of

ELSEWHERE = {"REMOTE_ADDR": "::ffff:203.0.113.9"}


def set_states(world: World, state: str) -> None:
    statement = update(deliveries).values(state=state)
    world.store.write(lambda transaction: transaction.session.connection.execute(statement) and None)


@pytest.fixture
def owed(world: World, client: FlaskClient) -> tuple[str, str]:
    """An event, and its delivery to crm."""
    sent = world.send(client, payload())
    with world.store.read() as snapshot:
        return sent["event"], snapshot.delivery_list.records(Filter(destination="crm"))[0].id


def audit(client: FlaskClient, query: str = "") -> list[dict[str, Any]]:
    items = client.get(f"/api/audit{query}", headers=KEY).get_json()["items"]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", item.pop("at")) for item in items)
    return list(items)


ACTS: list[tuple[str, str, str, str, int]] = [
    ("retry", "dead", "/api/deliveries/{delivery}/retry", "{delivery}", 1),
    ("cancel", "pending", "/api/deliveries/{delivery}/cancel", "{delivery}", 1),
    ("resolve", "held", "/api/deliveries/{delivery}/resolve?as=retry", "{delivery}", 1),
    ("replay", "delivered", "/api/events/{event}/replay", "{event}", 2),
    ("pause", "pending", "/api/destinations/crm/pause", "crm", 1),
    ("resume", "pending", "/api/destinations/crm/resume", "crm", 1),
    ("retry", "dead", "/api/retry?destination=crm", "crm", 1),
    ("retry", "dead", "/api/retry", "hub", 2),
]


@pytest.mark.parametrize(("act", "state", "path", "subject", "changed"), ACTS)
def test_an_act_is_kept_and_logged_with_who_did_it(
    world: World,
    client: FlaskClient,
    owed: tuple[str, str],
    act: str,
    state: str,
    path: str,
    subject: str,
    changed: int,
) -> None:
    event, delivery = owed
    set_states(world, state)
    names = {"event": event, "delivery": delivery}
    with capture_logs() as lines:
        answer = client.post(path.format(**names), headers=KEY, environ_base=ELSEWHERE)
    entry = {
        "act": act,
        "subject": subject.format(**names),
        "by": "key",
        "address": "203.0.113.9",
        "changed": changed,
    }

    assert answer.status_code == 200
    assert audit(client) == [entry]
    assert lines == [{"event": "operator.acted", "log_level": "info", **entry}]


def test_an_act_that_was_refused_is_none(world: World, client: FlaskClient, owed: tuple[str, str]) -> None:
    set_states(world, "delivered")
    answer = client.post(f"/api/deliveries/{owed[1]}/retry", headers=KEY)

    assert answer.status_code == 409
    assert audit(client) == []


def test_a_session_is_told_from_a_key(client: FlaskClient) -> None:
    sign_in(client)
    token = form_token(client, "/")
    client.post("/destinations/crm/pause", data={"csrf_token": token})
    client.post("/api/destinations/crm/resume", headers={"X-CSRFToken": token})
    client.post("/logout", data={"csrf_token": token})

    assert [(entry["act"], entry["by"], entry["address"]) for entry in audit(client)] == [
        ("sign-out", "session", "127.0.0.1"),
        ("resume", "session", "127.0.0.1"),
        ("pause", "session", "127.0.0.1"),
        ("sign-in", "session", "127.0.0.1"),
    ]


def test_who_fails_to_get_in_is_one_entry_with_a_count(client: FlaskClient) -> None:
    for _ in range(3):
        client.get("/api/stats", headers={"Authorization": "Bearer no"}, environ_base=ELSEWHERE)
    sign_in(client, "wrong")
    client.get("/login/guess")

    assert [(entry["act"], entry["by"], entry["address"], entry["changed"]) for entry in audit(client)] == [
        ("refused", "session", "127.0.0.1", 2),
        ("refused", "key", "203.0.113.9", 3),
    ]


def test_a_process_that_ends_keeps_what_it_has_counted(world: World, client: FlaskClient) -> None:
    for _ in range(15):
        client.get("/api/stats", headers={"Authorization": "Bearer no"})
    before = audit(client)
    client.application.close()  # type: ignore[attr-defined]  # it is a Hub

    assert [entry["changed"] for entry in before + audit(client)] == [10, 15]


def test_no_password_or_key_is_kept(world: World, client: FlaskClient) -> None:
    sign_in(client, "nearly the password")
    client.get("/api/stats", headers={"Authorization": "Bearer nearly the password"})
    path = world.store.url.removeprefix("sqlite:///")

    for name in (path, f"{path}-wal"):
        with open(name, "rb") as file:  # noqa: PTH123
            assert b"nearly the" not in file.read()


def test_the_api_answers_entries_by_subject_and_act_a_page_at_a_time(client: FlaskClient) -> None:
    for path in ("crm/pause", "log/pause", "crm/resume"):
        client.post(f"/api/destinations/{path}", headers=KEY)
    first = client.get("/api/audit?limit=2", headers=KEY).get_json()
    second = client.get(f"/api/audit?limit=2&before={first['next']}", headers=KEY).get_json()

    assert [entry["subject"] for entry in first["items"] + second["items"]] == ["crm", "log", "crm"]
    assert second["next"] is None
    assert [entry["act"] for entry in audit(client, "?subject=crm")] == ["resume", "pause"]
    assert [entry["subject"] for entry in audit(client, "?act=pause")] == ["log", "crm"]
    assert "it must be one of sign-in, " in client.get("/api/audit?act=x", headers=KEY).get_json()["message"]


@pytest.mark.parametrize(
    "page", [lambda event, _: f"/events/{event}", lambda _, delivery: f"/deliveries/{delivery}"]
)
def test_a_page_says_who_did_what_there(
    world: World, client: FlaskClient, owed: tuple[str, str], page: Callable[[str, str], str]
) -> None:
    set_states(world, "dead")
    client.post(f"/api/deliveries/{owed[1]}/retry", headers=KEY, environ_base=ELSEWHERE)
    sign_in(client)
    text = client.get(page(*owed)).text

    assert "Who did what here" in text
    assert re.search(r"Retried\s+by key, 203\.0\.113\.9", text)


def test_a_destination_says_who_paused_it(client: FlaskClient) -> None:
    client.post("/api/destinations/crm/pause", headers=KEY)
    sign_in(client)

    assert re.search(r"Paused\s+by key, 127\.0\.0\.1", client.get("/destinations").text)


def test_the_audit_is_a_page_that_every_page_leads_to(client: FlaskClient) -> None:
    before = client.get("/audit", headers=PAGE).status_code
    sign_in(client)
    client.post("/api/destinations/crm/pause", headers=KEY)

    assert before == 303
    assert 'href="/audit"' in client.get("/").text
    assert re.search(r">Paused<.*?href=\"/destinations/crm\">crm</a>", client.get("/audit").text, re.DOTALL)
    assert ">Signed in<" not in client.get("/audit?subject=crm").text
    assert "Nobody did that to log in the last 90 days" in client.get("/audit?subject=log").text


def test_the_audit_names_what_was_acted_on_and_what_was_pruned(
    world: World, client: FlaskClient, owed: tuple[str, str]
) -> None:
    event, delivery = owed
    client.post(f"/api/events/{event}/replay", headers=KEY)
    client.post(f"/api/deliveries/{delivery}/cancel", headers=KEY)
    with world.store.read() as snapshot:
        entries = snapshot.audit.entries()
        actor = entries[0].actor
        entries.append(new_entry(Act.RETRY, actor, entries[0].at, "dlv_00", 12))
        lines = lines_of(entries, world.rules(), snapshot)

    assert [(line.subject.text, line.subject.page, line.changed) for line in lines] == [
        ("Somebody joined the waitlist → crm", "delivery", "1 message"),
        ("Somebody joined the waitlist", "event", "2 new messages"),
        ("dlv_00, pruned", "", "12 messages"),
    ]


def test_an_act_on_many_is_on_the_page_of_each_of_them(
    world: World, client: FlaskClient, owed: tuple[str, str]
) -> None:
    event, delivery = owed
    set_states(world, "dead")
    client.post("/api/deliveries/acts", headers=KEY, json={"act": "retry", "filter": {"state": "dead"}})
    sign_in(client)
    pages = [client.get(path, headers=PAGE).text for path in (f"/events/{event}", f"/deliveries/{delivery}")]

    for page in pages:
        (history,) = re.findall(r'<details class="who".*?</details>', page, re.DOTALL)
        assert "Retried by key, 127.0.0.1: 2 deliveries at once" in " ".join(
            re.sub(r"<[^>]+>", "", history).split()
        )
