"""While the database only reads, the page says so and is signed in to, and events are put off."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

import given
import pytest
from flask.testing import FlaskClient
from given_web import KEY, PASSWORD, PATH, World, a_config, payload, signed

from hub.settings import Settings
from hub.store.open import open_store
from hub.web.sessions import keep_session_key


@pytest.fixture
def client(new_postgres_database: Callable[..., str]) -> Iterator[FlaskClient]:
    """A client of a hub whose database began to read only after it had started once."""
    url = new_postgres_database()
    with closing(open_store(url)) as store:
        keep_session_key(store)
    given.let_only_read(url)
    with closing(open_store(url)) as store:
        yield World(store=store, config=a_config(), settings=Settings(password=PASSWORD)).app().test_client()


def test_readyz_says_that_it_only_reads_and_misses_no_worker(client: FlaskClient) -> None:
    answer = client.get("/readyz")
    words = (
        "the database only reads; name the server that writes in DATABASE_URL, or let this one write again"
    )

    assert answer.status_code == 503
    assert answer.get_json() == {"database": words, "config": "ok", "worker": f"unknown, for {words}"}


def test_findings_say_the_same(client: FlaskClient) -> None:
    items = client.get("/api/findings", headers=KEY).get_json()["items"]
    bad = [(finding["code"], finding["headline"]) for finding in items if finding["severity"] == "bad"]

    assert bad == [("database", "The database only reads")]


def test_an_event_is_put_off_with_the_reason(client: FlaskClient) -> None:
    answer = client.post(PATH, data=payload(), headers=signed(payload()))

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert answer.get_json() == {
        "error": "unavailable",
        "message": "the event was not stored, for the database only reads; send it again",
    }


def test_the_page_is_signed_in_to_and_shown(client: FlaskClient) -> None:
    form = client.get("/login").text
    token = form.partition('name="csrf_token"')[2].partition('value="')[2].partition('"')[0]
    answer = client.post("/login", data={"password": PASSWORD, "csrf_token": token})
    page = client.get("/")

    assert (answer.status_code, page.status_code) == (303, 200)
    assert "The database only reads" in page.text
    assert "Nothing is being sent" not in page.text


def test_an_act_that_is_refused_says_why(client: FlaskClient) -> None:
    answer = client.post("/api/destinations/crm/pause", headers=KEY)

    assert answer.status_code == 503
    assert answer.get_json()["message"] == "the database only reads; try again in a moment"
