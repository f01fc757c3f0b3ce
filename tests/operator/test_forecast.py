"""The forecast of an act says to whom it would go, and the act then goes to those alone that were chosen."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import given
from sqlalchemy import update

from hub import operator
from hub.destinations.email.options import EmailOptions
from hub.ingest.fanout import fan_out
from hub.model.delivery import State
from hub.model.filter import Filter
from hub.model.routing import Send
from hub.operator import OnlyTo, Refused, Retry, Target
from hub.store.store import Store
from hub.store.tables import deliveries, events

ADDRESSES = {"smtp_url": "smtp://127.0.0.1:9", "from": "hub@example.com", "to": "team@example.com"}
RULES = given.rules(
    given.route("all", ("user.*",), "crm", "mail", Send(to="mail", fields={"recipient": "ada@example.com"})),
    given.route("codes", ("email.*",), "crm", Send(to="mail", max_age_seconds=600)),
    destinations=(
        given.destination("crm"),
        replace(given.destination("mail"), type="email", options=EmailOptions.model_validate(ADDRESSES)),
    ),
)
RETRY = Retry(rules=RULES)
CRM, TEAM = Target(destination="crm"), Target(destination="mail")
OUTSIDE = Target(destination="mail", is_outside=True)


def keep(store: Store, type_: str = "user.created", state: State = State.DEAD, minutes_ago: int = 0) -> str:
    """An event whose deliveries are all in a state; its id."""
    at = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    event = given.event(type_, received_at=at)
    fan_out(event, RULES, store)
    change = update(deliveries).where(deliveries.c.event_id == event.id).values(state=state)
    store.write(lambda transaction: transaction.session.connection.execute(change) and None)
    return event.id


def owed(store: Store) -> list[str]:
    return list(operator.select_deliveries(store, Filter()).ids)


def states(store: Store) -> Counter[tuple[str, bool, str]]:
    with store.read() as snapshot:
        records = snapshot.delivery_list.records(limit=99)
    return Counter((one.destination, bool(one.send), one.state.value) for one in records)


def test_a_retry_reaches_people_outside_apart_from_the_destinations_own(store: Store) -> None:
    keep(store)
    keep(store)
    keep(store, state=State.DELIVERED)
    forecast = operator.forecast_deliveries(store, RULES, RETRY, owed(store))

    assert {share.target: share.count for share in forecast.shares} == {CRM: 2, TEAM: 2, OUTSIDE: 2}
    assert (forecast.count, [refused.count for refused in forecast.refused]) == (6, [2, 1])
    assert "it was delivered" in forecast.refused[0].why
    assert set(states(store)) & {("crm", False, "pending")} == set()


def test_an_act_goes_to_the_chosen_targets_alone(store: Store) -> None:
    keep(store)
    chosen = OnlyTo(whole=RETRY, targets=[CRM, OUTSIDE], rules=RULES)
    outcome = operator.act_on_deliveries(store, chosen, owed(store))

    assert [one.why for one in outcome.skipped] == [operator.LEFT_OUT]
    assert states(store) == Counter(
        {("crm", False, "pending"): 1, ("mail", False, "dead"): 1, ("mail", True, "pending"): 1}
    )


def test_a_replay_goes_to_the_chosen_and_leaves_out_what_is_too_old(store: Store) -> None:
    old, blanked = keep(store, "email.created", minutes_ago=12), keep(store)
    change = update(events).where(events.c.id == blanked).values(blanked=True)
    store.write(lambda transaction: transaction.session.connection.execute(change) and None)
    forecast = operator.forecast_replay(store, RULES, [old, blanked])
    takes = operator.takes_only([share.target for share in forecast.shares], RULES)
    outcome = operator.replay_events(store, RULES, [old, blanked], takes=takes)

    assert [(share.target, share.count, share.examples) for share in forecast.shares] == [(CRM, 1, (old,))]
    assert forecast.refused[0] == Refused(
        destination="mail", why="too old: it was 12 min old and may be 10", count=1
    )
    assert "one-time secrets were removed" in forecast.refused[1].why
    assert (outcome.changed, outcome.deliveries) == ((old,), {"crm": 1})


def test_a_selection_goes_on_below_an_id(store: Store) -> None:
    keep(store)
    newest, *others = owed(store)

    assert operator.select_deliveries(store, Filter(), before=f"{newest}0").ids == [newest, *others]
    assert operator.select_deliveries(store, Filter(), before=newest, limit=1).ids == others[:1]
    assert operator.select_deliveries(store, Filter(), limit=1).is_cut
