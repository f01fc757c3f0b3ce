"""The claims of one worker: each can be taken back until its first byte is sent, and never after."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass
from enum import Enum, auto

from hub.model.delivery import Claim

BEGIN_WITHIN_SECONDS = 10.0
"""A claim older than this may not begin: its lease must last for the attempt, too."""


class _Stage(Enum):
    CLAIMED = auto()
    BEGUN = auto()
    TAKEN_BACK = auto()


@dataclass
class _Entry:
    claim: Claim
    claimed_at: float
    stage: _Stage = _Stage.CLAIMED


class InFlight:
    """The claims under way, under one lock: each is begun or taken back, once, by whoever comes first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[str, _Entry] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, claim: Claim, claimed_at: float) -> None:
        """Take up a claim; `claimed_at` is when its lease began, by this process's monotonic clock."""
        with self._lock:
            self._entries[claim.id] = _Entry(claim, claimed_at)

    def keep_message(self, claim: Claim) -> None:
        """Keep the message of a claim that was rendered, for whoever takes it back."""
        with self._lock:
            entry = self._entry(claim)
            if entry is not None:
                entry.claim = claim

    def begin(self, claim: Claim) -> bool:
        """Make a claim the caller's own to send, right before the first byte; False: it must not be sent.

        It was taken back, or too long ago it was claimed: its template was slow, or its process was halted
        and could outlast the lease.
        """
        with self._lock:
            entry = self._entry(claim)
            if entry is None or time.monotonic() - entry.claimed_at > BEGIN_WITHIN_SECONDS:
                return False
            entry.stage = _Stage.BEGUN
            return True

    def take_back(self, claim: Claim) -> bool:
        """Make a claim the caller's own to settle as not begun; False where it has begun or another's."""
        with self._lock:
            entry = self._entry(claim)
            if entry is None:
                return False
            entry.stage = _Stage.TAKEN_BACK
            return True

    def take_back_all(self) -> list[Claim]:
        """Take back every claim that has not begun, and return those."""
        return [claim for claim in self.claims() if self.take_back(claim)]

    def remove(self, claim: Claim) -> None:
        """Let go of a claim that came to its end."""
        with self._lock:
            entry = self._entries.get(claim.id)
            # A late claim's delivery may be under way here again, under another token.
            if entry is not None and entry.claim.token == claim.token:
                del self._entries[claim.id]

    def claims(self) -> list[Claim]:
        """Return all claims under way."""
        with self._lock:
            return [entry.claim for entry in self._entries.values()]

    def by_destination(self) -> Counter[str]:
        """Return how many are under way for each destination."""
        with self._lock:
            return Counter([entry.claim.destination for entry in self._entries.values()])

    def _entry(self, claim: Claim) -> _Entry | None:
        """The entry of a claim that was neither begun nor taken back."""
        entry = self._entries.get(claim.id)
        is_open = entry is not None and entry.claim.token == claim.token and entry.stage is _Stage.CLAIMED
        return entry if is_open else None
