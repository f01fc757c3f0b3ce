"""One turn of a worker: settle what came back, start what is rendered, claim what is due; one transaction.

Nothing here changes the worker: a turn may run twice before it is committed.
"""

from __future__ import annotations

import random
import secrets
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from datetime import datetime, timedelta

from hub import catalog
from hub.delivery import retry, throttle
from hub.delivery.batch import Done, Plan, Sent
from hub.errors import SendError, Unknown
from hub.health.alerts import dead_letters
from hub.model.delivery import FINISHED, Claim, Outcome, Receipt, Settlement, State
from hub.model.destination import DestinationConfig, DestinationState
from hub.store.repositories.queue import Wanted
from hub.store.repositories.short_turn import Offer
from hub.store.repositories.waiting import Waiting
from hub.store.store import Store, Transaction

LEASE_MARGIN = timedelta(seconds=15)
"""A lease lasts for an attempt's time-out and this: a worker that is silent for longer has died."""

LEFT_TO_OTHERS_FOR = timedelta(minutes=1)
"""So long a lease that ran out is left to workers whose configuration has its destination: they know what
`on_unknown` says there.
"""

SOON = timedelta(milliseconds=20)
"""So long a whole turn waits for the answers to what a short one started: it costs the same with them."""

WORKERS_FORGOTTEN_AFTER = timedelta(minutes=10)


def take_turn(transaction: Transaction, plan: Plan) -> Done:
    """Do everything that can be done now. Destinations are locked before deliveries, in one order."""
    if plan.configured is not None:
        # First of all: it makes the rows that two workers lock to take turns.
        transaction.destinations.mark_configured(plan.configured)
    concerned = {sent.claim.destination for sent in plan.news.sent}
    # Whatever this turn locks of them it locks now: in another order two workers wait for each other.
    concerned |= set(plan.destinations) if plan.looks_after or plan.gives_up else set()
    due_of = plan.destinations if plan.claims else ()
    held = transaction.queue.lock(concerned, plan.news.claims, due_of=due_of)
    done = Done(now=transaction.now, unmarked=len(held.waiting) < len(due_of))
    states = dict(held.states)

    _settle(transaction, plan, held.owned, states, done)
    if plan.beats:
        transaction.workers.beat(plan.worker, forget_after=WORKERS_FORGOTTEN_AFTER)
    if plan.looks_after:
        _look_after(transaction, plan, done)
    if plan.gives_up:
        _give_up(transaction, plan, done)
    if plan.prunes is not None:
        done.pruned = transaction.retention.prune_by_age(plan.prunes)
    if plan.claims:
        left = _claim(transaction, plan, held.waiting, states, done)
        _start(transaction, plan, held.owned, done)
        done.next_at = _next_at(plan, left, states, done)
    changed = [state for name, state in states.items() if state != held.states[name]]
    transaction.destinations.save(changed)
    if plan.tells:
        transaction.alerts.add_dead_letters(dead_letters(done.settlements, done.gave_up))
    return done


def take_short_turn(store: Store, plan: Plan) -> Done | None:
    """Start in one exchange with the database what fell due to the destinations that `passes_on` names.

    None where nothing was started: a whole turn is to be taken at once. Otherwise one follows: soon, for by
    then the answers are here to be settled with it, or now where one of the destinations was left out.
    """
    offers = [
        Offer(
            destination=name,
            message=message,
            token=secrets.token_hex(16),
            lease=_lease(plan.destinations[name]),
        )
        for name, message in plan.passes_on.items()
    ]
    first = store.start_first(offers)
    if first is None:
        return None
    now, started = first
    return Done(now=now, started=started, next_at=now + SOON if len(started) == len(offers) else now)


def _settle(
    transaction: Transaction, plan: Plan, owned: Set[str], states: dict[str, DestinationState], done: Done
) -> None:
    news = plan.news
    for sent in news.sent:
        if sent.claim.id in owned:
            done.settlements.append(_judge(sent, plan, states, done))
        else:
            done.late.append(sent.claim)
    done.settlements += [each for each in news.settled if each.claim.id in owned]
    transaction.queue.settle(done.settlements)
    transaction.secrets.blank(_holding_secrets(done.settlements))


def _judge(sent: Sent, plan: Plan, states: dict[str, DestinationState], done: Done) -> Settlement:
    """What an attempt means for its delivery and for its destination."""
    name, state = sent.claim.destination, states[sent.claim.destination]
    if isinstance(sent.result, Receipt):
        states[name] = throttle.after_success(state)
        return retry.after_receipt(sent.claim, sent.result, sent.seconds)
    states[name] = throttle.after_failure(state, sent.result, done.now)
    if states[name].paused_at is not None and state.paused_at is None:
        done.paused.append(states[name])
    return _after_error(sent.claim, sent.result, plan.configs[name], done.now, sent.seconds)


def _after_error(
    claim: Claim, error: SendError, config: DestinationConfig, now: datetime, seconds: float | None
) -> Settlement:
    chance = random.random()  # noqa: S311 - jitter
    return retry.after_error(claim, error, config, now=now, chance=chance, seconds=seconds)


