"""Findings about what the hub stands on: database, disk, clock, ways in, and rows that do not add up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hub.health import senders
from hub.health.access import SHORTEST_PASSWORD
from hub.health.facts import Facts
from hub.humanize import byte_size, capitalised, enumerated, in_days, span
from hub.model.delivery import State
from hub.model.finding import Finding, FindingCode, FindingSeverity
from hub.model.stats import DatabaseStatus, DiskSpace
from hub.store.store import MIGRATED_MESSAGE
from hub.transport.http import IGNORED_PROXY

CLOCK_OFF_SECONDS, CLOCK_WRONG_SECONDS = 30.0, 240.0
"""A sender's time stamp may be five minutes away from this machine's clock; then every request is refused."""

CONNECTIONS_FULL = 0.9

POOLED = "it passes no wake-up on, so workers look every 0.1 s while events come, and else every 2 s"

VACUUM_FACTOR = 2
"""SQLite's VACUUM needs up to twice the file's size: https://www.sqlite.org/lang_vacuum.html"""

STATE_ORDER = (State.DELIVERED, State.DEAD, State.HELD, State.CANCELLED, State.PENDING, State.SENDING)


def proxies(facts: Facts) -> Iterator[Finding]:
    """Judge the environment: a proxy in it is not used."""
    if facts.files.ignored:
        yield Finding(
            code=FindingCode.PROXY,
            severity=FindingSeverity.NOTE,
            headline=f"{enumerated(facts.files.ignored)} {IGNORED_PROXY}",
            cure="let the hub reach its destinations directly",
        )


def database(facts: Facts) -> Iterator[Finding]:
    """Judge the database: does it answer, can it be written, is it in order, has it connections left?"""
    error = facts.error
    if error is not None:
        yield _of_database(capitalised(error.headline), reason=error.reason, cure=error.cure)
    elif facts.store is not None and facts.store.is_migrated:
        headline, _, cure = MIGRATED_MESSAGE.partition("; ")
        yield _of_database(capitalised(headline), cure=cure)
    status = facts.database
    if status is None:
        return
    if status.newer_revision is not None:
        yield _of_database(
            f"The database is at {status.newer_revision}, newer than this hub",
            severity=FindingSeverity.WATCH,
            reason="a later release has migrated it, and this one goes on with it",
            cure="deploy the later release again; do not go back further than this one",
        )
    if status.is_pooled:
        yield _of_database(
            f"{status.name} is reached through a pooler",
            severity=FindingSeverity.NOTE,
            reason=POOLED,
            cure="name the server's own address in DATABASE_URL, where it has connections enough",
        )
    for problem in status.problems:
        cure = "restore a backup, or move to a new database with hub migrate-store"
        yield _of_database(f"{status.name}: {problem}", cure=cure)
    if not status.problems and status.connections is not None:
        yield from _connections(status, status.connections, facts.connections_wanted)


def _connections(status: DatabaseStatus, connections: tuple[int, int], wanted: int) -> Iterator[Finding]:
    used, allowed = connections
    headline = f"{status.name}: {connections_in_words(connections, wanted)}"
    if wanted > allowed:
        yield _of_database(headline, cure="lower HUB_DB_CONNECTIONS or WEB_CONCURRENCY")
    elif used >= allowed * CONNECTIONS_FULL or 2 * wanted > allowed:
        cure = "a deploy runs two generations for a moment: lower HUB_DB_CONNECTIONS or WEB_CONCURRENCY"
        yield _of_database(headline, severity=FindingSeverity.WATCH, cure=cure)


def connections_in_words(connections: tuple[int, int], wanted: int) -> str:
    """Return `4 of 20 connections in use; this hub takes up to 9`."""
    used, allowed = connections
    return f"{used} of {allowed} connections in use; this hub takes up to {wanted}"


def _of_database(
    headline: str, *, severity: FindingSeverity = FindingSeverity.BAD, reason: str = "", cure: str = ""
) -> Finding:
    return Finding(
        code=FindingCode.DATABASE, severity=severity, headline=headline, reason=reason or None, cure=cure
    )


