"""The errors of three databases in classes, by SQLSTATE and number.

SQLAlchemy's classes do not tell them apart: there a missing column is the same as a lost connection. Sources:
https://www.postgresql.org/docs/current/errcodes-appendix.html, https://www.sqlite.org/rescode.html,
https://mariadb.com/kb/en/mariadb-error-code-reference/.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from enum import Enum, auto
from typing import Any

from sqlalchemy.exc import DBAPIError, StatementError

from hub.databases.libpq import Refusal, first_line, refusal
from hub.errors import About, Pause, Retry, SendError


class Fault(Enum):
    """The class of an error."""

    AGAIN = auto()
    """Two transactions stood in each other's way: at once, and then later."""

    ENDPOINT = auto()
    """The database is away, full, locked or only reads: later."""

    PAUSE = auto()
    """Nothing is taken until somebody acts: without a login and a database no table can be asked for."""

    TABLE = auto()
    """One table takes nothing until somebody acts, others may: it lacks something, or the role a right."""

    MESSAGE = auto()
    """This row is not taken."""


_SQLSTATES: dict[str, Fault] = {
    "40": Fault.AGAIN,
    "26000": Fault.AGAIN,
    "0A000": Fault.AGAIN,
    "08": Fault.ENDPOINT,
    "25006": Fault.ENDPOINT,
    "53": Fault.ENDPOINT,
    "55": Fault.ENDPOINT,
    "57": Fault.ENDPOINT,
    "58": Fault.ENDPOINT,
    "28": Fault.PAUSE,
    "3D": Fault.PAUSE,
    "3F": Fault.TABLE,
    "42": Fault.TABLE,
    "21": Fault.MESSAGE,
    "22": Fault.MESSAGE,
    "23": Fault.MESSAGE,
    "44": Fault.MESSAGE,
    "54": Fault.MESSAGE,
    "P0": Fault.MESSAGE,
}
"""By a whole code, or by the class that it begins with. What is not here is the endpoint's."""

_NUMBERS: dict[Fault, set[int]] = {
    Fault.AGAIN: {1020, 1213, 1614},
    Fault.PAUSE: {
        *(1044, 1045, 1049, 1129, 1130, 1251, 1524, 1698, 1820, 1862, 2026, 2054, 2059, 3118),
    },
    Fault.TABLE: {
        *(1050, 1054, 1060, 1061, 1064, 1071, 1072, 1118, 1136, 1142, 1143, 1146, 1227, 1364, 1370),
    },
    Fault.MESSAGE: {
        *(1048, 1062, 1105, 1153, 1216, 1217, 1264, 1265, 1292, 1366, 1406, 1411, 1451, 1452, 1526, 1586),
        *(1644, 1690, 3140, 3819, 4025),
    },
}
"""Of MySQL and MariaDB, whose SQLSTATEs say less: HY000 is any.

What is not here is the endpoint's: 2002, 2003, 2006, 2013, 1021, 1040, 1114, 1205, 1290, 1836 and 1969, too.
"""

_SQLITE_CODES: dict[Fault, set[int]] = {
    Fault.AGAIN: {5},
    Fault.PAUSE: {3, 11, 23, 26},
    Fault.TABLE: {1},
    Fault.MESSAGE: {18, 19, 20, 25},
}
"""Primary result codes, the last byte of a code.

Busy; perm, corrupt, auth, notadb; error (no such table); too big, constraint, mismatch, range. What is not
here is the endpoint's: locked, I/O, full, read-only, cannot open.
"""

_NOT_NULL_SQLITE = 1299
_NO_VALUE_SQLSTATE, _NO_VALUE_NUMBERS = "23502", (1048, 1364)
_NO_RIGHT = ("42501", 1142, 1143)

