"""The reasons why deliveries wait after an act, for its answer."""

from __future__ import annotations

from dataclasses import dataclass

from hub.health.facts import Facts, waiting_facts
from hub.health.waiting import WaitCode, WaitReason, lasting_reason, why
from hub.ingest.route import Rules
from hub.model.records import DeliveryRecord
from hub.operator.batch import Outcome
from hub.store.store import Store

_SOON = (WaitCode.DUE, WaitCode.CONCURRENCY)


@dataclass(frozen=True, kw_only=True)
class Wait:
    """Deliveries to one destination that an act owed and that wait all the same."""

    destination: str
    count: int
    reason: WaitReason


def wait_of_delivery(store: Store, rules: Rules, record: DeliveryRecord) -> WaitReason | None:
    """Return why a delivery waits now, for the answer to an act; None where it does not."""
    with store.read() as snapshot:
        return why(record, waiting_facts(snapshot, rules.config))


def wait_of_destination(store: Store, rules: Rules, name: str) -> WaitReason | None:
    """Return why a destination sends nothing until somebody acts, for the answer to an act."""
    with store.read() as snapshot:
        return lasting_reason(name, waiting_facts(snapshot, rules.config))


def waits_after(store: Store, rules: Rules, outcome: Outcome) -> list[Wait]:
    """Return where what an act owed waits now, or would after a dry run, by the names of destinations."""
    with store.read() as snapshot:
        facts = waiting_facts(snapshot, rules.config)
        records = snapshot.delivery_list.records_of(sorted(outcome.examples.values()), messages=False)
    examples = {record.destination: record for record in records}
    reasons = {name: _reason(name, examples.get(name), facts) for name in sorted(outcome.deliveries)}
    return [
        Wait(destination=name, count=outcome.deliveries[name], reason=reason)
        for name, reason in reasons.items()
        if reason is not None and reason.code not in _SOON
    ]


def _reason(name: str, example: DeliveryRecord | None, facts: Facts) -> WaitReason | None:
    return why(example, facts) if example is not None else lasting_reason(name, facts)
