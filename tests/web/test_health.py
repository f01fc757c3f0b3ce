"""/healthz, /readyz and /metrics, as platforms and Prometheus ask for them."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import signing
from flask.testing import FlaskClient
from given_web import KEY, World, payload
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import insert

from hub.store.copy import MIGRATED
from hub.store.open import open_store
from hub.store.store import MIGRATED_MESSAGE
from hub.store.tables import workers


def beat(world: World, seconds_ago: float) -> None:
    def work(transaction) -> None:  # type: ignore[no-untyped-def]
        at = transaction.now - timedelta(seconds=seconds_ago)
        transaction.session.connection.execute(insert(workers).values(id=f"w{seconds_ago}", seen_at=at))

    world.store.write(work)


def test_healthz_needs_nothing(client: FlaskClient) -> None:
    assert client.get("/healthz").get_json() == {"status": "ok"}


def test_readyz_is_ok_while_a_worker_lives_though_a_destination_is_not_configured(
    world: World, client: FlaskClient
) -> None:
    beat(world, 5)
    answer = client.get("/readyz")

    assert answer.status_code == 200
    assert answer.get_json() == {"database": "ok", "config": "ok", "worker": "ok"}


def test_readyz_names_a_worker_that_went_silent(world: World, client: FlaskClient) -> None:
    assert "no worker has run yet" in client.get("/readyz").get_json()["worker"]
    beat(world, 90)
    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert re.match(r"nothing is being sent: no worker for \d+ (s|min); ", answer.get_json()["worker"])


def test_readyz_names_a_database_that_does_not_answer(world: World) -> None:
    world.store = open_store("sqlite:////nowhere/hub.db")
    answer = world.app().test_client().get("/readyz")

    assert answer.status_code == 503
    assert answer.get_json()["database"] == (
        "the database cannot be reached; start it, or correct the address in DATABASE_URL"
    )


def test_readyz_names_a_database_that_has_moved(world: World, client: FlaskClient) -> None:
    beat(world, 5)
    world.store.write(lambda transaction: transaction.settings.set(MIGRATED, "token"))
    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert answer.get_json() == {
        "database": MIGRATED_MESSAGE,
        "config": "ok",
        "worker": f"unknown, for {MIGRATED_MESSAGE}",
    }


def test_metrics_have_the_findings(world: World, client: FlaskClient) -> None:
    client.post("/api/destinations/crm/pause", headers=KEY)
    lines = client.get("/metrics", headers=KEY).text.splitlines()

    assert [line for line in lines if line.startswith("hub_findings{")] == [
        'hub_findings{code="no_worker",severity="bad"} 1.0',
        'hub_findings{code="not_configured",severity="note"} 1.0',
        'hub_findings{code="paused",severity="bad"} 1.0',
    ]


def test_metrics_count_from_the_store(world: World, client: FlaskClient) -> None:
    world.send(client, payload())
    world.send(client, payload("user.created"), "msg_2")
    client.post("/api/destinations/crm/pause", headers=KEY)
    samples = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(client.get("/metrics", headers=KEY).text)
        for sample in family.samples
    }

    assert samples["hub_events_total", "clerk", "waitlistEntry.created"] == 1
    assert samples["hub_events_total", "clerk", "user.created"] == 1
    assert samples["hub_deliveries", "crm", "pending"] == 1
    assert samples["hub_attempts_total", "crm", "delivered"] == 0
    assert samples["hub_degraded_total", "crm"] == 0
    assert samples["hub_delivery_seconds_count",] == 0
    assert samples["hub_oldest_due_seconds", "crm"] >= 0
    assert samples["hub_destination_paused", "crm"] == 1
    assert samples["hub_destination_paused", "log"] == 0
    assert samples["hub_config_last_reload_successful",] == 1


def test_what_was_refused_is_counted_by_source_and_code_and_is_a_finding_and_no_trouble_of_readiness(
    world: World, client: FlaskClient
) -> None:
    beat(world, 5)
    for _ in range(5):
        client.post("/api/webhooks", data=b"{}", headers={**signing.headers(b"another"), "svix-id": "msg_1"})
    client.post("/api/webhooks", data=b"{}")
    client.application.requests.flush()  # type: ignore[attr-defined]
    lines = client.get("/metrics", headers=KEY).text.splitlines()

    assert [line for line in lines if line.startswith("hub_refused_total{")] == [
        'hub_refused_total{code="invalid_signature",source="clerk"} 5.0',
        'hub_refused_total{code="missing_headers",source="clerk"} 1.0',
    ]
    assert 'hub_findings{code="refused",severity="bad"} 1.0' in lines
    assert client.get("/readyz").status_code == 200
    (finding,) = [
        finding
        for finding in client.get("/api/findings", headers=KEY).get_json()["items"]
        if finding["code"] == "refused"
    ]
    assert (finding["subject"], finding["count"], finding["severity"]) == ("clerk", 5, "bad")
    assert "5 requests refused since" in finding["headline"]


def test_a_signed_request_at_a_path_that_no_source_has_is_counted(world: World, client: FlaskClient) -> None:
    for _ in range(5):
        client.post("/api/webhook", data=b"{}", headers=signing.headers(b"{}"))
    client.post("/api/webhook", data=b"{}")
    client.get("/nothing")
    client.application.requests.flush()  # type: ignore[attr-defined]
    lines = client.get("/metrics", headers=KEY).text.splitlines()

    assert [line for line in lines if line.startswith("hub_refused_total{")] == [
        'hub_refused_total{code="unknown_path",source=""} 5.0'
    ]
    assert 'hub_findings{code="unknown_path",severity="watch"} 1.0' in lines


def test_every_process_has_the_same_metrics(world: World, client: FlaskClient) -> None:
    world.send(client, payload())
    client.post("/api/destinations/crm/pause", headers=KEY)
    other = replace(world, store=open_store(world.store.url))
    texts = [
        process.get("/metrics", headers=KEY).text.splitlines()
        for process in (client, other.app().test_client())
    ]
    other.store.close()
    here, there = ([line for line in text if "hub_oldest_due_seconds{" not in line] for text in texts)

    assert here == there
    assert 'hub_deliveries{destination="crm",state="pending"} 1.0' in here


def test_metrics_want_the_key(client: FlaskClient) -> None:
    assert client.get("/metrics").status_code == 401
    assert client.get("/metrics", headers={"Authorization": "Bearer no"}).status_code == 401
