"""Acts on deliveries: retry, cancel and resolve, on one or on many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, ClassVar, Protocol

from hub import catalog
from hub.errors import Conflict, NotFound
from hub.ingest.route import Rules
from hub.model.age import too_old
from hub.model.audit import COMMAND_LINE, Act, Actor, AuditEntry
from hub.model.delivery import State
from hub.model.finding import HUB
from hub.model.records import DeliveryRecord
from hub.operator.audited import audited, entry_of
from hub.operator.batch import LARGEST, Outcome, Skipped, batches_of, in_batches, total
from hub.store.repositories.operator import Owed, no_delivery
from hub.store.session import to_json
from hub.store.store import Store, Transaction

FOUND_DELIVERED = "an operator found it delivered"
"""The reason of what was held and somebody saw arrived: when it did, nobody knows."""

_RETRYABLE = (State.DEAD, State.CANCELLED, State.PENDING)
_REFUSALS = {
    State.SENDING: "it is being sent right now",
    State.DELIVERED: "it was delivered; replay its event to send it again",
    State.HELD: "it is held because it may have arrived; resolve it as delivered or as retry",
}

Row = Any
"""A delivery's row, with its event's `has_payload` and `blanked`."""


class DeliveryAct(Protocol):
    """An act on deliveries: decided for each of them, then done to many at once."""

    @property
    def act(self) -> Act:
        """Return the act's name in the audit."""

    def decide(self, transaction: Transaction, row: Row) -> Owed | None:
        """Return what is owed anew, where that is another message. Raises Conflict where it is not done."""

    def carry_out(self, transaction: Transaction, rows: Sequence[Row], owed: Sequence[Owed | None]) -> None:
        """Do it to deliveries that are locked and for which it was decided."""


@dataclass(frozen=True, kw_only=True)
class Retry:
    """Owe deliveries again under their ids, to be rendered anew.

    They are rendered from today's send blocks, or from the kept ones where those are gone.
    """

    rules: Rules
    act: ClassVar[Act] = Act.RETRY

    def decide(self, transaction: Transaction, row: Row) -> Owed | None:
        if State(row.state) not in _RETRYABLE:
            raise Conflict(f"it cannot be retried: {_REFUSALS[State(row.state)]}")
        if not row.has_payload:
            raise Conflict("it cannot be retried: its payload was pruned (HUB_RETENTION)")
        owed = transaction.operator.owed_today(row, self.rules.config)
        if owed.valid_until is not None:
            event = transaction.operator.event(row.event_id)
            if reason := too_old(event, owed.valid_until, transaction.now):
                raise Conflict(f"it cannot be retried: {reason}")
        if row.blanked:
            raise Conflict("it cannot be retried: its event's one-time secrets were removed")
        return owed

    def carry_out(self, transaction: Transaction, rows: Sequence[Row], owed: Sequence[Owed | None]) -> None:
        alike: dict[tuple[object, ...], tuple[Owed, list[str]]] = {}
        for row, its in zip(rows, owed, strict=True):
            if its is not None:
                key = (to_json(dict(its.fields)), its.version, its.valid_until)
                alike.setdefault(key, (its, []))[1].append(row.id)
        for common, ids in alike.values():
            transaction.operator.requeue(ids, common)


@dataclass(frozen=True, kw_only=True)
class Cancel:
    """End deliveries that are not wanted any more."""

    act: ClassVar[Act] = Act.CANCEL

    def decide(self, transaction: Transaction, row: Row) -> None:
        if State(row.state) in (State.SENDING, State.DELIVERED, State.CANCELLED):
            raise Conflict(f"it cannot be cancelled: it is {row.state}")

    def carry_out(self, transaction: Transaction, rows: Sequence[Row], owed: Sequence[Owed | None]) -> None:
        _finish(transaction, rows, State.CANCELLED, "cancelled by an operator")


@dataclass(frozen=True, kw_only=True)
class Resolve:
    """Decide on held deliveries: `delivered` (somebody saw them) or `retry` (send the same bytes again)."""

    as_: str
    act: ClassVar[Act] = Act.RESOLVE

    def decide(self, transaction: Transaction, row: Row) -> None:
        if row.state != State.HELD:
            raise Conflict(f"only held deliveries are resolved; it is {row.state}")

    def carry_out(self, transaction: Transaction, rows: Sequence[Row], owed: Sequence[Owed | None]) -> None:
        if self.as_ == "delivered":
            _finish(transaction, rows, State.DELIVERED, FOUND_DELIVERED)
        else:
            transaction.operator.requeue([row.id for row in rows])


RESOLVED_AS = ("delivered", "retry")


def retry(store: Store, rules: Rules, delivery_id: str, actor: Actor = COMMAND_LINE) -> DeliveryRecord:
    """Retry one delivery. Raises NotFound or Conflict."""
    return _act_on_one(store, Retry(rules=rules), delivery_id, actor)


