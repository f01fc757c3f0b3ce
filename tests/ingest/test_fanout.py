"""Events are kept once, with what they are owed; what is known stays known."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from urllib.parse import quote

import given
import markupsafe
import pytest

from hub.errors import Conflict, NotFound
from hub.ingest.fanout import fan_out
from hub.ingest.route import Rules
from hub.model.delivery import State
from hub.model.event import Event
from hub.model.routing import Routing, Send, Verdict
from hub.operator import replay
from hub.store.repositories.retention import Prunable
from hub.store.store import Store

LOG = given.rules(given.route("all", ("*",), "log"))
NOTHING = given.rules()


def states(store: Store, event_id: str) -> dict[State, int]:
    with store.read() as snapshot:
        return dict(snapshot.event_list.record(event_id).states)


def settle_as(store: Store, state: State, **values: object) -> None:
    """Put every delivery into a state, as if a worker had."""
    from sqlalchemy import update

    from hub.store.tables import deliveries

    def work(transaction: object) -> None:
        transaction.session.connection.execute(update(deliveries).values(state=state, **values))  # type: ignore[attr-defined]

    store.write(work)


def test_an_event_is_kept_byte_for_byte_with_its_verdicts(store: Store) -> None:
    event = given.event(payload=b'{ "type":"x" , "data" : {"n":"\\ud83d\\ude00 \xc3\xa9"} }')
    verdicts = (
        Verdict(route="a", matched=True),
        Verdict(route="b", matched=False, condition="data.x", value="missing \x00 \ud800"),
    )
    store.write(lambda t: given.keep(t, event, Routing(verdicts=verdicts)))
    with store.read() as snapshot:
        record = snapshot.event_list.record(event.id)

    assert record.payload == event.payload
    assert record.verdicts == verdicts
    assert record.received_at == event.received_at
    assert record.states == {}


def test_fan_out_owes_one_delivery_for_each_send(store: Store) -> None:
    rules = given.rules(
        given.route("one", ("user.*",), "log", Send(to="log", fields={"text": "again"})),
        given.route("two", ("*",), "log"),
        given.route("three", ("session.*",), "log"),
    )
    event = given.event("user.created")
    result = fan_out(event, rules, store)
    with store.read() as snapshot:
        owed = snapshot.delivery_list.records(event=event.id)

    assert (result.event_id, result.duplicate) == (event.id, False)
    assert (result.routes, result.deliveries) == (("one", "two"), 3)
    assert sorted(record.route for record in owed) == ["one", "one", "two"]
    assert {record.state for record in owed} == {State.PENDING}
    assert len({record.id for record in owed}) == 3


def test_a_resent_event_changes_nothing(store: Store) -> None:
    event = given.event()
    fan_out(event, LOG, store)
    again = fan_out(replace(event, id="evt_other"), LOG, store)

    assert (again.event_id, again.duplicate, again.routes, again.deliveries) == (event.id, True, ("all",), 0)
    assert states(store, event.id) == {State.PENDING: 1}


def test_the_same_message_id_of_another_source_is_another_event(store: Store) -> None:
    event = given.event()
    fan_out(event, LOG, store)
    other = fan_out(replace(event, id="evt_other", source="svix"), LOG, store)

    assert (other.event_id, other.duplicate) == ("evt_other", False)


def test_a_resent_event_revives_its_dead_deliveries_alone(store: Store) -> None:
    event = given.event()
    fan_out(event, given.rules(given.route("all", ("*",), "log", "log")), store)
    with store.read() as snapshot:
        dead, delivered = (record.id for record in snapshot.delivery_list.records(event=event.id))
    settle_as(store, State.DEAD, reason="refused", tries=4)
    store.write(lambda t: t.operator.finish([delivered], State.DELIVERED, "seen"))
    result = fan_out(replace(event, id="evt_other"), LOG, store)
    with store.read() as snapshot:
        revived, untouched = snapshot.delivery_list.record(dead), snapshot.delivery_list.record(delivered)

    assert result.deliveries == 1
    assert (revived.state, revived.reason) == (State.PENDING, None)
    assert untouched.state is State.DELIVERED


def test_a_resent_event_that_no_route_took_is_routed_by_todays_rules(store: Store) -> None:
    event = given.event()
    assert fan_out(event, NOTHING, store).deliveries == 0

    result = fan_out(replace(event, id="evt_other"), LOG, store)
    again = fan_out(replace(event, id="evt_third"), LOG, store)

    assert (result.duplicate, result.routes, result.deliveries) == (True, ("all",), 1)
    assert again.deliveries == 0
    assert states(store, event.id) == {State.PENDING: 1}


def test_what_only_the_unmatched_block_took_is_routed_again(store: Store) -> None:
    unmatched = given.rules(unmatched=(Send(to="log"),))
    event = given.event()
    first = fan_out(event, unmatched, store)
    result = fan_out(replace(event, id="evt_other"), LOG, store)

    assert (first.routes, first.deliveries) == ((), 1)
    assert (result.routes, result.deliveries) == (("all",), 1)


def with_crm(is_on: bool) -> Rules:
    destinations = (given.destination("log"), given.destination("crm", enabled=is_on))
    return given.rules(given.route("all", ("*",), "crm"), destinations=destinations)


def test_an_event_whose_destinations_were_all_switched_off_is_routed_again(store: Store) -> None:
    event = given.event()
    first = fan_out(event, with_crm(is_on=False), store)
    still_off = fan_out(replace(event, id="evt_other"), with_crm(is_on=False), store)
    switched_on = fan_out(replace(event, id="evt_third"), with_crm(is_on=True), store)
    again = fan_out(replace(event, id="evt_fourth"), with_crm(is_on=True), store)

    assert (first.routes, first.deliveries) == (("all",), 0)
    assert (still_off.duplicate, still_off.deliveries) == (True, 0)
    assert (switched_on.duplicate, switched_on.deliveries) == (True, 1)
    assert again.deliveries == 0
    assert states(store, event.id) == {State.PENDING: 1}


def test_an_event_that_is_owed_to_one_of_its_destinations_is_not_routed_again(store: Store) -> None:
    destinations = (given.destination("log"), given.destination("crm", enabled=False))
    half = given.rules(given.route("all", ("*",), "crm", "log"), destinations=destinations)
    both = given.rules(
        given.route("all", ("*",), "crm", "log"),
        destinations=(given.destination("log"), given.destination("crm")),
    )
    event = given.event()
    fan_out(event, half, store)

    assert fan_out(replace(event, id="evt_other"), both, store).deliveries == 0


def test_an_event_that_a_route_once_took_is_never_routed_again_by_a_duplicate(store: Store) -> None:
    event = given.event()
    fan_out(event, LOG, store)
    replay(event.id, NOTHING, store)
    result = fan_out(replace(event, id="evt_other"), given.rules(given.route("new", ("*",), "log")), store)

    assert result.deliveries == 0


def test_an_event_whose_payload_is_pruned_is_known_and_sends_nothing(store: Store) -> None:
    event = given.event()
    fan_out(event, NOTHING, store)
    later = event.received_at + timedelta(days=1)
    store.write(lambda t: t.retention.prune(Prunable.PAYLOADS, later, 10))
    result = fan_out(replace(event, id="evt_other"), LOG, store)

    assert (result.event_id, result.duplicate, result.deliveries) == (event.id, True, 0)
    with pytest.raises(Conflict, match="pruned"):
        replay(event.id, LOG, store)


def test_replay_owes_new_deliveries_beside_the_old_ones(store: Store) -> None:
    event = given.event()
    fan_out(event, LOG, store)
    result = replay(event.id, LOG, store)

    assert (result.event_id, result.routes, result.deliveries) == (event.id, ("all",), 1)
    assert states(store, event.id) == {State.PENDING: 2}


def test_replay_of_nothing_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound, match="there is no event evt_none"):
        replay("evt_none", LOG, store)


def test_a_resent_event_is_kept_once_by_any_number_of_processes(open_stores: Callable[..., Store]) -> None:
    from concurrent.futures import ThreadPoolExecutor

    stores = [open_stores() for _ in range(3)]
    event = given.event()
    with ThreadPoolExecutor(12) as pool:
        results = list(
            pool.map(lambda n: fan_out(replace(event, id=f"evt_{n}"), LOG, stores[n % 3]), range(24))
        )

    assert [result.duplicate for result in results].count(False) == 1
    assert len({result.event_id for result in results}) == 1
    assert states(stores[0], results[0].event_id) == {State.PENDING: 1}


# -- one-time secrets -----------------------------------------------------------------------------

LINK = "https://accounts.example.com/invite?by=O'Neil&ticket=eyJ0&next=%2Fwelcome"


def invitation() -> Event:
    data = {"id": "inv_1", "url": LINK, "email_address": "a@example.com"}
    return given.event("invitation.created", data=data)


def deliver_with(store: Store, event: Event, message: dict[str, object], rules: Rules = LOG) -> list[str]:
    """Owe and render the event's deliveries; their ids."""
    fan_out(event, rules, store)
    settle_as(store, State.PENDING, message=message, reason=f"saw {LINK}", degraded=f"no {LINK}")
    with store.read() as snapshot:
        return [record.id for record in snapshot.delivery_list.records(event=event.id)]


