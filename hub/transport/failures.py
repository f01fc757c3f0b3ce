"""Reasons for what went wrong on the network, in words that hold no URL."""

from __future__ import annotations

import socket
import ssl

from hub.errors import Retry, SendError, Unknown
from hub.strings import one_line
from hub.transport.deadline import Deadline

QUOTE_LIMIT = 200
"""As many characters of a foreign text as a reason may quote."""


def network_failure(error: BaseException, deadline: Deadline) -> SendError:
    """Return the error to raise for a request whose response never came.

    Until a byte of it was sent nothing can have been accepted; afterwards it may have been.
    """
    if deadline.is_over:
        within = f"within {deadline.seconds:g} s"
        return Unknown(f"did not answer {within}") if deadline.sent else Retry(f"could not connect {within}")
    cause = root_cause(error)
    if not deadline.sent:
        return Retry(connection_reason(cause))
    if isinstance(cause, OSError | EOFError):
        return Unknown("the connection broke before an answer came")
    return Unknown("answered with something that is not its protocol")


def connection_reason(cause: BaseException) -> str:
    """Return the reason for a connection that could not be made."""
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"TLS failed: {one_line(cause.verify_message, QUOTE_LIMIT)}"
    if isinstance(cause, ssl.SSLError):
        return f"TLS failed: {(cause.reason or 'broken off').replace('_', ' ').lower()}"
    if isinstance(cause, socket.gaierror):
        return "could not connect: its name is not known"
    if isinstance(cause, OSError) and cause.strerror:
        return f"could not connect: {one_line(cause.strerror, QUOTE_LIMIT).lower()}"
    if isinstance(cause, OSError | EOFError):
        return "could not connect: the connection broke"
    return f"could not connect: {type(cause).__name__}"


def root_cause(error: BaseException) -> BaseException:
    """Return the deepest error below the wrappers of libraries, whose own texts quote URLs."""
    seen: set[int] = set()
    while id(error) not in seen:
        seen.add(id(error))
        inner = [error.__cause__, getattr(error, "reason", None), error.__context__, *error.args]
        error = next((e for e in inner if isinstance(e, BaseException)), error)
    return error
