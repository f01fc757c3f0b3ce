"""Releases deliveries that waited for a variable of their send block, or a part of their destination."""

from __future__ import annotations

from collections.abc import Collection

import structlog

from hub.delivery.executor import type_of
from hub.delivery.worker import is_available
from hub.errors import SendError
from hub.ingest.route import Rules
from hub.model.destination import DestinationConfig
from hub.store.store import Store

RELEASE_SECONDS = 5.0

PARTS_SECONDS = 10.0
"""How often a destination is asked for the parts of it that deliveries wait for."""

BATCH = 500
"""So many of those that wait for the same are released in one transaction."""

log = structlog.get_logger()


def release(store: Store, rules: Rules) -> bool:
    """Make due what waited for variables that are set here, a batch of each; return True once all is."""
    with store.read() as snapshot:
        lists = snapshot.queue.needs()
    are_set = [names for names in lists if all(map(rules.config.environment.get, names))]
    return not _release(store, are_set)


def release_parts(store: Store, rules: Rules) -> None:
    """Make due what waited for parts of its destination, such as tables, that are there by now.

    It asks the destinations, and takes as long as they do.
    """
    with store.read() as snapshot:
        lists = snapshot.queue.needs()
    ready: set[str] = set()
    for config in filter(is_available, rules.config.destinations.values()):
        beginning = f"{config.name}/"
        needed = {name for names in lists for name in names if name.startswith(beginning)}
        if needed:
            lacking = _lacking(config, {name.removeprefix(beginning) for name in needed})
            ready |= needed - {beginning + part for part in lacking}
    are_there = [names for names in lists if ready.issuperset(names)]
    while _release(store, are_there) >= BATCH:
        pass


def _lacking(config: DestinationConfig, parts: Collection[str]) -> Collection[str]:
    """Return the parts that a destination lacks: all where it cannot be asked."""
    assert config.options is not None
    try:
        return type_of(config).lacking(config.options, parts)  # type: ignore[arg-type]
    except SendError as error:
        log.warning("deliveries.wait", destination=config.name, reason=error.reason)
        return parts


def _release(store: Store, lists: Collection[tuple[str, ...]]) -> int:
    """Make a batch of each due that waits for these very names; return how many."""
    count = 0
    for names in lists:
        with store.transaction() as transaction:
            count += transaction.queue.release(names, limit=BATCH)
    if count:
        needs = sorted({name for names in lists for name in names})
        log.info("deliveries.released", count=count, needs=needs)
        store.wake()
    return count
