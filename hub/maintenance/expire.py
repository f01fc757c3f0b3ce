"""Ends what has waited longer than `give_up_after`."""

from __future__ import annotations

from datetime import timedelta

import structlog

from hub import catalog
from hub.delivery.worker import is_available
from hub.health.alerts import dead_letters
from hub.ingest.route import Rules
from hub.model.destination import DestinationConfig
from hub.store.store import Store

EXPIRE_SECONDS = 60.0
"""How often a worker looks for what has waited too long: it reads all that is pending."""

log = structlog.get_logger()


def expire(store: Store, rules: Rules) -> None:
    """Let die what has waited too long for each destination that can be sent to."""
    alerted = {send.to for send in rules.config.problems}
    for config in rules.config.destinations.values():
        if is_available(config):
            if config.name in alerted:
                # What was to be told of problems dies without being one.
                _expire(store, config, event_type=catalog.PROBLEM, counts_dead=False)
            _expire(store, config, event_type=None, counts_dead=bool(alerted))


def _expire(store: Store, config: DestinationConfig, *, event_type: str | None, counts_dead: bool) -> None:
    after, total, is_done = timedelta(seconds=config.give_up_after_seconds), 0, False
    while not is_done:
        with store.transaction() as transaction:
            count, is_done = transaction.queue.expire(config.name, after=after, event_type=event_type)
            if count and counts_dead:
                transaction.alerts.add_dead_letters(dead_letters([], {config.name: count}))
        total += count
    if total:
        log.warning("deliveries.gave_up", destination=config.name, count=total)
