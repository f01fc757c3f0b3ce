"""A worker on PostgreSQL starts a lone event in one exchange, where there is nothing else to do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import given
import pytest
from servers.http_receiver import CannedResponse, Failure, HttpReceiver
from sqlalchemy import delete, text, update
from test_worker import sending, to, wait_for_state, working

from hub.delivery.batch import News, Plan
from hub.delivery.cycle import SOON, take_short_turn
from hub.delivery.thread_pool import Inbox
from hub.destinations.base import destination_types, find_destination
from hub.errors import StoreUnavailable
from hub.ingest.fanout import fan_out
from hub.ingest.route import Rules
from hub.model.delivery import State
from hub.model.destination import RateLimit
from hub.model.routing import Send
from hub.store.store import Store, open_store
from hub.store.tables import deliveries


class Watched:
    """A worker's store, and how often something was started in one exchange."""

    def __init__(self, url: str) -> None:
        self.store = open_store(url)
        self.asked, self.started = 0, 0
        self._start_first = self.store.start_first
        self.store.start_first = self.start_first  # type: ignore[method-assign]

    def start_first(self, offers: Any) -> Any:
        self.asked += 1
        done = self._start_first(offers)
        self.started += len(done[1]) if done else 0
        return done


@pytest.fixture
def web(postgres_store_url: str) -> Iterator[Store]:
    store = open_store(postgres_store_url)
    yield store
    store.close()


@contextmanager
def waiting(url: str, rules: Rules, threads: int = 8) -> Iterator[Watched]:
    """A worker that has done all there was to do, and has heard that there may be more."""
    watched = Watched(url)
    with working(watched.store, rules, threads):
        time.sleep(0.5)
        yield watched
    watched.store.close()


def test_a_lone_event_is_started_in_one_exchange(web: Store, postgres_store_url: str) -> None:
    with HttpReceiver() as receiver:
        rules = sending(to(receiver), to(receiver, "erp"))
        with waiting(postgres_store_url, rules) as watched:
            for number in range(3):
                fan_out(given.event(), rules, web)
                wait_for_state(web, State.DELIVERED, 2 * (number + 1))
                time.sleep(0.05)
    with web.read() as reading:
        records = [reading.reports.delivery(each.id) for each in reading.reports.deliveries()]

    assert (watched.asked, watched.started) == (3, 6)
    assert [len(each.attempt_list) for each in records] == [1] * 6


@pytest.mark.parametrize(
    ("changes", "fields", "also"),
    [
        ({"rate_limit": RateLimit(count=1000, seconds=1.0)}, {}, ()),
        ({}, {"json": {"id": "{{ data.id }}"}}, ()),
        ({}, {}, (given.destination("log"),)),
    ],
)
def test_what_one_exchange_cannot_decide_is_left_to_a_whole_turn(
    web: Store, postgres_store_url: str, changes: Any, fields: Any, also: Any
) -> None:
    with HttpReceiver() as receiver:
        crm = to(receiver, **changes)
        sends = [Send(to="crm", fields=fields), *(Send(to=each.name) for each in also)]
        rules = given.rules(given.route("all", ("*",), *sends), destinations=(crm, *also))
        with waiting(postgres_store_url, rules) as watched:
            fan_out(given.event(), rules, web)
            wait_for_state(web, State.DELIVERED, 1 + len(also))

    assert watched.started == 0


def test_what_is_left_of_it_goes_out_at_once(web: Store, postgres_store_url: str) -> None:
    """One of two destinations is being sent something: it has room for more, which a whole turn knows."""
    with (
        HttpReceiver() as receiver,
        HttpReceiver(respond=lambda _: CannedResponse(failure=Failure.HANG)) as hanging,
    ):
        rules = sending(to(receiver), to(hanging, "erp", timeout_seconds=5.0))
        with waiting(postgres_store_url, rules) as watched:
            for _ in range(3):
                fan_out(given.event(), rules, web)
                time.sleep(0.1)
            hanging.wait_for(3, 1)
            wait_for_state(web, State.DELIVERED, 3)

    assert watched.started == 2


def test_wake_ups_without_end_for_what_cannot_be_started_so_keep_nothing_waiting(
    web: Store, postgres_store_url: str
) -> None:
    """Each comes while the worker still asks, as where the database is far away."""
    with HttpReceiver() as receiver:
        crm, erp = to(receiver), to(receiver, "erp")
        rules = given.rules(given.route("all", ("*",), "erp"), destinations=(crm, erp))
        notify = text("SELECT pg_notify('hub_wake', 'crm')")
        fan_out(given.event(), rules, web)
        soon = web.write(lambda t: t.now) + timedelta(seconds=1)
        web.write(lambda t: t.session.connection.execute(update(deliveries).values(due_at=soon)) and None)
        with waiting(postgres_store_url, rules) as watched:
            asks = watched._start_first

            def asked_again(offers: Any) -> Any:
                done = asks(offers)
                web.write(lambda t: t.session.connection.execute(notify) and None)
                time.sleep(0.005)
                return done

            watched._start_first = asked_again
            web.write(lambda t: t.session.connection.execute(notify) and None)
            receiver.wait_for(1, 1.5)
    assert watched.asked > 3
    assert watched.started == 0


