"""A mirror on its destination's page, in the findings, and in the metrics."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flask.testing import FlaskClient
from given import NOON
from given_web import World, destination
from test_access import sign_in
from test_health import KEY

from hub.destinations.database.options import DatabaseOptions
from hub.model.routing import Route, Send
from hub.web.mirror_part import EVENTS_ALONE, UNFED

TABLES = ("users", "roles", "sessions")


@pytest.fixture
def mirroring(world: World) -> World:
    """A mirror of users, roles and sessions, of which the roles are fed in part."""
    options = DatabaseOptions.model_validate({"url": "sqlite:///app.db", "tables": list(TABLES)})
    app_db = destination("app-db", options, "database", written={"url": "${X}", "tables": list(TABLES)})
    types = frozenset(("user.created", "user.updated", "user.deleted", "role.created", "session.created"))
    send = Send(to="app-db", mirrored=types)
    route = Route(name="mirror", events=("user.*", "role.created", "session.*"), sends=(send,))
    world.config = replace(
        world.config,
        destinations={**world.config.destinations, "app-db": app_db},
        routes=(*world.config.routes, route),
    )
    with world.store.transaction() as transaction:
        transaction.mirrors.keep(
            "app-db", "users", rows=1234, newest_at=NOON, verified_at=NOON, missing=1, stale=2, extra=0
        )
        transaction.mirrors.keep("gone", "users", rows=1, verified_at=NOON, missing=7, stale=0, extra=0)
    return world


def test_each_table_has_its_rows_and_what_differs_and_the_others_say_why_not(
    mirroring: World, client: FlaskClient
) -> None:
    sign_in(client)
    text = client.get("/destinations/app-db").text

    assert "1,234" in text
    assert 'title="1 missing, 2 stale, 0 extra">3</span>' in text
    assert UNFED in text
    assert EVENTS_ALONE in text
    assert "hub sync backfill --to app-db" in text
    assert "3 rows of app-db differ from Clerk" in text
    assert "What it mirrors" not in client.get("/destinations/log").text


def test_the_api_says_what_is_the_matter_with_a_mirror(mirroring: World, client: FlaskClient) -> None:
    items = client.get("/api/destinations", headers=KEY).get_json()["items"]
    reasons = {item["name"]: item["reason"] for item in items}

    assert reasons["app-db"] == "3 rows of app-db differ from Clerk"


def test_metrics_have_the_drift_of_todays_mirrors(mirroring: World, client: FlaskClient) -> None:
    lines = client.get("/metrics", headers=KEY).text.splitlines()

    assert [line for line in lines if line.startswith("hub_sync_")] == [
        'hub_sync_drift_rows{destination="app-db",table="users"} 3.0',
        f'hub_sync_verified_timestamp_seconds{{destination="app-db"}} {NOON.timestamp():.6e}'.replace(
            "e+09", "e+09"
        ),
    ]