def finish(store: Store, delivery_id: str, state: State) -> None:
    def work(transaction: object) -> None:
        event_id = transaction.operator.lock(delivery_id).event_id  # type: ignore[attr-defined]
        transaction.operator.finish([delivery_id], state, "done")  # type: ignore[attr-defined]
        transaction.secrets.blank([event_id])  # type: ignore[attr-defined]

    store.write(work)


def test_secrets_are_blanked_once_every_delivery_is_delivered_or_cancelled(store: Store) -> None:
    event = invitation()
    forms = {
        "text": f"Join: {LINK}",
        "slack": f"<{LINK.replace('&', '&amp;')}|join>",
        "html": f'<a href="{markupsafe.escape(LINK)}">join</a>',
        "body": json.dumps({"url": LINK}),
        "list": [{"path": f"/x/{quote(LINK, safe='')}"}],
    }
    two = given.rules(given.route("all", ("*",), "log", "log"))
    first, second = deliver_with(store, event, forms, two)

    finish(store, first, State.DELIVERED)
    with store.read() as snapshot:
        assert snapshot.event_list.record(event.id).payload == event.payload
    finish(store, second, State.CANCELLED)
    with store.read() as snapshot:
        record, kept = (
            snapshot.event_list.record(event.id),
            [snapshot.delivery_list.record(first), snapshot.delivery_list.record(second)],
        )

    everything = (record.payload or b"").decode() + "".join(map(repr, kept))
    assert "eyJ0" not in everything
    assert "a@example.com" in everything
    assert "Join: ••••••" in everything
    with pytest.raises(Conflict, match="one-time secrets were removed"):
        replay(event.id, LOG, store)