def test_a_whole_turn_follows_at_once_where_something_was_left(web: Store) -> None:
    rules = sending(
        *(given.destination(name, type_="http", url="http://127.0.0.1:9") for name in ("crm", "erp"))
    )
    web.write(lambda t: t.destinations.mark_configured({"crm": True, "erp": True}))
    plan = Plan(
        worker="me",
        threads=2,
        destinations=rules.config.destinations,
        configs=rules.config.destinations,
        news=News(),
        in_hand={},
        passes_on={"crm": {"raw": True}, "erp": {"raw": True}},
    )
    assert take_short_turn(web, plan) is None
    fan_out(given.event(), rules, web)
    first = take_short_turn(web, plan)
    web.write(
        lambda t: (
            t.session.connection.execute(delete(deliveries).where(deliveries.c.destination == "crm")) and None
        )
    )
    fan_out(given.event(), rules, web)
    second = take_short_turn(web, plan)

    assert first is not None
    assert second is not None
    assert first.next_at == first.now + SOON
    assert [claim.destination for claim in second.started] == ["crm"]
    assert second.next_at == second.now


def test_what_falls_due_meanwhile_is_not_forgotten(web: Store, postgres_store_url: str) -> None:
    """A short turn asks for nothing else: the whole one after it looks at what waits."""
    with (
        HttpReceiver() as receiver,
        HttpReceiver(respond=lambda _: CannedResponse(failure=Failure.HANG)) as hanging,
    ):
        later, now = to(receiver), to(hanging, "erp", timeout_seconds=5.0)
        rules = given.rules(
            given.route("later", ("user.created",), "crm"),
            given.route("now", ("user.deleted",), "erp"),
            destinations=(later, now),
        )
        fan_out(given.event(), rules, web)
        soon = web.write(lambda t: t.now) + timedelta(seconds=1.2)
        web.write(lambda t: t.session.connection.execute(update(deliveries).values(due_at=soon)) and None)
        with waiting(postgres_store_url, rules) as watched:
            fan_out(given.event("user.deleted"), rules, web)
            hanging.wait_for(1, 1)
            assert watched.started == 1
            receiver.wait_for(1, 1.5)


@pytest.mark.parametrize(("threads", "started"), [(2, 2), (1, 1)])
def test_a_destination_that_hangs_keeps_another_from_nothing_but_its_thread(
    web: Store, postgres_store_url: str, threads: int, started: int
) -> None:
    with (
        HttpReceiver() as receiver,
        HttpReceiver(respond=lambda _: CannedResponse(failure=Failure.HANG)) as hanging,
    ):
        rules = given.rules(
            given.route("hangs", ("user.created",), "crm"),
            given.route("fine", ("user.deleted",), "erp"),
            destinations=(to(hanging, timeout_seconds=3.0), to(receiver, "erp")),
        )
        with waiting(postgres_store_url, rules, threads) as watched:
            fan_out(given.event(), rules, web)
            hanging.wait_for(1, 1)
            fan_out(given.event("user.deleted"), rules, web)
            receiver.wait_for(1, 1 if started == 2 else 10)
            assert watched.started == started


def test_an_event_that_could_not_be_started_so_is_not_forgotten(web: Store, postgres_store_url: str) -> None:
    with HttpReceiver() as receiver:
        rules = sending(to(receiver))
        with waiting(postgres_store_url, rules) as watched:

            def fail(offers: Any) -> Any:
                raise StoreUnavailable("the database does not answer")

            watched._start_first = fail
            fan_out(given.event(), rules, web)
            wait_for_state(web, State.DELIVERED)

    assert watched.asked == 1


def test_the_message_of_an_empty_send_block_is_the_one_that_rendering_makes() -> None:
    made = {}
    for name in destination_types():
        found = find_destination(name)
        assert found is not None
        message = found.passes_on(None)
        made[name] = message
        assert message is None or message == found.compose(None, {}, None)  # type: ignore[arg-type]

    assert [name for name, message in made.items() if message is not None] == ["http"]


# -- waking ---------------------------------------------------------------------------------------


def test_workers_are_told_for_which_destinations_something_is_due(
    open_stores: Callable[..., Store],
) -> None:
    here, there = open_stores(), open_stores()
    routes = (given.route("one", ("*",), "log", "crm"), given.route("two", ("*",), "crm"))
    twice = given.rules(*routes, destinations=[given.destination(name) for name in ("log", "crm")])
    rendered = sending(given.destination("log"), fields={"message": "hello"})
    crowd = sending(*(given.destination(f"destination-{n}") for n in range(400)))
    says = "postgres" in here.url
    ear = given.Ear(there)
    heard = []
    for each in (twice, rendered, crowd):
        fan_out(given.event(), each, here)
        assert ear.hears(1)
        heard += ear.heard
        ear.heard.clear()
        time.sleep(0.02)
    ear.close()

    assert heard == [("log", "crm", "crm") if says else (), (), ()]


def test_what_is_due_is_known_where_every_wake_up_said_it() -> None:
    inbox = Inbox()
    inbox.ring(["log"])
    inbox.ring(["crm", "ops"])
    assert inbox.take().due == {"log", "crm", "ops"}
    inbox.ring(["log"])
    inbox.ring(["crm", "log"])
    assert inbox.take().due == frozenset()
    inbox.ring(["crm", "crm"])
    assert inbox.take().due == frozenset()
    assert inbox.take().due == frozenset()
    inbox.ring(["log"])
    inbox.ring()
    assert inbox.take().due == frozenset()
    inbox.close()


def test_a_bell_that_was_rung_before_is_heard_once() -> None:
    inbox = Inbox()
    inbox.ring()
    inbox.ring()
    began = time.monotonic()
    inbox.wait(5)
    inbox.take()
    inbox.wait(0.1)
    assert 0.1 <= time.monotonic() - began < 1
    inbox.close()
    inbox.ring()