def cancel(store: Store, delivery_id: str, actor: Actor = COMMAND_LINE) -> DeliveryRecord:
    """Cancel one delivery. Raises NotFound or Conflict."""
    return _act_on_one(store, Cancel(), delivery_id, actor)


def resolve(store: Store, delivery_id: str, as_: str, actor: Actor = COMMAND_LINE) -> DeliveryRecord:
    """Resolve one delivery. Raises NotFound or Conflict."""
    if as_ not in RESOLVED_AS:
        raise Conflict("say as=delivered or as=retry")
    return _act_on_one(store, Resolve(as_=as_), delivery_id, actor)


def _act_on_one(store: Store, act: DeliveryAct, delivery_id: str, actor: Actor) -> DeliveryRecord:
    def work(transaction: Transaction) -> DeliveryRecord:
        row = transaction.operator.lock(delivery_id)
        act.carry_out(transaction, [row], [act.decide(transaction, row)])
        return transaction.delivery_list.record(delivery_id)

    record = audited(store, entry_of(act.act, actor, delivery_id), work)
    store.wake()
    return record


def act_on_deliveries(
    store: Store,
    act: DeliveryAct,
    ids: Collection[str],
    actor: Actor = COMMAND_LINE,
    *,
    state: State | None = None,
    subject: str = HUB,
    entry: AuditEntry | None = None,
    is_dry_run: bool = False,
) -> Outcome:
    """Do an act to deliveries, and say of the others why not. A dry run changes nothing.

    With a `state` it is done to those alone that are still in it. `subject` is that of the entry in the
    audit, which is also found by each delivery that it was done to, and by their destinations. An act that
    goes on has the `entry` of its first part.
    """
    if is_dry_run:
        return total(_would_do(store, act, state, batch) for batch in batches_of(ids))
    entry = entry or entry_of(act.act, actor, subject)
    return in_batches(store, lambda batch: partial(_do, act, state, batch), batches_of(ids), entry)


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
    act = Retry(rules=rules)
    entry = entry_of(Act.RETRY, actor, destination or HUB)
    count, after = 0, ""
    while True:
        with store.read() as snapshot:
            ids = snapshot.operator.delivery_ids(state, destination, since, after, LARGEST)
        if not ids:
            return count
        outcome = in_batches(store, lambda batch: partial(_do, act, state, batch), batches_of(ids), entry)
        count += len(outcome.changed)
        after = ids[-1]


def _would_do(store: Store, act: DeliveryAct, state: State | None, ids: Sequence[str]) -> Outcome:
    with store.read() as snapshot:
        rows = snapshot.operator.rows(ids, locks=False)
        decided, skipped = decide(act, state, ids, rows, snapshot)
        return replace(_outcome([row for row, _ in decided], skipped), examples={})


def _do(act: DeliveryAct, state: State | None, ids: Sequence[str], transaction: Transaction) -> Outcome:
    rows = transaction.operator.rows(ids, locks=True)
    decided, skipped = decide(act, state, ids, rows, transaction)
    changed = [row for row, _ in decided]
    if changed:
        act.carry_out(transaction, changed, [owed for _, owed in decided])
    return _outcome(changed, skipped)


def decide(
    act: DeliveryAct,
    state: State | None,
    ids: Sequence[str],
    rows: Mapping[str, Row],
    transaction: Transaction,
) -> tuple[list[tuple[Row, Owed | None]], list[Skipped]]:
    """Return those that the act is to be done to, each with what it is owed, and those that are refused."""
    decided: list[tuple[Row, Owed | None]] = []
    skipped: list[Skipped] = []
    for delivery_id in ids:
        try:
            row = _still(rows.get(delivery_id), delivery_id, state)
            decided.append((row, act.decide(transaction, row)))
        except (NotFound, Conflict) as refusal:
            skipped.append(Skipped(id=delivery_id, why=str(refusal)))
    return decided, skipped


def _outcome(changed: Sequence[Row], skipped: Sequence[Skipped]) -> Outcome:
    return Outcome(
        changed=tuple(row.id for row in changed),
        skipped=tuple(skipped),
        deliveries=Counter(row.destination for row in changed),
        examples={row.destination: row.id for row in changed},
    )


def _still(row: Row | None, delivery_id: str, state: State | None) -> Row:
    """Return the row; raises NotFound where there is none, Conflict where its state is another by now."""
    if row is None:
        raise NotFound(no_delivery(delivery_id))
    if state is not None and row.state != state:
        raise Conflict(f"it was {state} and is {row.state} by now")
    return row


def _finish(transaction: Transaction, rows: Sequence[Row], state: State, reason: str) -> None:
    transaction.operator.finish([row.id for row in rows], state, reason)
    # Most types hold no one-time secret: their events are not looked at one by one.
    transaction.secrets.blank({row.event_id for row in rows if catalog.has_secrets(row.event_type)})
