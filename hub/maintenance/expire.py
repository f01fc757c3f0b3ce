"""Ends what has waited longer than `give_up_after`, and what waits and is too old by its `max_age`."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import structlog

from hub import catalog
from hub.delivery.worker import is_available
from hub.health.alerts import dead_letters
from hub.ingest.route import Rules
from hub.maintenance.clock import SteadyClock
from hub.model.alert import DeadLetters
from hub.model.destination import DestinationConfig
from hub.store.store import Store

EXPIRE_SECONDS = 60.0
"""How often a worker looks for what has waited too long: it reads all that is pending."""

AGE_BATCH = 100
AGEING = timedelta(hours=1)
"""The clock must have been steady as for what may wait so long: a step of it makes nothing too old."""

log = structlog.get_logger()


def expire(store: Store, rules: Rules, clock: SteadyClock) -> bool:
    """Let die what has waited too long, a batch for each destination; return True once that was all."""
    alerted = {send.to for send in rules.config.problems}
    clock.look()
    are_done = [
        _expire(store, config, alerted)
        for config in rules.config.destinations.values()
        if is_available(config) and clock.has_been_steady(timedelta(seconds=config.give_up_after_seconds))
    ]
    if clock.has_been_steady(AGEING):
        are_done.append(_age(store, counts_dead=bool(alerted)))
    return all(are_done)


def _age(store: Store, *, counts_dead: bool) -> bool:
    """Let die what waits and is too old, also for a destination that is paused, and blank its secrets."""
    with store.transaction() as transaction:
        died = transaction.overdue.age(limit=AGE_BATCH)
        transaction.secrets.blank({too_old.event.id for too_old in died})
        reported = [too_old for too_old in died if too_old.event.type != catalog.PROBLEM]
        letters = [
            DeadLetters(destination=name, count=count, reason=reported[0].reason)
            for name, count in Counter(too_old.destination for too_old in reported).items()
        ]
        if letters and counts_dead:
            transaction.alerts.add_dead_letters(letters)
    if died:
        log.warning("deliveries.too_old", count=len(died))
    return len(died) < AGE_BATCH


def _expire(store: Store, config: DestinationConfig, alerted: set[str]) -> bool:
    """First what was to be told of problems: it dies without being one."""
    is_done = config.name not in alerted or _expire_batch(
        store, config, event_type=catalog.PROBLEM, counts_dead=False
    )
    return is_done and _expire_batch(store, config, event_type=None, counts_dead=bool(alerted))


def _expire_batch(
    store: Store, config: DestinationConfig, *, event_type: str | None, counts_dead: bool
) -> bool:
    after = timedelta(seconds=config.give_up_after_seconds)
    with store.transaction() as transaction:
        count, is_done = transaction.overdue.expire(config.name, after=after, event_type=event_type)
        if count and counts_dead:
            transaction.alerts.add_dead_letters(dead_letters([], {config.name: count}))
    if count:
        log.warning("deliveries.gave_up", destination=config.name, count=count)
    return is_done
