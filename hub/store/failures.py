"""A database's error as the hub's: it is away, it refuses this hub, or it refuses everything for now."""

from __future__ import annotations

from sqlalchemy.exc import DatabaseError, DBAPIError, InterfaceError, InternalError, OperationalError

from hub.databases.libpq import Refusal, first_line, refusal
from hub.errors import FileRefused, StoreError, StoreUnavailable, WritesRefused
from hub.store.group_commit import Collided, ConnectionCut

UNREACHABLE = "the database cannot be reached"
REFUSES_HUB = "the database refuses this hub"
REFUSES_NOW = "the database refuses everything for now"
ONLY_READS, NO_ROOM = "the database only reads", "the database has no room left"
REPLACED = "the database's file was replaced while the hub runs"
DAMAGED = "the database's file is damaged"

_CURE_OF_ADDRESS = "start it, or correct the address in DATABASE_URL"
_CURE_OF_LOGIN = "correct user, password, name or options in DATABASE_URL, or what that user may do there"
_CURE_OF_NOW = "the hub goes on by itself as soon as it takes something again"
_CURE_OF_FILE = "stop the hub, restore as docs/deploy.md says under Restore, and start it"
_CURE_OF_READING = "name the server that writes in DATABASE_URL, or let this one write again"

_UNAVAILABLE = (OperationalError, InterfaceError, InternalError)
_REFUSALS = ("28", "3D", "3F", "42501", "42P01")
"""PostgreSQL's codes, or classes of them, for a login, database, schema, right or table that it refuses:
https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

_READS_ONLY, _DISK_FULL = "25006", "53100"

_SQLITE_FULL, _SQLITE_READONLY, _SQLITE_BUSY, _SQLITE_CORRUPT, _SQLITE_CANTOPEN = 13, 8, (5, 6), 11, 14
"""https://www.sqlite.org/rescode.html"""


def only_reads(reason: str, cure: str = _CURE_OF_READING) -> WritesRefused:
    """Return the error of a database that can be read and not written."""
    return WritesRefused(ONLY_READS, reason=reason, cure=cure)


def no_room(reason: str) -> WritesRefused:
    """Return the error of a database whose disk is full."""
    return WritesRefused(
        NO_ROOM, reason=reason, cure="make room on its disk; a lower HUB_RETENTION keeps less"
    )


def replaced(reason: str) -> FileRefused:
    """Return the error of a SQLite file in whose place another stands."""
    return file_refused(REPLACED, reason)


def damaged(reason: str) -> FileRefused:
    """Return the error of a SQLite file whose pages do not fit each other."""
    return file_refused(DAMAGED, reason)


def file_refused(headline: str, reason: str) -> FileRefused:
    """Return the error of a SQLite file that somebody has to restore."""
    return FileRefused(headline, reason=reason, cure=_CURE_OF_FILE)


def not_opened(place: object) -> StoreUnavailable:
    """Return the error of a SQLite file that cannot be opened, for which this user lacks a right there."""
    return StoreUnavailable(
        "the database's file cannot be opened",
        reason=f"the hub's user may not write {place}",
        cure="give the file and its folder to the user that the hub runs as, or name another in DATABASE_URL",
    )


def is_not_opened(error: DBAPIError) -> bool:
    """Return True where SQLite cannot open the file, or one that it makes beside it."""
    return _sqlite_code(error) == _SQLITE_CANTOPEN


def refuses_now(reason: str) -> StoreUnavailable:
    """Return the error of a database that takes nothing for a while."""
    return StoreUnavailable(REFUSES_NOW, reason=reason, cure=_CURE_OF_NOW)


def refuses_hub(reason: str) -> StoreError:
    """Return the error of a database that refuses a login, a name or a right."""
    return StoreError(REFUSES_HUB, reason=reason, cure=_CURE_OF_LOGIN)


def lacks_letters(encoding: str) -> StoreError:
    """Return the error of a PostgreSQL database that has no place for every letter."""
    return StoreError(
        f"the database keeps text as {encoding}, which lacks letters that names have",
        cure="make one with ENCODING 'UTF8' and name it in DATABASE_URL",
    )


def unreachable(reason: str) -> StoreUnavailable:
    """Return the error of a database that does not answer."""
    return StoreUnavailable(UNREACHABLE, reason=reason, cure=_CURE_OF_ADDRESS)


def while_connecting(message: str) -> StoreError:
    """Return the error of a connection to PostgreSQL that was not made, by libpq's words."""
    kind, words = refusal(message)
    match kind:
        case Refusal.ONLY_READS:
            return only_reads(words)
        case Refusal.NOT_NOW:
            return refuses_now(words)
        case Refusal.LOGIN | Refusal.TLS:
            return refuses_hub(words)
        case Refusal.UNREACHABLE:
            return unreachable(words)


def translated(error: DBAPIError) -> StoreError | None:
    """Return the store's error for that of a statement; None where only a mistake of the hub explains it."""
    message, code = first_line(str(error.orig)), getattr(error.orig, "sqlstate", None) or ""
    if code.startswith("40"):
        return Collided(f"two transactions stood in each other's way: {message}")
    if code == _READS_ONLY:
        return only_reads(message)
    if code.startswith(_REFUSALS):
        return refuses_hub(message)
    if error.connection_invalidated:
        return ConnectionCut(UNREACHABLE, reason=message, cure=_CURE_OF_ADDRESS)
    if code == _DISK_FULL:
        return no_room(message)
    if isinstance(error, _UNAVAILABLE):
        return refuses_now(message) if code else _of_sqlite(error, message)
    if _sqlite_code(error) == _SQLITE_CORRUPT:
        return damaged(message)
    if type(error) is DatabaseError:
        return StoreError(
            "the database cannot be used",
            reason=message,
            cure="restore a backup, or name another in DATABASE_URL",
        )
    return None


def _of_sqlite(error: DBAPIError, message: str) -> StoreUnavailable:
    """Return the error by SQLite's code, whose last byte says which; psycopg's without a code have none."""
    code = _sqlite_code(error)
    if code == _SQLITE_READONLY:
        return only_reads(message)
    if code == _SQLITE_FULL:
        return no_room(message)
    return refuses_now(message) if code in _SQLITE_BUSY else unreachable(message)


def _sqlite_code(error: DBAPIError) -> int:
    return int(getattr(error.orig, "sqlite_errorcode", 0)) & 0xFF