_ONLY_READS, _FULL = "the database only reads now", "the database is full"
_STATES: dict[str | int, str] = {
    "25006": _ONLY_READS,
    1290: _ONLY_READS,
    1836: _ONLY_READS,
    "SQLITE_READONLY": _ONLY_READS,
    "SQLITE_READONLY_DIRECTORY": _ONLY_READS,
    "53100": _FULL,
    1021: _FULL,
    1114: _FULL,
    "SQLITE_FULL": _FULL,
    "SQLITE_CANTOPEN": "the file or its folder is not there, or cannot be opened",
}
"""Conditions of a database that stand before its own words."""

_WORDS: dict[str | int, str] = {
    "22001": "a text is longer than its column",
    "22003": "a number is beyond its column",
    "22008": "a time is beyond its column",
    "22P02": "a value does not fit the type of its column",
    "22P05": "a text has a character that its column cannot hold",
    "22021": "a text has a character that its column cannot hold",
    "23502": "a column that may not be empty gets nothing",
    "23503": "a foreign key refuses it",
    "23505": "a unique index refuses it",
    "23514": "a check refuses it",
    "P0001": "a trigger refuses it",
    1048: "a column that may not be empty gets nothing",
    1062: "a unique index refuses it",
    1264: "a number is beyond its column",
    1265: "a value does not fit the type of its column",
    1292: "a value does not fit the type of its column",
    1364: "a column that may not be empty gets nothing",
    1366: "a text has a character that its column cannot hold",
    1406: "a text is longer than its column",
    1451: "a foreign key refuses it",
    1452: "a foreign key refuses it",
    1644: "a trigger refuses it",
    4025: "a check refuses it",
    "SQLITE_CONSTRAINT_CHECK": "a check refuses it",
    "SQLITE_CONSTRAINT_FOREIGNKEY": "a foreign key refuses it",
    "SQLITE_CONSTRAINT_NOTNULL": "a column that may not be empty gets nothing",
    "SQLITE_CONSTRAINT_TRIGGER": "a trigger refuses it",
    "SQLITE_CONSTRAINT_UNIQUE": "a unique index refuses it",
}
"""Where the database's own words would quote the row."""

_NAMED = re.compile(
    r"""(?:column|for key|constraint|Field) ((?:[`'"][\w.$]+[`'"]\.?)+)|failed: ([\w.]+)""", re.IGNORECASE
)
_QUOTES = re.compile(r"""[`'"]""")
_NOT_VERIFIED = re.compile("verify failed|issuer certificate|self.signed")
_CODE_OF_SQLITE = "sqlite_errorcode"


class TableRefused(Pause):
    """A table takes nothing until somebody acts.

    `column` is one that may not be empty and that nobody gives a value; `is_right` means that the role lacks
    a right.
    """

    def __init__(self, reason: str, *, column: str | None = None, is_right: bool = False) -> None:
        self.column = column
        self.is_right = is_right
        super().__init__(reason)


def to_send_error(
    error: Exception, *, written: Collection[str], timeout: str | None
) -> tuple[Fault, SendError]:
    """Return the class of an error and what a destination says of it, without anything of the row.

    `written` are the columns that the statement gave values. `timeout` is the time that the attempt had, in
    words, where it is over.
    """
    if timeout is not None and not isinstance(error, SendError):
        return Fault.ENDPOINT, Retry(f"the database did not answer within {timeout}")
    if isinstance(error, SendError):
        return Fault.MESSAGE, error
    original = error.orig if isinstance(error, StatementError) else error
    is_cut = isinstance(error, DBAPIError) and error.connection_invalidated
    fault, code = fault_of(original, is_cut=is_cut, written=written)
    words = _words(original, fault, code)
    if fault is Fault.PAUSE:
        return fault, Pause(words)
    if fault is Fault.TABLE:
        return fault, TableRefused(words, column=_empty_column(original, code), is_right=code in _NO_RIGHT)
    return fault, Retry(words, about=About.MESSAGE if fault is Fault.MESSAGE else About.ENDPOINT)