def _look_after(transaction: Transaction, plan: Plan, done: Done) -> None:
    """Take back what dead workers held."""
    expired = transaction.queue.expired(plan.configs, others_after=LEFT_TO_OTHERS_FOR)
    orphans = [_orphaned(claim, is_started, plan, done.now) for claim, is_started in expired]
    transaction.queue.settle(orphans)
    done.settlements += orphans


def _give_up(transaction: Transaction, plan: Plan, done: Done) -> None:
    """End what has waited too long."""
    for name, config in plan.destinations.items():
        after = timedelta(seconds=config.give_up_after_seconds)
        if name in plan.tells:
            transaction.queue.expire(name, after=after, event_type=catalog.PROBLEM)
        done.gave_up[name] += transaction.queue.expire(name, after=after)


def _orphaned(claim: Claim, is_started: bool, plan: Plan, now: datetime) -> Settlement:
    """A lease that ran out. It says nothing about the destination and does not count for its breaker."""
    if not is_started:
        return retry.returned(claim)
    error = Unknown("the worker that was sending it died")
    config = plan.configs.get(claim.destination)
    if config is None:
        return replace(retry.returned(claim), outcome=Outcome.UNKNOWN, detail=error.reason)
    return _after_error(claim, error, config, now, None)


def _claim(
    transaction: Transaction,
    plan: Plan,
    waiting: Mapping[str, Waiting],
    states: dict[str, DestinationState],
    done: Done,
) -> dict[str, Waiting]:
    """Claim what is due, in another order each time, so that no destination is always first.

    Returns what waits still.
    """
    wanted = _wanted(plan, waiting, states, done)
    done.claimed = transaction.queue.claim(*wanted, compose=plan.compose)
    claimed = Counter(claim.destination for claim in done.claimed)
    left = dict(waiting)
    for each in wanted:
        name, got = each.destination, claimed[each.destination]
        states[name] = throttle.after_claim(plan.destinations[name], states[name], got, done.now)
        # With less than was asked for, the rest was given up, or somebody else has it.
        due = waiting[name].due - got if got == each.count else 0
        left[name] = replace(waiting[name], due=due)
    if wanted or not any(each.due for each in waiting.values()):
        done.more_waits = any(left[each.destination].due for each in wanted)
    return left


def _wanted(
    plan: Plan, waiting: Mapping[str, Waiting], states: Mapping[str, DestinationState], done: Done
) -> list[Wanted]:
    """What may go to each destination now."""
    wanted: list[Wanted] = []
    free = plan.threads - sum(plan.in_hand.values())
    settled = Counter(each.claim.destination for each in done.settlements)
    due = [name for name, each in waiting.items() if each.due and name in states]
    for name in random.sample(due, len(due)):
        config, each = plan.destinations[name], waiting[name]
        room = min(throttle.room_for(plan.threads, free, plan.in_hand.get(name, 0)), each.due)
        count = throttle.allowance(config, states[name], each.in_flight - settled[name], room, done.now)
        if count > 0:
            wanted.append(
                Wanted(
                    name,
                    count,
                    first_count=throttle.first_attempts(count, random.random()),  # noqa: S311 - taking turns
                    token=secrets.token_hex(16),
                    lease=_lease(config),
                )
            )
            free -= count
    return wanted


def _start(transaction: Transaction, plan: Plan, owned: Set[str], done: Done) -> None:
    """Record the attempts about to be made: of what was rendered, and of what was claimed just now."""
    rendered = plan.news.rendered
    ready = [claim for claim in rendered if claim.id in owned]
    ready += [claim for claim in done.claimed if claim.message is not None]
    leases = {claim.destination: _lease(plan.configs[claim.destination]) for claim in ready}
    done.started = transaction.queue.start(ready, leases)
    done.late += [claim for claim in rendered if claim.id not in owned]


def _next_at(
    plan: Plan, waiting: Mapping[str, Waiting], states: Mapping[str, DestinationState], done: Done
) -> datetime | None:
    """The next moment that brings work by itself.

    What is due but found no free thread is not counted: a thread that becomes free is news.
    """
    moments: list[datetime | None] = [done.now] if done.unmarked else []
    moments += [each.due_at or done.now for each in done.settlements if each.state is State.PENDING]
    for name, each in waiting.items():
        if not each.due:
            moments.append(each.next_at)
        elif name not in states:
            moments.append(done.now)
        elif states[name].paused_at is None:
            moments.append(throttle.opens_at(plan.destinations[name], states[name], done.now))
    return min((moment for moment in moments if moment is not None), default=None)


def _lease(config: DestinationConfig) -> timedelta:
    return timedelta(seconds=config.timeout_seconds) + LEASE_MARGIN


def _holding_secrets(settlements: Sequence[Settlement]) -> set[str]:
    """Events with one-time secrets that may now be owed nothing more."""
    finished = {each.claim.event.id: each.claim.event for each in settlements if each.state in FINISHED}
    return {event.id for event in finished.values() if catalog.secret_values(event.type, event.body)}
