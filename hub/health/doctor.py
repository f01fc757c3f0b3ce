"""Is everything all right? Each check says what it found and, where somebody should act, what to do: pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from hub.humanize import counted, span
from hub.model.config import Config
from hub.model.delivery import State
from hub.model.destination import DestinationConfig, DestinationState
from hub.model.problem import Code, Problem, Severity
from hub.model.stats import WORKER_SILENT_AFTER, Accounts, DatabaseStatus, DiskSpace, Stats
from hub.settings import Settings
from hub.store.store import Store

CLOCK_OFF_SECONDS, CLOCK_WRONG_SECONDS = 30.0, 240.0
"""A sender's time stamp may be five minutes away from this machine's clock; then every request is refused."""

CONNECTIONS_FULL = 0.9

VACUUM_FACTOR = 2
"""SQLite's VACUUM needs up to twice the file's size: https://www.sqlite.org/lang_vacuum.html"""


class Level(StrEnum):
    """A problem needs somebody; a warning is worth knowing and fails nothing."""

    GOOD = "good"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What one check found; `advice` is what to do about it."""

    check: str
    level: Level
    found: str
    advice: str = ""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """All that was looked up in the store, at one moment."""

    database: DatabaseStatus
    stats: Stats
    states: Mapping[str, DestinationState]
    accounts: Accounts
    abandoned: int
    newest_at: datetime | None

    @property
    def now(self) -> datetime:
        return self.stats.now


def look(store: Store) -> Facts:
    """Look everything up, in one consistent view; raises StoreError."""
    database = store.status()
    with store.read() as reading:
        return Facts(
            database=database,
            stats=reading.reports.stats(),
            states=reading.destinations.all(),
            accounts=reading.audit.accounts(),
            abandoned=reading.audit.abandoned(),
            newest_at=reading.audit.newest_at(),
        )


def examine_files(config: Config | None, problems: Sequence[Problem], path: str) -> Iterator[Finding]:
    """What is wrong with the user's files. Variables that a source or destination lacks are told with it."""
    told = _missing(config)
    for problem in problems:
        if problem.code == Code.UNSET_VARIABLE and problem.message.partition(" ")[0] in told:
            continue
        level = Level.PROBLEM if problem.severity is Severity.ERROR else Level.WARNING
        yield Finding(check="configuration", level=level, found=str(problem))
    if config is None:
        return
    if not any(problem.severity is Severity.ERROR for problem in problems):
        parts = f"{counted(len(config.routes), 'route')}, {counted(len(config.destinations), 'destination')}"
        yield _good("configuration", f"{path} has {parts}")
    for source in config.sources.values():
        if source.missing:
            yield _warning(
                "sources",
                f"{source.name} has no signing secret, so {source.path} answers 503",
                f"set {_listed(source.missing)} where the hub runs",
            )
    if config.sources and not any(source.missing for source in config.sources.values()):
        yield _good("sources", f"{', '.join(config.sources)}: every signing secret is set")


def examine_store(facts: Facts, config: Config | None, settings: Settings) -> Iterator[Finding]:
    """What is wrong with the database and with what it holds."""
    yield from _database(facts.database, settings)
    yield from _disk(facts.database.disk)
    yield from _clock(facts)
    yield from _worker(facts)
    yield from _destinations(facts, config)
    yield from _deliveries(facts)
    yield from _accounts(facts.accounts)


def _database(database: DatabaseStatus, settings: Settings) -> Iterator[Finding]:
    for problem in database.problems:
        advice = "restore a backup, or move to a new database with hub migrate-store"
        yield _problem("database", f"{database.name}: {problem}", advice)
    if database.problems:
        return
    if database.connections is None:
        yield _good("database", f"{database.name}, its schema up to date, its file in order")
        return
    used, allowed = database.connections
    most = (settings.web_processes + 1) * settings.db_connections
    words = f"{used} of {allowed} connections in use; this hub takes up to {most}"
    if most > allowed:
        yield _problem("database", f"{database.name}: {words}", "lower HUB_DB_CONNECTIONS or WEB_CONCURRENCY")
    elif used >= allowed * CONNECTIONS_FULL or 2 * most > allowed:
        advice = "a deploy runs two generations for a moment: lower HUB_DB_CONNECTIONS or WEB_CONCURRENCY"
        yield _warning("database", f"{database.name}: {words}", advice)
    else:
        yield _good("database", f"{database.name}, its schema up to date; {words}")


def _disk(disk: DiskSpace | None) -> Iterator[Finding]:
    if disk is None:
        return
    words = f"{_size(disk.free)} free of {_size(disk.total)}; the database takes {_size(disk.used)}"
    if disk.is_low:
        advice = "make room or a larger volume; a lower HUB_RETENTION keeps less. Full, nothing is accepted"
        yield _problem("disk", words, advice)
    elif disk.free < VACUUM_FACTOR * disk.used:
        yield _warning(
            "disk", words, f"a VACUUM would need up to {_size(VACUUM_FACTOR * disk.used)}: make room before"
        )
    else:
        yield _good("disk", words)


