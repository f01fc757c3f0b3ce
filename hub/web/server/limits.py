"""The bounds that clients are held to, one by one and together."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The bounds of one web process.

    request_seconds: from accept, or from the first byte on a connection that was kept, to a request's last.
    idle_seconds: a connection that has served a request, until the next. Load balancers keep theirs for 60
        to 600 s, and one that the server closed first is a 502 now and then.
    untaken_seconds, answer_seconds: an answer of which no byte is taken, and any answer.
    closing_seconds: a connection whose last answer was sent, until its client has seen that.
    stop_seconds: a request that is unfinished when the process is told to stop.
    buffer_bytes: all requests that are under way, pipelined ones included.
    """

    request_seconds: float = 15.0
    idle_seconds: float = 620.0
    untaken_seconds: float = 15.0
    answer_seconds: float = 60.0
    closing_seconds: float = 2.0
    stop_seconds: float = 2.0
    buffer_bytes: int = 64 * 1024 * 1024
    connections: int = 2000
