"""`when` on a send block: judged with its event, kept like a route's verdict, and decided later."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import given
import pytest

from hub import operator
from hub.ingest.fanout import fan_out
from hub.ingest.route import Rules, match
from hub.model.event import Event
from hub.model.routing import UNMATCHED, Routing, Send, SendVerdict
from hub.store.store import Store

ADA = given.event(data={"id": "user_1", "plan": "pro"})
PRO = "data.plan == 'pro'"
FREE = "data.plan == 'free'"
LOG, CRM = given.destination(), given.destination("crm", url="https://crm.test")


def rules(*sends: Send, **parts: Any) -> Rules:
    return given.rules(given.route("plans", ("*",), *sends), destinations=(LOG, CRM), **parts)


def owed(routing: Routing) -> list[tuple[str, int]]:
    return [(routed.send.to, routed.send.position) for routed in routing.sends]


def test_a_block_whose_condition_does_not_hold_owes_nothing_and_says_what_it_saw() -> None:
    routing = match(rules(Send(to="log"), Send(to="crm", when=(PRO,)), Send(to="crm", when=(PRO, FREE))), ADA)
    (verdict,) = routing.verdicts

    assert owed(routing) == [("log", 0), ("crm", 0)]
    assert (verdict.matched, verdict.owed, routing.routes) == (True, 2, ("plans",))
    assert verdict.sends == (SendVerdict("crm", 1, FREE, 'data.plan is "pro"'),)


def test_a_condition_that_fails_does_not_hold() -> None:
    (verdict,) = match(rules(Send(to="log", when=("data.plan + 1 > 2",))), ADA).verdicts

    assert verdict.owed == 0
    assert verdict.sends[0].value.startswith("failed: ")


def test_a_condition_sees_its_destination_and_its_timezone() -> None:
    berlin = replace(LOG, timezone="Asia/Tokyo")
    condition = "destination == 'log' and '2026-06-01T00:00:00Z' | datetime('%H') == '09'"
    routing = match(
        given.rules(given.route("plans", ("*",), Send(to="log", when=(condition,))), destinations=(berlin,)),
        ADA,
    )

    assert owed(routing) == [("log", 0)]


def test_a_route_stops_the_walk_though_its_blocks_owe_nothing() -> None:
    first = given.route("first", ("*",), Send(to="log", when=(FREE,)), stop=True)
    routing = match(given.rules(first, given.route("second")), ADA)

    assert (owed(routing), routing.routes) == ([], ("first",))


def test_blocks_of_unmatched_have_conditions_too() -> None:
    unmatched = (Send(to="log", when=(FREE,)), Send(to="crm", when=(PRO,)))
    routing = match(given.rules(destinations=(LOG, CRM), unmatched=unmatched), ADA)
    (verdict,) = routing.verdicts

    assert owed(routing) == [("crm", 0)]
    assert (verdict.route, verdict.owed, routing.routes) == (UNMATCHED, 0, ())
    assert [sent.to for sent in verdict.sends] == ["log"]


def test_a_value_that_is_a_secret_is_kept_masked() -> None:
    event = given.event("sms.created", data={"id": "sms_1", "message": "424242 is it", "data": {}})
    (verdict,) = match(rules(Send(to="log", when=("data.message == 'x'",))), event).verdicts

    assert "424242" not in verdict.sends[0].value


# -- kept, and decided again ----------------------------------------------------------------------


def undecided() -> Send:
    condition = "data.plan == ${PLAN}"
    return Send(to="crm", when=(condition,), undecided={condition: ("PLAN",)})


def states(store: Store, event: Event) -> list[tuple[str, str]]:
    with store.read() as snapshot:
        return sorted((r.destination, r.state.value) for r in snapshot.delivery_list.records(event=event.id))


def test_a_verdict_is_kept_with_its_event(store: Store) -> None:
    sends = (Send(to="log"), Send(to="crm", when=(FREE,)), undecided())
    fan_out(ADA, rules(*sends), store)
    with store.read() as snapshot:
        (verdict,) = snapshot.event_list.record(ADA.id).verdicts

    assert states(store, ADA) == [("log", "pending")]
    assert verdict.sends == (
        SendVerdict("crm", 0, FREE, 'data.plan is "pro"'),
        SendVerdict("crm", 1, "data.plan == ${PLAN}", "not configured: PLAN is not set", ("PLAN",)),
    )


@pytest.mark.parametrize("holds", [True, False])
def test_a_resend_decides_what_was_not_configured_and_only_that(store: Store, holds: bool) -> None:
    event = given.event(data={"id": "user_1", "plan": "pro"})
    today = Send(to="crm", when=(PRO if holds else FREE,))
    fan_out(event, rules(Send(to="log"), Send(to="crm", when=(FREE,)), undecided()), store)
    again = fan_out(replace(event, id="evt_2"), rules(Send(to="log"), Send(to="crm"), today), store)
    once_more = fan_out(replace(event, id="evt_3"), rules(Send(to="log"), Send(to="crm"), today), store)
    with store.read() as snapshot:
        (verdict,) = snapshot.event_list.record(event.id).verdicts

    assert (again.deliveries, once_more.deliveries) == (int(holds), 0)
    assert states(store, event) == [*([("crm", "pending")] if holds else []), ("log", "pending")]
    assert verdict.owed == 1 + holds
    assert [sent.position for sent in verdict.sends] == ([0] if holds else [0, 1])


def test_a_resend_decides_a_block_of_unmatched(store: Store) -> None:
    event = given.event(data={"id": "user_1", "plan": "pro"})
    fan_out(event, given.rules(destinations=(LOG, CRM), unmatched=(Send(to="log"), undecided())), store)
    today = given.rules(destinations=(LOG, CRM), unmatched=(Send(to="log"), Send(to="crm", when=(PRO,))))
    again = fan_out(replace(event, id="evt_2"), today, store)

    assert again.deliveries == 1
    assert states(store, event) == [("crm", "pending"), ("log", "pending")]


def test_an_operators_retry_finds_the_block_behind_one_that_was_left_out(store: Store) -> None:
    event = given.event(data={"id": "user_1", "plan": "pro"})
    first = Send(to="crm", when=(FREE,), fields={"body": "free"})
    all_rules = rules(first, Send(to="crm", when=(PRO,), fields={"body": "pro"}))
    fan_out(event, all_rules, store)
    with store.read() as snapshot:
        (record,) = snapshot.delivery_list.records(event=event.id)
    operator.retry(store, all_rules, record.id)
    with store.transaction() as transaction:
        assert transaction.operator.lock(record.id).send == {"body": "pro"}