def fault_of(
    original: Any, *, is_cut: bool = False, written: Collection[str] = ()
) -> tuple[Fault, str | int | None]:
    """Return the class of a driver's error, and its code: None where it has none."""
    number = original.args[0] if getattr(original, "args", ()) else None
    if isinstance(number, int) and type(original).__module__.startswith("pymysql"):
        return _of_mysql(number, str(original), written), number
    state = getattr(original, "sqlstate", None)
    if state is not None:
        return _of_postgres(original, state, written), state
    if hasattr(original, _CODE_OF_SQLITE):
        return _of_sqlite(original, written), original.sqlite_errorname
    if is_cut or isinstance(original, OSError):
        return Fault.ENDPOINT, None
    return _without_code(original), None


def _of_postgres(error: Any, state: str, written: Collection[str]) -> Fault:
    if state == _NO_VALUE_SQLSTATE and error.diag.column_name not in written:
        return Fault.TABLE
    return _SQLSTATES.get(state) or _SQLSTATES.get(state[:2], Fault.ENDPOINT)


def _of_mysql(number: int, message: str, written: Collection[str]) -> Fault:
    if number in _NO_VALUE_NUMBERS and _name_in(message) in written:
        return Fault.MESSAGE
    return next((fault for fault, numbers in _NUMBERS.items() if number in numbers), Fault.ENDPOINT)


def _of_sqlite(error: Any, written: Collection[str]) -> Fault:
    if error.sqlite_errorcode == _NOT_NULL_SQLITE and _name_in(str(error)) not in written:
        return Fault.TABLE
    code = error.sqlite_errorcode & 0xFF
    return next((fault for fault, codes in _SQLITE_CODES.items() if code in codes), Fault.ENDPOINT)


def _without_code(original: Any) -> Fault:
    """Return the class of an error by its kind: psycopg has no code for a connection that was not made.

    NUL in a text, half a surrogate pair and a huge number are refused before anything is sent.
    """
    kinds = {kind.__name__ for kind in type(original).__mro__}
    if "OperationalError" in kinds:
        needs_somebody = refusal(str(original))[0] in (Refusal.LOGIN, Refusal.TLS)
        return Fault.PAUSE if needs_somebody else Fault.ENDPOINT
    if "ProgrammingError" in kinds:
        return Fault.PAUSE
    return Fault.ENDPOINT if kinds & {"InterfaceError", "InternalError"} else Fault.MESSAGE


def _words(original: Any, fault: Fault, code: str | int | None) -> str:
    """Return one line about an error, with the names of columns and indexes and no value."""
    if isinstance(original, UnicodeError):
        return "a text has half of a character"
    if code is None and fault is Fault.MESSAGE:
        return "a value is none that the database can hold"
    message = str(original.args[-1] if isinstance(code, int) else original)
    if code is None:
        kind, words = refusal(message)
        return tls_words(words) if kind is Refusal.TLS else f"the database says: {words}"
    if fault is Fault.AGAIN:
        return "deadlock"
    if fault is not Fault.MESSAGE and code not in _WORDS:
        return f"{_STATES.get(code or '', 'the database says')}: {first_line(message)}"
    name = _name_in(message)
    words = _WORDS.get(code or "", "the database refuses the row")
    return f"{words} ({', '.join(filter(None, (name, str(code))))})"


def _empty_column(original: Any, code: str | int | None) -> str | None:
    """Return the column that may not be empty and gets nothing; None where an error is another."""
    if code not in (_NO_VALUE_SQLSTATE, *_NO_VALUE_NUMBERS, "SQLITE_CONSTRAINT_NOTNULL"):
        return None
    return _name_in(str(original))


def tls_words(words: str) -> str:
    """Return words about a TLS that failed, and the cure where the server was not verified."""
    cure = "; the authority that signed its certificate goes under ca_cert"
    return f"{words}{cure}" if _NOT_VERIFIED.search(words) else words


def _name_in(message: str) -> str | None:
    match = _NAMED.search(message)
    return _QUOTES.sub("", match[1] or match[2]).rpartition(".")[2] if match else None
