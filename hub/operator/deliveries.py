"""Acts on deliveries and events: retry, cancel, resolve, replay, and a test message."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from hub import catalog
from hub.errors import Conflict
from hub.health.facts import waiting_facts
from hub.health.waiting import WaitReason, why
from hub.ingest.fanout import FannedOut, hub_event
from hub.ingest.route import Rules, match
from hub.model.age import too_old
from hub.model.audit import COMMAND_LINE, Act, Actor
from hub.model.delivery import State
from hub.model.finding import HUB
from hub.model.records import DeliveryRecord
from hub.model.routing import RoutedSend, Routing, Send
from hub.operator.audited import audited, entry_of, log_entry
from hub.operator.destinations import no_destination
from hub.store.repositories.events import RoutedEvent
from hub.store.store import Store, Transaction

RETRY_BATCH = 500

_RETRYABLE = (State.DEAD, State.CANCELLED, State.PENDING)
_REFUSALS = {
    State.SENDING: "it is being sent right now",
    State.DELIVERED: "it was delivered; replay its event to send it again",
    State.HELD: "it is held because it may have arrived; resolve it as delivered or as retry",
}


def retry(store: Store, rules: Rules, delivery_id: str, actor: Actor = COMMAND_LINE) -> DeliveryRecord:
    """Owe a delivery again under its id, to be rendered anew. Raises NotFound or Conflict.

    It is rendered from today's send block, or from the kept one where that is gone.
    """

    def work(transaction: Transaction) -> DeliveryRecord:
        _retry(transaction, rules, delivery_id)
        return transaction.reports.delivery(delivery_id)

    record = audited(store, entry_of(Act.RETRY, actor, delivery_id), work)
    store.wake()
    return record


def retry_all(
    store: Store,
    rules: Rules,
    *,
    state: State = State.DEAD,
    destination: str | None = None,
    since: datetime | None = None,
    actor: Actor = COMMAND_LINE,
) -> int:
    """Retry every delivery in a state and return their number. Raises Conflict for other states."""
    if state not in (State.DEAD, State.CANCELLED):
        raise Conflict("only dead or cancelled deliveries can be retried together")
    entry = entry_of(Act.RETRY, actor, destination or HUB)

    def work(transaction: Transaction) -> tuple[int, str | None]:
        ids = transaction.operator.delivery_ids(state, destination, since, after, RETRY_BATCH)
        retried = 0
        for delivery_id in ids:
            try:
                _retry(transaction, rules, delivery_id)
                retried += 1
            except Conflict:
                continue
        if retried:
            transaction.audit.add(replace(entry, changed=retried))
        return retried, ids[-1] if ids else None

    total = 0
    after = ""
    while True:
        retried, last = store.write(work)
        total += retried
        if last is None:
            break
        after = last
    store.wake()
    if total:
        log_entry(replace(entry, changed=total))
    return total


def cancel(store: Store, delivery_id: str, actor: Actor = COMMAND_LINE) -> DeliveryRecord:
    """End a delivery that is not wanted any more. Raises NotFound or Conflict."""

    def work(transaction: Transaction) -> DeliveryRecord:
        row = transaction.operator.lock(delivery_id)
        if State(row.state) in (State.SENDING, State.DELIVERED, State.CANCELLED):
            raise Conflict(f"it cannot be cancelled: it is {row.state}")
        return _finish(transaction, row, State.CANCELLED, "cancelled by an operator")

    return audited(store, entry_of(Act.CANCEL, actor, delivery_id), work)


def resolve(store: Store, delivery_id: str, as_: str, actor: Actor = COMMAND_LINE) -> DeliveryRecord:
    """Decide on a held delivery: `delivered` (somebody saw it) or `retry` (send the same bytes again)."""
    if as_ not in ("delivered", "retry"):
        raise Conflict("say as=delivered or as=retry")

    def work(transaction: Transaction) -> DeliveryRecord:
        row = transaction.operator.lock(delivery_id)
        if row.state != State.HELD:
            raise Conflict(f"only held deliveries are resolved; it is {row.state}")
        if as_ == "delivered":
            return _finish(transaction, row, State.DELIVERED, "an operator found it delivered")
        transaction.operator.requeue(delivery_id)
        return transaction.reports.delivery(delivery_id)

    record = audited(store, entry_of(Act.RESOLVE, actor, delivery_id), work)
    store.wake()
    return record


def replay(
    event_id: str,
    rules: Rules,
    store: Store,
    actor: Actor = COMMAND_LINE,
) -> FannedOut:
    """Route a kept event again by today's rules: new deliveries beside the old ones.

    Raises NotFound, or Conflict where its payload is pruned or blanked.
    """
    with store.read() as snapshot:
        event = snapshot.events.to_replay(event_id)
    routing = match(rules, event)

    def work(transaction: Transaction) -> FannedOut:
        transaction.events.to_replay(event_id)
        transaction.events.set_verdicts(event_id, routing)
        owed = transaction.events.add_deliveries(event, routing)
        return FannedOut(event_id=event_id, duplicate=False, routes=routing.routes, deliveries=owed)

    fanned_out = audited(store, entry_of(Act.REPLAY, actor, event_id, changed=len(routing.sends)), work)
    store.wake()
    return fanned_out


def wait_of_delivery(store: Store, rules: Rules, record: DeliveryRecord) -> WaitReason | None:
    """Return why a delivery waits now, for the answer to an act; None where it does not."""
    with store.read() as snapshot:
        return why(record, waiting_facts(snapshot, rules.config))


def send_test(store: Store, rules: Rules, destination: str) -> str:
    """Owe one marked message to a destination, through the real way, and return the delivery's id.

    Raises NotFound for a name that is not configured.
    """
    if destination not in rules.config.destinations:
        raise no_destination(destination, rules.config.destinations)
    data = {"destination": destination, "message": "If you can read this, the hub reaches you."}
    event = hub_event(catalog.TEST, data, datetime.now(UTC))
    max_age = rules.config.destinations[destination].max_age_seconds
    send = Send(to=destination, max_age_seconds=max_age)
    routing = Routing(sends=(RoutedSend(route="send-test", send=send),))

    def work(transaction: Transaction) -> str:
        transaction.events.insert([RoutedEvent(event=event, routing=routing)])
        return transaction.reports.deliveries(event=event.id)[0].id

    delivery_id = store.write(work)
    store.wake()
    return delivery_id


def _retry(transaction: Transaction, rules: Rules, delivery_id: str) -> None:
    row = transaction.operator.lock(delivery_id)
    if State(row.state) not in _RETRYABLE:
        raise Conflict(f"it cannot be retried: {_REFUSALS[State(row.state)]}")
    if not row.has_payload:
        raise Conflict("it cannot be retried: its payload was pruned (HUB_RETENTION)")
    owed = transaction.operator.owed_today(row, rules.config)
    if owed.valid_until is not None:
        event = transaction.operator.event(row.event_id)
        if reason := too_old(event, owed.valid_until, transaction.session.now):
            raise Conflict(f"it cannot be retried: {reason}")
    if row.blanked:
        raise Conflict("it cannot be retried: its event's one-time secrets were removed")
    transaction.operator.requeue(delivery_id, owed)


def _finish(transaction: Transaction, row: Any, state: State, reason: str) -> DeliveryRecord:
    transaction.operator.finish(row.id, state, reason)
    transaction.secrets.blank([row.event_id])
    return transaction.reports.delivery(row.id)
