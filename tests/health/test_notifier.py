"""Notifications go out as deliveries like any other, and once, however many processes notify."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import given
import pytest
from sqlalchemy import BigInteger, type_coerce, update
from structlog.testing import capture_logs

from hub import catalog, operator
from hub.delivery.batch import Batch, Completion, CycleResult
from hub.delivery.cycle import run_cycle
from hub.errors import Reject, Retry
from hub.health.facts import REFUSED_EDIT
from hub.health.notifier import Notifier
from hub.ingest.fanout import fan_out
from hub.ingest.request_counter import RequestCounter
from hub.maintenance.clock import SteadyClock
from hub.maintenance.expire import expire
from hub.model.alert import AlertKind
from hub.model.delivery import Receipt, State
from hub.model.filter import Filter
from hub.model.records import EventRecord
from hub.model.routing import Send
from hub.store.store import Store
from hub.store.tables import alerts, deliveries, destinations, sources

CRM, MAIL = given.destination("crm", retry_seconds=()), given.destination("mail", retry_seconds=())
CONFIG = given.config(
    given.route("all", ("user.*",), "crm"), destinations=(CRM, MAIL), problems=(Send(to="mail"),)
)
RULES = given.load_rules(CONFIG)
MINUTE = timedelta(minutes=1)


def owe(store: Store) -> None:
    fan_out(given.event(), RULES, store)


def mark(store: Store) -> None:
    store.write(lambda t: t.destinations.mark_configured(dict.fromkeys(CONFIG.destinations, True)))


def cycle(store: Store, completions: tuple[Completion, ...] = ()) -> CycleResult:
    mark(store)
    return run_cycle(
        store,
        Batch(
            completions=completions,
            destinations=CONFIG.destinations,
            configs=CONFIG.destinations,
            threads=16,
            counts_dead=True,
        ),
    )


def send_all(store: Store, result: Any) -> None:
    """Send what is due, with this result for record."""
    claims = cycle(store).claims
    cycle(store, tuple(Completion(claim=claim, seconds=0.1, result=result) for claim in claims))


def age(store: Store, ago: timedelta = MINUTE) -> None:
    """Let all alerts have begun a while ago."""

    def work(transaction: Any) -> None:
        began = update(alerts).where(alerts.c.since.is_not(None)).values(since=transaction.now - ago)
        transaction.session.connection.execute(began)

    store.write(work)


def change(store: Store, statement: Any) -> None:
    store.write(lambda transaction: transaction.session.connection.execute(statement) and None)


def earlier(column: Any, ago: timedelta) -> Any:
    """A change that moves a time into the past."""
    before = type_coerce(column, BigInteger) - ago // timedelta(microseconds=1)
    return (
        update(column.table)
        .where(column.is_not(None))
        .values({column.name: type_coerce(before, column.type)})
    )


def notify(store: Store, rules: Any = RULES) -> None:
    Notifier(store, "https://hub.example.com").notify(rules)


def problem_events(store: Store) -> list[EventRecord]:
    """The hub's own events, oldest first."""
    with store.read() as snapshot:
        return list(reversed(snapshot.event_list.records(Filter(type=catalog.PROBLEM))))


def headlines(store: Store) -> list[str]:
    return [given.json.loads(record.payload or b"{}")["data"]["headline"] for record in problem_events(store)]


def test_what_is_told_names_the_version_whose_words_it_has(store: Store) -> None:
    owe(store)
    send_all(store, Reject("gone"))
    age(store)
    notify(store)
    (problem,) = problem_events(store)
    with store.read() as snapshot:
        (delivery,) = snapshot.delivery_list.records(event=problem.id)

    assert (problem.version, delivery.version) == (CONFIG.version, CONFIG.version)


def test_deaths_and_the_recovery_are_each_told_once(store: Store) -> None:
    owe(store)
    send_all(store, Retry("HTTP 503"))
    # However long the machine takes, its patience has not passed.
    age(store, -timedelta(hours=1))
    notify(store)
    assert headlines(store) == []
    age(store)
    for _ in range(3):
        notify(store)
    assert headlines(store) == ["1 message to crm will not be tried again"]
    send_all(store, Receipt(detail="ok"))
    owe(store)
    send_all(store, Receipt(detail="ok"))
    for _ in range(3):
        notify(store)

    assert headlines(store) == ["1 message to crm will not be tried again", "crm works again"]
    with store.read() as snapshot:
        owed = [
            (record.route, record.destination)
            for record in snapshot.delivery_list.records()
            if record.type != "user.created"
        ]
        assert owed == [("problems", "mail")] * 2
        assert snapshot.invariant.accounts().discrepancies == ()


def test_a_message_about_a_problem_that_dies_is_no_problem(store: Store) -> None:
    owe(store)
    send_all(store, Retry("HTTP 503"))
    age(store)
    notify(store)
    send_all(store, Reject("550 no such user"))
    with store.read() as snapshot:
        assert [record.state for record in snapshot.delivery_list.records(Filter(destination="mail"))] == [
            State.DEAD
        ]
        kinds = [alert.key for alert in snapshot.alerts.all()]

    assert kinds == [(AlertKind.DIED, "crm")]


