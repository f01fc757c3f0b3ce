"""A live page costs one row while nothing changes, and none of its versions hides a change."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.resources import files
from typing import Any

import given
import pytest
import sqlalchemy
from flask.testing import FlaskClient
from given_web import World, payload
from sqlalchemy import Engine, insert, select, update
from test_access import sign_in

from hub.model.delivery import State
from hub.operator import pause
from hub.store.open import open_store
from hub.store.store import Store, Transaction
from hub.store.tables import attempts, deliveries, destinations

PAGES = ("/", "/events", "/deliveries", "/destinations")


def ask(client: FlaskClient, path: str, seen: str) -> int:
    return client.get(path, headers={"HX-Request": "true", "Hub-Seen": seen}).status_code


def seen_on(client: FlaskClient, path: str) -> str:
    return client.get(path).text.partition('data-seen="')[2].partition('"')[0]


@contextmanager
def statements() -> Iterator[list[str]]:
    """Collect what SQLAlchemy is asked for."""
    texts: list[str] = []

    def add(*args: Any) -> None:
        texts.append(args[2])

    sqlalchemy.event.listen(Engine, "before_cursor_execute", add)
    yield texts
    sqlalchemy.event.remove(Engine, "before_cursor_execute", add)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_that_did_not_change_is_answered_without_a_body(
    world: World, client: FlaskClient, path: str
) -> None:
    world.send(client, payload())
    sign_in(client)
    seen = seen_on(client, path)
    if seen != seen_on(client, path):  # A minute went by between the two.
        seen = seen_on(client, path)
    with statements() as texts:
        status = ask(client, path, seen)

    assert status == 204
    # The session that nobody ended has no row; the other answers with one.
    assert [name for text in texts for name in re.findall(r"FROM (\w+)", text)[:1]] == ["settings", "events"]


def test_what_happened_is_shown_at_the_next_request(world: World, client: FlaskClient) -> None:
    sign_in(client)
    seen = seen_on(client, "/")
    world.send(client, payload())
    assert ask(client, "/", seen) == 200

    seen = seen_on(client, "/")
    pause(world.store, world.rules(), "crm")
    assert ask(client, "/", seen) == 200

    seen = seen_on(client, "/")
    world.config = replace(world.config, version="2")
    assert ask(client, "/", seen) == 200


def _owe(transaction: Transaction) -> None:
    given.keep(transaction, given.event("user.created"), given.routing("crm"))


def _claim(transaction: Transaction) -> None:
    sending = update(deliveries).values(state=State.SENDING.value, lease_until=given.NOON)
    transaction.session.connection.execute(sending)


def _try(transaction: Transaction) -> None:
    delivery = transaction.session.connection.execute(select(deliveries.c.id).limit(1)).scalar_one()
    row = {"delivery_id": delivery, "number": 1, "destination": "crm", "at": given.NOON}
    transaction.session.connection.execute(insert(attempts).values(row))


def _fail(transaction: Transaction) -> None:
    transaction.session.connection.execute(update(destinations).values(failures=destinations.c.failures + 1))


@pytest.mark.parametrize("change", [_owe, _claim, _try, _fail])
def test_a_mark_changes_with_every_change(store: Store, change: Callable[[Transaction], None]) -> None:
    store.write(lambda transaction: transaction.session.upsert(destinations, {"name": "crm"}) and None)
    store.write(_owe)
    with store.read() as snapshot:
        before = snapshot.changes.mark()
    with store.read() as snapshot:
        assert snapshot.changes.mark() == before
    store.write(change)
    with store.read() as snapshot:
        after = snapshot.changes.mark()

    assert after != before


def test_a_mark_reads_the_ends_of_indexes(sqlite_store_url: str) -> None:
    store = open_store(sqlite_store_url)
    with statements() as texts, store.read() as snapshot:
        snapshot.changes.mark()
        text = next(text for text in texts if "attempts" in text)
        plan = snapshot.session.connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}")
        steps = [row[3] for row in plan]
    store.close()

    assert [step for step in steps if step.startswith("SCAN") and "INDEX" not in step] == [
        "SCAN destinations"
    ]


def test_a_pages_scripts_are_at_most_75_kilobytes_and_what_is_not_ours_has_its_licence() -> None:
    folder = files("hub.web").joinpath("static")
    sizes = {file.name: len(file.read_bytes()) for file in folder.iterdir() if file.name.endswith(".js")}
    of_one_page = [sizes.pop(name) for name in ("acts.js", "routes.js", "try.js")]
    foreign = [name.removesuffix(".min.js") for name in sizes if name.endswith(".min.js")]

    assert sum(sizes.values()) + max(of_one_page) <= 75_000
    assert all(folder.joinpath(f"{name}.LICENSE.txt").is_file() for name in foreign)
