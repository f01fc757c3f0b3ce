"""Joins a message's thread before its first byte, and keeps what came of it before it is settled."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from hashlib import sha256

import structlog

from hub.errors import SendError, StoreError, StoreMigrated, ThreadBusy
from hub.model.delivery import LEASE_MARGIN, Claim, Receipt
from hub.model.thread import Thread
from hub.store.store import Store

BUSY_SECONDS = 1.0
"""The wait of a message while another one of its thread is being sent."""

KEEP_SECONDS = LEASE_MARGIN.total_seconds() / 2
"""Both leases, the delivery's and its thread's, last longer."""

KEEP_AGAIN_SECONDS = 0.5

log = structlog.get_logger()


class Threads:
    """The threads of messages that this process sends; safe to share between threads of its own.

    For `keep_seconds` a store that does not answer is asked again to keep what came of a message.
    """

    def __init__(
        self, store: Store, keep_seconds: float = KEEP_SECONDS, again_seconds: float = KEEP_AGAIN_SECONDS
    ) -> None:
        self._store = store
        self._keep_seconds = keep_seconds
        self._again_seconds = again_seconds

    def join(self, claim: Claim, place: str, key: str, timeout_seconds: float) -> Thread:
        """Return the thread of a message, which nobody else sends in until `leave`.

        `key` is untrusted text of any length, `place` what it counts within at the destination. Raises
        ThreadBusy while another message is being sent in it, StoreError where the store is away.
        """
        name = json.dumps([claim.destination, place, key])
        thread_id = sha256(name.encode()).hexdigest()
        lease = timedelta(seconds=timeout_seconds) + LEASE_MARGIN
        thread = self._store.write(lambda transaction: transaction.threads.join(thread_id, claim, lease))
        if thread is None:
            raise ThreadBusy
        return thread

    def leave(self, claim: Claim, thread: Thread, result: Receipt | SendError | None = None) -> None:
        """Let go of a thread, and keep what came of the message, durably; None where it was not sent.

        Raises nothing: where the store stays away, the delivery is settled without, and the lease ends.
        """
        kept, accepted = (None, ()) if result is None else (result.thread, result.accepted)
        accepted = tuple(dict.fromkeys((*claim.accepted, *accepted)))
        ends_at = time.monotonic() + self._keep_seconds
        while True:
            try:
                return self._store.write(
                    lambda transaction: transaction.threads.leave(thread, claim, kept, accepted)
                )
            except StoreError as error:
                if isinstance(error, StoreMigrated) or time.monotonic() > ends_at:
                    log.error("thread.not_kept", delivery=claim.id, error=str(error))
                    return None
            time.sleep(self._again_seconds)