def test_a_message_about_a_problem_that_waited_too_long_is_no_problem(store: Store) -> None:
    owe(store)
    send_all(store, Retry("HTTP 503"))
    age(store)
    notify(store)
    ages_ago = given.NOON - timedelta(days=9000)
    change(store, update(deliveries).where(deliveries.c.destination == "mail").values(owed_since=ages_ago))
    expire(store, RULES, SteadyClock(store, 0.0))
    with store.read() as snapshot:
        assert [record.state for record in snapshot.delivery_list.records(Filter(destination="mail"))] == [
            State.DEAD
        ]
        assert [alert.subject for alert in snapshot.alerts.all()] == ["crm"]


def test_deliveries_that_waited_too_long_are_told(store: Store) -> None:
    owe(store)
    mark(store)
    change(store, update(deliveries).values(owed_since=given.NOON - timedelta(days=9000)))
    expire(store, RULES, SteadyClock(store, 0.0))
    age(store)
    notify(store)

    assert headlines(store) == ["1 message to crm will not be tried again"]


def test_several_processes_at_once_tell_once(open_stores: Callable[..., Store]) -> None:
    stores = [open_stores() for _ in range(4)]
    owe(stores[0])
    send_all(stores[0], Retry("HTTP 503"))
    age(stores[0])
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(notify, stores * 3))

    assert headlines(stores[0]) == ["1 message to crm will not be tried again"]


def test_a_pause_is_told_with_the_command_that_ends_it(store: Store) -> None:
    mark(store)
    owe(store)
    operator.pause(store, RULES, "crm")
    change(store, earlier(destinations.c.paused_at, MINUTE))
    notify(store)
    (record,) = problem_events(store)

    lines = given.json.loads(record.payload or b"{}")["data"]["lines"]
    texts = [line["text"] for line in lines]
    assert texts[0].startswith("crm is paused by an operator, since 20")
    assert texts[0].endswith("; 1 delivery waits")
    assert texts[1:] == ["Resume it once it may go on: hub resume crm", "https://hub.example.com"]


def test_a_refused_edit_and_its_end_are_told(store: Store) -> None:
    store.write(lambda t: t.settings.set(REFUSED_EDIT, "routes.yaml:3:1: error[x]: no"))
    notify(store)
    age(store)
    notify(store)
    store.write(lambda t: t.settings.set(REFUSED_EDIT, ""))
    notify(store)

    assert headlines(store) == [
        "Your last edit is not in use: 1 mistake",
        "The configuration is as its files have it again",
    ]


def test_a_source_that_is_silent_is_told(store: Store) -> None:
    rules = given.load_rules(replace(CONFIG, sources={"clerk": given.source(max_silence_seconds=3600.0)}))
    requests = RequestCounter(store)
    requests.accepted_at["clerk"] = time.time()
    requests.flush()
    notify(store, rules)
    assert headlines(store) == []
    change(store, earlier(sources.c.accepted_at, timedelta(hours=2)))
    notify(store, rules)

    assert headlines(store) == ["clerk sent nothing for 2 h (`max_silence`)"]


def test_requests_that_are_refused_are_told_and_that_they_are_accepted_again(store: Store) -> None:
    requests = RequestCounter(store)
    for _ in range(5):
        requests.refuse("clerk", "invalid_signature", time.time(), is_complete=True, clock_ahead_seconds=None)
    requests.flush()
    change(store, earlier(sources.c.refused_since, MINUTE))
    notify(store)
    age(store)
    requests.accepted_at["clerk"] = time.time()
    requests.flush()
    notify(store)

    refused, accepted = headlines(store)
    assert re.fullmatch(r"clerk: 5 requests refused since .*, none accepted", refused)
    assert accepted == "clerk is accepted again"


def test_an_alert_that_nobody_can_be_told_of_is_logged_once(store: Store) -> None:
    mark(store)
    operator.pause(store, RULES, "mail")
    change(store, earlier(destinations.c.paused_at, MINUTE))
    notifier = Notifier(store, "")
    with capture_logs() as logs:
        notifier.notify(RULES)
        notifier.notify(RULES)

    assert problem_events(store) == []
    assert [(line["event"], line["what"]) for line in logs] == [
        ("problems.unsaid", "mail is paused by an operator")
    ]


def test_deliveries_to_what_is_gone_from_the_configuration_wait_and_are_logged_once(store: Store) -> None:
    owe(store)
    notifier = Notifier(store, "")
    without = given.rules(given.route("all", ("x",), "mail"), destinations=(MAIL,))
    with capture_logs() as logs:
        notifier.notify(without)
        notifier.notify(without)

    assert [(line["event"], line["destination"]) for line in logs] == [("destination.removed", "crm")]


@pytest.mark.parametrize("problems", [(), (Send(to="mail"),)])
def test_of_a_hub_that_is_well_nothing_is_written(store: Store, problems: tuple[Send, ...]) -> None:
    owe(store)
    notify(store, given.load_rules(replace(CONFIG, problems=problems)))

    with store.read() as snapshot:
        assert snapshot.alerts.all() == []
    assert problem_events(store) == []