def _clock(facts: Facts) -> Iterator[Finding]:
    ahead = facts.database.clock_ahead_seconds
    newest = (facts.newest_at - facts.now).total_seconds() if facts.newest_at is not None else 0.0
    if newest > CLOCK_OFF_SECONDS:
        found = f"the store holds a moment {span(newest)} in the future: a clock was or is wrong"
    elif ahead is not None and abs(ahead) >= CLOCK_OFF_SECONDS:
        found = f"this machine is {span(abs(ahead))} {'behind' if ahead > 0 else 'ahead of'} the database"
    else:
        agrees = "this machine's agrees with the database's; " if ahead is not None else ""
        yield _good("clock", f"{agrees}nothing in the store is in the future")
        return
    is_wrong = max(abs(ahead or 0.0), newest) >= CLOCK_WRONG_SECONDS
    advice = "set the clock (NTP): requests whose time stamp is five minutes away are refused"
    yield (_problem if is_wrong else _warning)("clock", found, advice)


def _worker(facts: Facts) -> Iterator[Finding]:
    seen_at = facts.stats.worker_seen_at
    advice = "start hub serve, or hub worker: events are kept, nothing is sent"
    if seen_at is None:
        yield _problem("worker", "none is running", advice)
    elif facts.now - seen_at > WORKER_SILENT_AFTER:
        silent = span((facts.now - seen_at).total_seconds())
        yield _problem("worker", f"no sign of life for {silent}", advice)
    else:
        age = span(max((facts.now - seen_at).total_seconds(), 0.0))
        yield _good("worker", f"gave its last sign of life {age} ago")


def _destinations(facts: Facts, config: Config | None) -> Iterator[Finding]:
    known = config.destinations if config is not None else {}
    found = [finding for name in known for finding in _destination(known[name], facts)]
    if config is not None:
        gone = sorted({name for name, _ in facts.stats.deliveries} - set(known))
        found += [_removed(name, waiting) for name in gone if (waiting := _waiting(facts, name))]
    yield from found
    if known and not found:
        yield _good("destinations", f"{', '.join(known)}: all accept")


def _destination(config: DestinationConfig, facts: Facts) -> Iterator[Finding]:
    name, state = config.name, facts.states.get(config.name, DestinationState(name=config.name))
    waiting = counted(_waiting(facts, name), "delivery waits", "deliveries wait")
    if config.enabled and config.missing:
        advice = f"set {_listed(config.missing)} where the hub runs"
        yield _warning("destinations", f"{name} is not configured; {waiting}", advice)
    if state.paused_at is not None:
        found = f"{name} is paused: {state.paused_reason}; {waiting}"
        yield _problem("destinations", found, f"put that right, then: hub resume {name}")
    elif state.probe_at is not None:
        found = f"{name} is failing, {state.failures} times in a row; {waiting}"
        yield _problem("destinations", found, f"see why: hub deliveries --destination {name}")


def _removed(name: str, waiting: int) -> Finding:
    words = counted(waiting, "delivery waits", "deliveries wait")
    advice = f"put it back, or cancel them: hub deliveries --destination {name} --state pending"
    return _problem("destinations", f"{name} is no longer in the configuration; {words} for it", advice)


def _waiting(facts: Facts, name: str) -> int:
    return facts.stats.count(State.PENDING, name)


def _deliveries(facts: Facts) -> Iterator[Finding]:
    if facts.abandoned:
        said = counted(facts.abandoned, "is", "are")
        found = f"{said} still marked as being sent, although the worker that did has died"
        yield _problem(
            "deliveries", found, "a running worker takes them back: start hub serve, or hub worker"
        )
    if dead := facts.stats.count(State.DEAD):
        found = f"{counted(dead, 'is', 'are')} dead"
        yield _warning(
            "deliveries", found, "see why: hub deliveries --state dead; then: hub retry --state dead"
        )
    if held := facts.stats.count(State.HELD):
        found = f"{counted(held, 'is', 'are')} held: the message may have arrived"
        yield _warning(
            "deliveries", found, "see which: hub deliveries --state held; resolve them on the status page"
        )
    if not (facts.abandoned or dead or held):
        yield _good("deliveries", "none is stuck")


def _accounts(accounts: Accounts) -> Iterator[Finding]:
    """The invariant. What is owed was counted with the events, so it is no mere sum of what is there."""
    parts = " + ".join(f"{accounts.states[state]:,} {state}" for state in _ORDER)
    kept = sum(accounts.states.values())
    advice = "this should not be: keep a copy of the database and report it"
    if kept == accounts.owed and not accounts.discrepancies:
        yield _good("accounts", f"{accounts.owed:,} owed = {parts}")
    if kept != accounts.owed:
        yield _problem("accounts", f"{accounts.owed:,} owed, but {kept:,} = {parts}", advice)
    for discrepancy in accounts.discrepancies:
        yield _problem(
            "accounts",
            f"{discrepancy.count:,} {discrepancy.description}, such as {discrepancy.example}",
            advice,
        )


_ORDER = (State.DELIVERED, State.DEAD, State.HELD, State.CANCELLED, State.PENDING, State.SENDING)


def store_problem(error: Exception) -> Finding:
    """A database that nothing more can be asked of."""
    return _problem("database", str(error), "")


def _missing(config: Config | None) -> set[str]:
    if config is None:
        return set()
    missing = [each.missing for each in config.sources.values()]
    missing += [each.missing for each in config.destinations.values()]
    return {name for names in missing for name in names}


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _size(count: int) -> str:
    """Bytes as people read them."""
    size = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if size >= 10 or unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def _good(check: str, found: str) -> Finding:
    return Finding(check=check, level=Level.GOOD, found=found)


def _warning(check: str, found: str, advice: str) -> Finding:
    return Finding(check=check, level=Level.WARNING, found=found, advice=advice)


def _problem(check: str, found: str, advice: str) -> Finding:
    return Finding(check=check, level=Level.PROBLEM, found=found, advice=advice)
