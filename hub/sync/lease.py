"""One process at a time reads from a source's API: two would take twice what Clerk grants the hub."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta

from hub.errors import Conflict, StoreError
from hub.humanize import span, utc
from hub.store.store import Store

LEASE = timedelta(seconds=60)
"""A process that was killed leaves the API to others after so long."""

_RENEWALS = 4
"""A lease is renewed so often before it would run out."""


class LeaseTaken(Conflict):
    """Another process reads from the same source's API."""


class Lease:
    """The right to read from a source's API. It is lost where another process took it meanwhile."""

    def __init__(self, store: Store, name: str, owner: str, duration: timedelta) -> None:
        self._store = store
        self._name = name
        self._owner = owner
        self._duration = duration
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)
        self._thread.start()

    def wait(self, seconds: float) -> None:
        """Sleep; raises LeaseTaken once the lease is lost."""
        if self._ended.wait(seconds):
            raise LeaseTaken("another process reads from Clerk now: this one was halted for too long")

    def give_back(self) -> None:
        """Let the next one begin at once."""
        self._ended.set()
        self._thread.join()
        with suppress(StoreError), self._store.transaction() as transaction:
            transaction.mirrors.end_lease(self._name, self._owner)

    def _keep(self) -> None:
        while not self._ended.wait(self._duration.total_seconds() / _RENEWALS):
            # While the store is away nobody else can take it either.
            with suppress(StoreError), self._store.transaction() as transaction:
                if not transaction.mirrors.lease(self._name, self._owner, self._duration):
                    self._ended.set()


@contextmanager
def reading(store: Store, source: str, run: str, duration: timedelta = LEASE) -> Iterator[Lease]:
    """Yield the lease of a source's API, kept for as long as the block takes.

    `run` names what reads, for those that come meanwhile. Raises LeaseTaken while another process has it.
    """
    name = f"reading/{source}"
    with store.transaction() as transaction:
        owner = f"{transaction.now.isoformat()} {run} (process {os.getpid()} on {socket.gethostname()[:40]})"
        if not transaction.mirrors.lease(name, owner, duration):
            raise LeaseTaken(_refusal(transaction.mirrors.lease_owner(name), transaction.now))
    lease = Lease(store, name, owner, duration)
    try:
        yield lease
    finally:
        lease.give_back()


def _refusal(owner: str, now: datetime) -> str:
    since, _, run = owner.partition(" ")
    began = datetime.fromisoformat(since)
    return (
        f"{run} has been reading from Clerk since {utc(began)} UTC, {span((now - began).total_seconds())}, "
        "and two at once would take twice the requests that the hub may send: wait for its end, or end it "
        "(after a kill that counts within a minute)"
    )
