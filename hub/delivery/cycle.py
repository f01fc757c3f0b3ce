"""One cycle of a worker, in one transaction: settle what was completed, claim what is due, nothing else."""

from __future__ import annotations

import random
import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from hub import catalog
from hub.catalog.redaction import Redaction
from hub.delivery import retry, throttle
from hub.delivery.batch import Batch, Completion, CycleResult
from hub.health.alerts import dead_letters
from hub.model.delivery import FINISHED, LEASE_MARGIN, NotBegun, Receipt, Settlement, State
from hub.model.destination import DestinationState
from hub.model.event import Event
from hub.store.repositories.queue import ClaimRequest, Waiting
from hub.store.store import Store, Transaction

States = dict[str, DestinationState]


def run_cycle(store: Store, batch: Batch) -> CycleResult:
    """Settle and claim. Two round trips to PostgreSQL: one that locks and looks, one that writes and commits.

    Raises StoreError; then nothing of it happened, or all of it without this process knowing.
    """
    with store.transaction() as transaction:
        completed = {completion.claim.destination for completion in batch.completions}
        claims = [completion.claim for completion in batch.completions]
        locked = transaction.queue.lock(completed, claims, due_of=batch.destinations)
        result = CycleResult(
            now=transaction.session.now, lacks_row=len(locked.waiting) < len(batch.destinations)
        )
        states = {
            name: throttle.believed(batch.configs[name], state, result.now)
            for name, state in locked.states.items()
        }
        owned = [completion for completion in batch.completions if completion.claim.id in locked.owned]
        result.late = [claim for claim in claims if claim.id not in locked.owned]
        result.settlements = [_settlement(completion, batch, states, result) for completion in owned]
        _settle(transaction, result.settlements)
        requests = _requests(batch, locked.waiting, states, result)
        pending = transaction.queue.claim(requests)
        waiting = _after_claims(batch, requests, locked.waiting, states, result)
        result.next_at = _next_at(batch, waiting, states, result)
        transaction.destinations.save(
            [state for name, state in states.items() if state != locked.states[name]]
        )
        if batch.counts_dead:
            _count_dead(transaction, result.settlements)
    result.claims, result.unreadable = pending.read()
    return result


def _settlement(completion: Completion, batch: Batch, states: States, result: CycleResult) -> Settlement:
    """Judge a completion: what it means for its delivery, and for its destination's state."""
    claim, name = completion.claim, completion.claim.destination
    config, state = batch.configs[name], states[name]
    match completion.result:
        case NotBegun(reason=reason, needs=needs, wait_seconds=wait_seconds, too_old=too_old):
            states[name] = throttle.after_take_back(config, state, claim.probe, result.now)
            due_at = None if wait_seconds is None else result.now + timedelta(seconds=wait_seconds)
            return retry.not_begun(claim, reason, needs, due_at, too_old=too_old)
        case Receipt() as receipt:
            if receipt.throttled:
                states[name] = throttle.after_throttling(state, receipt.after_seconds, result.now)
            else:
                states[name] = throttle.after_success(state)
            return retry.after_receipt(claim, receipt, completion.seconds)
        case error:
            states[name] = _kept_words(throttle.after_failure(state, error, result.now), claim.event)
            if states[name].paused_at is not None and state.paused_at is None:
                result.paused.append(states[name])
            chance = random.random()  # noqa: S311 - jitter
            return retry.after_error(
                claim, error, config, now=result.now, chance=chance, seconds=completion.seconds
            )


def _kept_words(state: DestinationState, event: Event) -> DestinationState:
    """Return the state with a failure's words as they outlive their event: without its secrets."""
    if state.last_error is None:
        return state
    redaction = Redaction(named={}).of_body(event.type, event.body)
    answer = retry.start_of(redaction.own_text(state.last_answer or ""))
    return replace(state, last_error=redaction.own_text(state.last_error), last_answer=answer or None)


def _settle(transaction: Transaction, settlements: Sequence[Settlement]) -> None:
    transaction.queue.settle(settlements)
    finished = [
        settlement.claim.event
        for settlement in settlements
        if settlement.state in FINISHED or settlement.too_old
    ]
    spent = {
        event.id
        for event in finished
        if catalog.has_secrets(event.type) and catalog.secret_values(event.type, event.body)
    }
    if spent:
        transaction.secrets.blank(spent)


def _count_dead(transaction: Transaction, settlements: Sequence[Settlement]) -> None:
    """Count dead letters, once the states are kept: a destination that fails is told of, not each of them."""
    dead = dead_letters(settlements, {})
    if dead:
        transaction.alerts.add_dead_letters(dead)


def _requests(
    batch: Batch, waiting: Mapping[str, Waiting], states: Mapping[str, DestinationState], result: CycleResult
) -> list[ClaimRequest]:
    """Decide how much may be claimed of each destination now.

    They come in another order each time, so that no destination is always first.
    """
    requests: list[ClaimRequest] = []
    free = batch.threads - sum(batch.in_flight.values())
    settled = Counter(settlement.claim.destination for settlement in result.settlements)
    due = [name for name, waits in waiting.items() if waits.due and name in states]
    for name in random.sample(due, len(due)) if free > 0 else ():
        config, state, waits = batch.destinations[name], states[name], waiting[name]
        slots = min(throttle.free_slots(batch.threads, free, batch.in_flight.get(name, 0)), waits.due)
        count = throttle.allowance(config, state, waits.in_flight - settled[name], slots, result.now)
        if count > 0:
            request = ClaimRequest(
                destination=name,
                count=count,
                first_count=throttle.first_attempts(state, count, random.random()),  # noqa: S311 - taking turns
                token=secrets.token_hex(16),
                lease=timedelta(seconds=config.timeout_seconds) + LEASE_MARGIN,
                probe=state.probes if state.probe_at else None,
            )
            requests.append(request)
            free -= count
    return requests


def _after_claims(
    batch: Batch,
    requests: Sequence[ClaimRequest],
    waiting: Mapping[str, Waiting],
    states: States,
    result: CycleResult,
) -> dict[str, Waiting]:
    """Count every request as granted, and return what waits still.

    An operator who cancels one meanwhile makes it less: then a limit lets the next one go a little later.
    """
    rest = dict(waiting)
    for request in requests:
        name, count = request.destination, request.count
        states[name] = throttle.after_claim(batch.destinations[name], states[name], count, result.now)
        rest[name] = replace(waiting[name], due=waiting[name].due - count)
    if requests or not any(waits.due for waits in waiting.values()):
        result.more_waits = any(rest[request.destination].due for request in requests)
    return rest


def _next_at(
    batch: Batch, waiting: Mapping[str, Waiting], states: Mapping[str, DestinationState], result: CycleResult
) -> datetime | None:
    """Return the next moment that brings work by itself.

    What is due but found no free thread is not counted: a thread that becomes free is a completion.
    """
    moments: list[datetime | None] = [result.now] if result.lacks_row else []
    moments += [
        settlement.due_at or result.now
        for settlement in result.settlements
        if settlement.state is State.PENDING and not settlement.needs
    ]
    for name, waits in waiting.items():
        if not waits.due:
            moments.append(waits.next_at)
        elif name not in states:
            moments.append(result.now)
        elif states[name].paused_at is None:
            moments.append(throttle.opens_at(batch.destinations[name], states[name], result.now))
    return min((moment for moment in moments if moment is not None), default=None)
