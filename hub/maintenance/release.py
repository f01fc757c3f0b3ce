"""Releases deliveries that waited for a variable of their send block, once this process has it."""

from __future__ import annotations

import structlog

from hub.ingest.route import Rules
from hub.store.store import Store

RELEASE_SECONDS = 5.0

log = structlog.get_logger()


def release(store: Store, rules: Rules) -> bool:
    """Make due what waited for variables that are set here, a batch of each; return True once all is."""
    with store.read() as snapshot:
        lists = snapshot.queue.unset()
    are_set = [names for names in lists if all(map(rules.config.environment.get, names))]
    count = 0
    for names in are_set:
        with store.transaction() as transaction:
            count += transaction.queue.release(names)
    if count:
        log.info(
            "deliveries.released",
            count=count,
            variables=sorted({name for names in are_set for name in names}),
        )
        store.wake()
    return not count
