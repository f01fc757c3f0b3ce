"""All connections of a web process: the bounds on them together, and a look at each for its deadline."""

from __future__ import annotations

import math
from collections import Counter
from typing import Protocol

import structlog

from hub.web.server.limits import Limits

REPORT_SECONDS = 60.0
"""Clients that were cut off are told of so often, and together: a line for each would be theirs to write."""

log = structlog.get_logger()


class Member(Protocol):
    """A connection as the registry sees it."""

    buffered_bytes: int

    @property
    def is_handled(self) -> bool:
        """True while a thread has its request: then it cannot go."""

    def check(self, now: float) -> None:
        """Do what a deadline that has passed demands."""

    def shed(self) -> None:
        """Give up what it buffers."""

    def evict(self) -> None:
        """Close it at once, so that others have its place."""

    def stop(self, deadline: float) -> None:
        """Let what is unfinished or idle end by then."""

    def abort(self) -> None:
        """Close it at once, whatever it does."""


class Registry:
    """The open connections, those first that have been waiting or answering longest."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.receive_ends = math.inf
        self._members: dict[Member, None] = {}
        self._buffered_bytes = 0
        self._cut_off: Counter[str] = Counter()
        self._report_at = 0.0

    def __len__(self) -> int:
        return len(self._members)

    def move_to_end(self, member: Member) -> None:
        """Take note of a new connection, or that one began to do something else."""
        self._members.pop(member, None)
        self._members[member] = None

    def remove(self, member: Member) -> None:
        if member in self._members:
            del self._members[member]
            self.release(member, member.buffered_bytes)

    def make_room(self) -> bool:
        """Return True if one more connection may come in; the oldest unfinished or idle one goes for it."""
        return len(self._members) < self.limits.connections or self.evict_oldest()

    def evict_oldest(self) -> bool:
        """Close the oldest connection that is unfinished or idle; return False where there is none."""
        oldest = self._oldest(0)
        if oldest is None:
            return False
        self.remove(oldest)
        oldest.evict()
        self.note("evicted")
        return True

    def buffer(self, member: Member, count: int) -> None:
        """Count bytes that arrived. Where they are too many, the oldest unfinished requests go."""
        member.buffered_bytes += count
        self._buffered_bytes += count
        while self._buffered_bytes > self.limits.buffer_bytes and (oldest := self._oldest(1)):
            oldest.shed()

    def release(self, member: Member, count: int) -> None:
        member.buffered_bytes -= count
        self._buffered_bytes -= count

    def note(self, reason: str) -> None:
        """Count a client that was cut off."""
        self._cut_off[reason] += 1

    def _oldest(self, least_bytes: int) -> Member | None:
        for member in self._members:
            if not member.is_handled and member.buffered_bytes >= least_bytes:
                return member
        return None

    def check(self, now: float) -> None:
        """Look at every connection, some times a second."""
        for member in list(self._members):
            member.check(now)
        if self._cut_off and now >= self._report_at:
            log.warning("clients.cut_off", **self._cut_off)
            self._cut_off.clear()
            self._report_at = now + REPORT_SECONDS

    def stop(self, now: float) -> None:
        """Give what is unfinished or idle its last seconds."""
        self.receive_ends = now + self.limits.stop_seconds
        for member in list(self._members):
            member.stop(self.receive_ends)

    def abort_all(self) -> None:
        for member in list(self._members):
            member.abort()
