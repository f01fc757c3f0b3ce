"""libpq's words for a connection that was not made: it has no codes for them."""

from __future__ import annotations

import re
from enum import Enum, auto

_WORDS_OF_NOW = re.compile(
    r"too many (clients|connections)|remaining connection slots|connection limit|max_client_conn"
    r"|max clients|no more connections|starting up|shutting down|recovery|database system is not"
    r"|not yet accepting|try again later|query_wait_timeout|cannot connect to server|server_login_retry",
    re.IGNORECASE,
)
_WORDS_OF_READING = re.compile(
    r"session is (read-only|not read-write)|server is in hot standby", re.IGNORECASE
)
_WORDS_OF_TLS = re.compile(
    r"certificate|does not support SSL|SSL error|verified SSL|private key", re.IGNORECASE
)
_WORDS_OF_LOGIN = re.compile(r"no password supplied|authentication|sslmode|invalid .* value", re.IGNORECASE)
"""English words of libpq, then those of the server."""

_FROM_SERVER = re.compile(r"(?:FATAL|ERROR|PANIC|\w+):  (?P<words>.*)")
"""Two spaces stand behind the severity of what a server or pooler says, which may be in its own language."""

_BEFORE_TLS = re.compile(r"connection to server .* failed: |SSL error: ")


class Refusal(Enum):
    """The kind of a connection that was not made."""

    ONLY_READS = auto()
    NOT_NOW = auto()
    LOGIN = auto()
    TLS = auto()
    UNREACHABLE = auto()


def refusal(message: str) -> tuple[Refusal, str]:
    """Return the kind of a connection that PostgreSQL did not make, and the words of it in one line."""
    line = re.sub(r"^connection (failed|is bad): ", "", first_line(message))
    from_server = _FROM_SERVER.search(line)
    words = from_server["words"] if from_server else line
    if _WORDS_OF_READING.search(words):
        return Refusal.ONLY_READS, words
    if _WORDS_OF_NOW.search(words):
        return Refusal.NOT_NOW, words
    if from_server or _WORDS_OF_LOGIN.search(words):
        return Refusal.LOGIN, words
    if _WORDS_OF_TLS.search(words):
        return Refusal.TLS, f"TLS failed: {_BEFORE_TLS.sub('', words)}"
    return Refusal.UNREACHABLE, line


def first_line(text: str) -> str:
    """Return a database's words in one line, without the statement and the advice below it."""
    lines = text.strip().splitlines() or ["it says nothing"]
    return lines[0][:300]