@pytest.mark.parametrize("state", [State.DEAD, State.HELD, State.PENDING, State.SENDING])
def test_secrets_stay_while_anything_may_be_sent(store: Store, state: State) -> None:
    event = invitation()
    two = given.rules(given.route("all", ("*",), "log", "log"))
    first, second = deliver_with(store, event, {"text": LINK}, two)
    settle_as(store, state)
    finish(store, first, State.DELIVERED)
    with store.read() as snapshot:
        assert snapshot.event_list.record(event.id).payload == event.payload
        assert snapshot.delivery_list.record(second).message == {"text": LINK}


def test_an_event_without_secrets_is_kept_as_it_is(store: Store) -> None:
    event = given.event("user.created", data={"url": LINK})
    (only,) = deliver_with(store, event, {"text": LINK})
    finish(store, only, State.DELIVERED)
    with store.read() as snapshot:
        assert snapshot.event_list.record(event.id).payload == event.payload
        assert snapshot.delivery_list.record(only).message == {"text": LINK}


def test_a_verdict_that_saw_a_secret_is_blanked_with_it(store: Store) -> None:
    event = invitation()
    rules = given.rules(
        given.route("no", ("*",), "log", when=("data.url == 'x'",)), given.route("all", ("*",), "log")
    )
    (only,) = deliver_with(store, event, {"text": "x"}, rules)
    finish(store, only, State.DELIVERED)
    with store.read() as snapshot:
        assert "eyJ0" not in repr(snapshot.event_list.record(event.id).verdicts)


def test_a_resend_brings_blanked_secrets_back_for_what_it_newly_owes(store: Store) -> None:
    event = invitation()
    unmatched = given.rules(unmatched=(Send(to="log"),))
    (only,) = deliver_with(store, event, {"text": LINK}, unmatched)
    finish(store, only, State.DELIVERED)
    result = fan_out(replace(event, id="evt_other"), LOG, store)
    with store.read() as snapshot:
        assert result.deliveries == 1
        assert snapshot.event_list.record(event.id).payload == event.payload


def test_a_resend_decides_the_routes_that_lacked_a_variable_and_only_those(store: Store) -> None:
    condition = "data.id == ${ADMIN}"
    other = given.route("other", ("*",), "log")
    lacking = given.route("admins", ("*",), "log", when=(condition,), unset={condition: ("ADMIN",)})
    decided = given.route("admins", ("*",), "log", when=(condition,))
    event = given.event(data={"id": "user_1"})
    first = fan_out(event, given.rules(lacking, other), store)
    again = fan_out(replace(event, id="evt_again"), given.rules(lacking, other), store)
    configured = given.rules(decided, other, environment={"ADMIN": "user_1"})
    mended = fan_out(replace(event, id="evt_mended"), configured, store)
    once_more = fan_out(replace(event, id="evt_once_more"), configured, store)
    with store.read() as snapshot:
        owed = snapshot.delivery_list.records(event=event.id)
        verdicts = snapshot.event_list.record(event.id).verdicts

    assert [result.deliveries for result in (first, again, mended, once_more)] == [1, 0, 1, 0]
    assert sorted(record.route for record in owed) == ["admins", "other"]
    assert [(verdict.route, verdict.matched, verdict.unset) for verdict in verdicts] == [
        ("admins", True, ()),
        ("other", True, ()),
    ]
