"""Foreign text made fit for one line, and the words for what went wrong on the network."""

from __future__ import annotations

import socket
import ssl

from hub.errors import Retry, SendError, Unknown
from hub.transport.deadline import Clock

ANSWER_LIMIT = 200
"""As much of a foreign answer as a reason may quote."""


def one_line(text: str, limit: int | None = None) -> str:
    """The text without control characters, its white space collapsed, cut with an ellipsis at `limit`.

    Line separators and the marks that turn the writing direction count as control characters: with them a
    name could forge a line.
    """
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if limit is None else shortened(line, limit)


def shortened(text: str, limit: int) -> str:
    """The text, cut with an ellipsis so that it has at most `limit` characters."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def network_failure(error: BaseException, clock: Clock) -> SendError:
    """The error to raise for a request whose answer never came, with a reason that quotes no URL.

    Until a byte of it was sent nothing can have been accepted; afterwards it may have been.
    """
    if clock.is_over:
        within = f"within {clock.seconds:g} s"
        return Unknown(f"did not answer {within}") if clock.sent else Retry(f"could not connect {within}")
    cause = root_cause(error)
    if not clock.sent:
        return Retry(connection_reason(cause))
    if isinstance(cause, OSError | EOFError):
        return Unknown("the connection broke before an answer came")
    return Unknown("answered with something that is not its protocol")


def connection_reason(cause: BaseException) -> str:
    """Why there is no connection."""
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"TLS failed: {one_line(cause.verify_message, ANSWER_LIMIT)}"
    if isinstance(cause, ssl.SSLError):
        return f"TLS failed: {(cause.reason or 'broken off').replace('_', ' ').lower()}"
    if isinstance(cause, socket.gaierror):
        return "could not connect: its name is not known"
    if isinstance(cause, OSError) and cause.strerror:
        return f"could not connect: {one_line(cause.strerror, ANSWER_LIMIT).lower()}"
    if isinstance(cause, OSError | EOFError):
        return "could not connect: the connection broke"
    return f"could not connect: {type(cause).__name__}"


def root_cause(error: BaseException) -> BaseException:
    """The deepest error below the wrappers of libraries, whose own texts quote URLs."""
    seen: set[int] = set()
    while id(error) not in seen:
        seen.add(id(error))
        inner = [error.__cause__, getattr(error, "reason", None), error.__context__, *error.args]
        error = next((e for e in inner if isinstance(e, BaseException)), error)
    return error