def disk(facts: Facts) -> Iterator[Finding]:
    """Judge the space on the database's volume."""
    space = facts.database.disk if facts.database is not None else None
    if space is None:
        return
    reason = disk_in_words(space)
    if space.is_low:
        yield Finding(
            code=FindingCode.DISK,
            severity=FindingSeverity.BAD,
            headline=f"{byte_size(space.free)} are left on the disk of {space.file or 'the database'}",
            reason=_pace(space),
            cure="lower HUB_RETENTION, or give it a larger disk",
        )
    elif space.free < VACUUM_FACTOR * space.used:
        needed = byte_size(VACUUM_FACTOR * space.used)
        yield Finding(
            code=FindingCode.DISK,
            severity=FindingSeverity.NOTE,
            headline="The disk has no room for a VACUUM",
            reason=reason,
            cure=f"a VACUUM would need up to {needed}: make room before",
        )


def _pace(space: DiskSpace) -> str | None:
    """Return when the disk will be full if every day is like the last one; None where nobody counted."""
    if not space.daily:
        return None
    return f"at today's pace full in {in_days(span(max(space.free / space.daily * 86400, 1.0)))}"


def disk_in_words(space: DiskSpace) -> str:
    """Return `256 MiB free of 100 GiB; the database takes 2.0 GiB`."""
    free, total, used = map(byte_size, (space.free, space.total, space.used))
    return f"{free} free of {total}; the database takes {used}"


def clock(facts: Facts) -> Iterator[Finding]:
    """Judge this machine's clock against the database's, the senders', and the moments in the store."""
    yield from senders.clocks(facts)
    ahead = (facts.database.clock_ahead_seconds if facts.database is not None else None) or 0.0
    newest_at = facts.rows.newest_at if facts.rows is not None else None
    newest = (newest_at - facts.now).total_seconds() if newest_at is not None else 0.0
    reason = None
    if newest > CLOCK_OFF_SECONDS:
        headline, reason = f"The store holds a moment {span(newest)} in the future", "a clock was or is wrong"
    elif abs(ahead) >= CLOCK_OFF_SECONDS:
        headline = f"This machine is {span(abs(ahead))} {'behind' if ahead > 0 else 'ahead of'} the database"
    else:
        return
    is_wrong = max(abs(ahead), newest) >= CLOCK_WRONG_SECONDS
    yield Finding(
        code=FindingCode.CLOCK,
        severity=FindingSeverity.BAD if is_wrong else FindingSeverity.WATCH,
        headline=headline,
        reason=reason,
        cure="set the clock (NTP): requests whose time stamp is five minutes away are refused",
    )


def access(facts: Facts) -> Iterator[Finding]:
    """Judge the ways in: the password's length is the only protection that it has."""
    if facts.access is None:
        return
    if facts.access.has_short_password:
        yield Finding(
            code=FindingCode.PASSWORD,
            severity=FindingSeverity.WATCH,
            headline=f"HUB_PASSWORD has under {SHORTEST_PASSWORD} characters",
            reason="it opens page, API and metrics, and others than this machine can try it",
            cure="set a longer one, such as openssl rand -base64 24 prints, and restart",
        )
    if facts.access.has_untrusted_proxy:
        yield Finding(
            code=FindingCode.UNTRUSTED_PROXY,
            severity=FindingSeverity.NOTE,
            headline="Requests come through a proxy, and HUB_TRUSTED_PROXIES is 0",
            reason="audit and limits have its address instead of the client's, and cookies go without https",
            cure="set HUB_TRUSTED_PROXIES=1; where no proxy is, somebody made its headers up: then leave it",
        )


def accounts(facts: Facts) -> Iterator[Finding]:
    """Judge the invariant. The owed were counted with the events: that is no mere sum of what is there."""
    if facts.rows is None:
        return
    books = facts.rows.accounts
    stored = sum(books.states.values())
    headlines = [
        f"{discrepancy.count:,} {discrepancy.description}, such as {discrepancy.example}"
        for discrepancy in books.discrepancies
    ]
    if stored != books.owed:
        headlines.insert(0, f"{books.owed:,} owed, but {stored:,} = {sum_in_words(books.states)}")
    for headline in headlines:
        yield Finding(
            code=FindingCode.ACCOUNTS,
            severity=FindingSeverity.BAD,
            headline=headline,
            cure="this should not be: keep a copy of the database and report it",
        )


def sum_in_words(states: Mapping[State, int]) -> str:
    """Return `2 delivered + 0 dead + 0 held + 0 cancelled + 3 pending + 0 sending`."""
    return " + ".join(f"{states[state]:,} {state}" for state in STATE_ORDER)
