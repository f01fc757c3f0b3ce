"""The audit of an operator's acts: each is kept in the transaction that does it, and logged."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

import structlog

from hub.errors import StoreError
from hub.model.audit import Act, Actor, AuditEntry, new_entry
from hub.model.finding import HUB
from hub.store.store import Store, Transaction

T = TypeVar("T")

log = structlog.get_logger()


def keep_entry(store: Store, act: Act, actor: Actor) -> None:
    """Keep and log an act that is no work on the store; where that takes no write the log stands for it."""
    entry = entry_of(act, actor, HUB)
    try:
        store.write(lambda transaction: transaction.audit.add(entry))
    except StoreError as error:
        log_entry(entry, error=str(error))
    else:
        log_entry(entry)


def entry_of(act: Act, actor: Actor, subject: str, changed: int = 1) -> AuditEntry:
    """Return a new entry, as of now."""
    return new_entry(act, actor, datetime.now(UTC), subject, changed)


def audited(store: Store, entry: AuditEntry, work: Callable[[Transaction], T]) -> T:
    """Do an operator's work and keep who did it, both or neither; then log it."""

    def with_entry(transaction: Transaction) -> T:
        result = work(transaction)
        transaction.audit.add(entry)
        return result

    result = store.write(with_entry)
    log_entry(entry)
    return result


def log_entry(entry: AuditEntry, **more: str) -> None:
    """Log an act that was done."""
    log.info(
        "operator.acted",
        act=entry.act.value,
        subject=entry.subject,
        by=entry.actor.by.value,
        address=entry.actor.address,
        changed=entry.changed,
        **more,
    )
