"""The facts that health is judged by: a frozen snapshot of configuration, store and database."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from hub.errors import StoreError, StoreMigrated
from hub.health.access import AccessFacts, access_facts
from hub.model.alert import Alert
from hub.model.config import Config
from hub.model.delivery import State
from hub.model.destination import DestinationConfig, DestinationState
from hub.model.mirror import NO_MIRRORS, MirrorFacts
from hub.model.problem import Problem, Severity
from hub.model.source import SourceState
from hub.model.stats import (
    WORKER_SILENT_AFTER,
    Accounts,
    DatabaseStatus,
    Degradation,
    DiskSpace,
    Stats,
    Stuck,
)
from hub.settings import Settings
from hub.store.copy import MIGRATED
from hub.store.store import Store, Transaction

LAST_LOOK = "config_looked_at"
"""The name of the shared value that holds when the files were last looked at."""

REFUSED_EDIT = "config_refusal"
"""The shared value that holds the problems of the last edit, one a line; empty where it serves."""

REFUSED_AT = "config_refused_at"
"""The shared value that holds when that edit was first refused."""

DEGRADED_REMEMBERED = timedelta(days=1)

_STUCK = (State.DEAD, State.HELD)

Counts = Mapping[tuple[str, State], int]


@dataclass(frozen=True, kw_only=True)
class FileFacts:
    """The user's files. `config` is None where they cannot be used; `refused` are the last edit's errors.

    `refused_at` is when it was refused. `ignored` are variables of the environment that the hub does not
    read, though others do. `looked_at` is when a process last looked for edits.
    """

    config: Config | None
    problems: tuple[Problem, ...] = ()
    refused: tuple[str, ...] = ()
    refused_at: datetime | None = None
    ignored: tuple[str, ...] = ()
    looked_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class StoreFacts:
    """The store's part. `counts` are deliveries by destination and state, as far as they were counted.

    `stuck` says of what deliveries of a destination are dead or held; `alerts` tell what `problems:` was told
    of those that died. `degraded` are messages by the files that serve. `astray` are signed requests of this
    hour and the last at a path that no source has.
    """

    states: Mapping[str, DestinationState]
    counts: Counts
    worker_seen_at: datetime | None
    stuck: Mapping[tuple[str, State], Stuck] = field(default_factory=dict)
    degraded: tuple[Degradation, ...] = ()
    sources: Mapping[str, SourceState] = field(default_factory=dict)
    astray: int = 0
    alerts: tuple[Alert, ...] = ()
    mirrors: MirrorFacts = NO_MIRRORS
    is_migrated: bool = False


@dataclass(frozen=True, kw_only=True)
class RowFacts:
    """The part that costs a look at every row.

    `abandoned` counts deliveries that a dead worker was sending. `newest_at` is the latest moment in the
    store: in the future where clocks disagree.
    """

    accounts: Accounts
    abandoned: int
    newest_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Facts:
    """One moment's facts. What was not looked up is None and raises no finding.

    `error` is why the store cannot be read, where nothing is known of it, or not be written.
    `connections_wanted` are the most that this hub takes.
    """

    now: datetime
    files: FileFacts
    store: StoreFacts | None = None
    error: StoreError | None = None
    database: DatabaseStatus | None = None
    connections_wanted: int = 0
    rows: RowFacts | None = None
    access: AccessFacts | None = None

    @property
    def config(self) -> Config | None:
        return self.files.config

    @property
    def zone(self) -> tzinfo:
        """The time zone in which people are told times."""
        return ZoneInfo(self.config.timezone) if self.config is not None else UTC

    @property
    def alerts(self) -> tuple[Alert, ...]:
        return self.store.alerts if self.store else ()

    @property
    def has_worker(self) -> bool:
        """True where a worker gave a sign of life lately."""
        seen_at = self.store.worker_seen_at if self.store else None
        return seen_at is not None and self.now - seen_at <= WORKER_SILENT_AFTER

    def source(self, name: str) -> SourceState:
        """Return the store's state of a source, a fresh one where no request came to it."""
        fresh = SourceState(name=name)
        return self.store.sources.get(name, fresh) if self.store else fresh

    def destination_config(self, name: str) -> DestinationConfig | None:
        """Return the configuration of a destination; None where there is none of that name."""
        return self.config.destinations.get(name) if self.config is not None else None

    def is_configured(self, destination: str) -> bool:
        """True where a destination has all its values. The worker knows; a shell may lack its variables."""
        if self.store is not None and self.has_worker and destination in self.store.states:
            return self.store.states[destination].configured
        config = self.destination_config(destination)
        return config is not None and config.options is not None

    def count(self, state: State, destination: str) -> int:
        """Return how many deliveries to a destination are in a state; 0 where nobody counted."""
        return self.store.counts.get((destination, state), 0) if self.store else 0

    def state(self, destination: str) -> DestinationState:
        """Return the store's state of a destination, a fresh one where it has none."""
        fresh = DestinationState(name=destination)
        return self.store.states.get(destination, fresh) if self.store else fresh


def errors_of(problems: Collection[Problem]) -> tuple[str, ...]:
    """Return the errors among problems, a line each."""
    return tuple(str(problem) for problem in problems if problem.severity is Severity.ERROR)


def keep_refusal(problems: str, transaction: Transaction) -> bool:
    """Keep the problems of a refused edit with its time, or none; return False where others did so before."""
    is_first = transaction.settings.set(REFUSED_EDIT, problems)
    if is_first:
        transaction.settings.set(REFUSED_AT, transaction.now.isoformat())
    return is_first


def waiting_facts(snapshot: Transaction, config: Config) -> Facts:
    """Look up the little that says why deliveries wait, and whether a worker runs. Raises StoreError."""
    counts = {(name, State.SENDING): count for name, count in snapshot.numbers.in_flight().items()}
    return Facts(now=snapshot.now, files=FileFacts(config=config), store=_store_facts(snapshot, counts))


def readiness_facts(store: Store, snapshot: Transaction, config: Config) -> Facts:
    """Look up what says whether the hub can take something in and send it. Raises StoreError."""
    return replace(waiting_facts(snapshot, config), error=store.write_error(snapshot))


def page_facts(store: Store, snapshot: Transaction, files: FileFacts, stats: Stats) -> Facts:
    """Look up what a page can afford on every request. Raises StoreError."""
    return Facts(
        now=snapshot.now,
        files=_looked_at(files, snapshot),
        store=_whole_store_facts(snapshot, stats, files.config),
        error=store.write_error(snapshot),
        database=_with_pace(store.quick_status(snapshot), stats),
    )


def notifier_facts(snapshot: Transaction, config: Config, disk: DiskSpace | None) -> Facts:
    """Look up what a worker can afford every few seconds. Raises StoreError."""
    refused = (snapshot.settings.get(REFUSED_EDIT) or "").splitlines()
    removed = set(snapshot.numbers.pending_destinations()) - set(config.destinations)
    facts = Facts(
        now=snapshot.now,
        files=FileFacts(config=config, refused=tuple(refused), refused_at=_moment(REFUSED_AT, snapshot)),
        store=_with_degraded(_store_facts(snapshot, {}), snapshot, config),
        database=DatabaseStatus(disk=disk),
    )
    dying = {alert.subject for alert in facts.alerts if alert.count}
    return with_counts(facts, snapshot, {*removed, *dying})


def with_counts(facts: Facts, snapshot: Transaction, names: Collection[str]) -> Facts:
    """Return the facts with the waiting and dead deliveries of some more destinations, and their causes."""
    assert facts.store is not None
    counts = dict(facts.store.counts)
    for name in names:
        for state in (State.PENDING, State.DEAD):
            counts[name, state] = snapshot.numbers.count(state, name)
    stuck = snapshot.stuck.of([(name, State.DEAD) for name in names if counts[name, State.DEAD]])
    return replace(facts, store=replace(facts.store, counts=counts, stuck=stuck))


def doctor_facts(store: Store, files: FileFacts, settings: Settings) -> Facts:
    """Look at everything, every row of the store included. Raises StoreError."""
    database, refusal = store.status(), _write_refusal(store)
    with store.read() as snapshot:
        rows = RowFacts(
            accounts=snapshot.invariant.accounts(),
            abandoned=snapshot.invariant.abandoned(),
            newest_at=snapshot.invariant.newest_at(),
        )
        stats = snapshot.numbers.stats()
        return Facts(
            now=snapshot.now,
            files=_looked_at(files, snapshot),
            store=_whole_store_facts(snapshot, stats, files.config),
            error=store.write_error(snapshot) or refusal,
            database=_with_pace(database, stats),
            connections_wanted=(settings.web_processes + 1) * settings.db_connections,
            rows=rows,
            access=access_facts(snapshot, settings),
        )


def _looked_at(files: FileFacts, snapshot: Transaction) -> FileFacts:
    refused_at = _moment(REFUSED_AT, snapshot) or files.refused_at
    return replace(files, looked_at=_moment(LAST_LOOK, snapshot), refused_at=refused_at)


def _moment(name: str, snapshot: Transaction) -> datetime | None:
    kept = snapshot.settings.get(name)
    return datetime.fromisoformat(kept) if kept else None


def without_store(files: FileFacts, error: StoreError) -> Facts:
    """Return the facts that are left where the store refused or did not answer."""
    return Facts(now=datetime.now(UTC), files=files, error=error)


def _write_refusal(store: Store) -> StoreError | None:
    """Return the error of a write that is tried; None where it is taken, or the store was moved."""
    try:
        store.try_to_write()
    except StoreMigrated:
        return None
    except StoreError as error:
        return error
    return None


def _whole_store_facts(snapshot: Transaction, stats: Stats, config: Config | None) -> StoreFacts:
    """Look up what deliveries tell, too, counted already: those that went out degraded, and those stuck."""
    stuck = [pair for pair, count in stats.deliveries.items() if count and pair[1] in _STUCK]
    facts = replace(_store_facts(snapshot, stats.deliveries), stuck=snapshot.stuck.of(stuck))
    return _with_degraded(facts, snapshot, config)


def _with_pace(status: DatabaseStatus, stats: Stats) -> DatabaseStatus:
    """Return a database's status with the space on its disk that a day like the last one takes."""
    if status.disk is None or not stats.events:
        return status
    daily = status.disk.used * stats.events_last_day // stats.events
    return replace(status, disk=replace(status.disk, daily=daily))


def _with_degraded(facts: StoreFacts, snapshot: Transaction, config: Config | None) -> StoreFacts:
    """Return the facts with the messages that went out degraded by the files that serve."""
    if config is None:
        return facts
    return replace(facts, degraded=snapshot.degraded.lately(config.version, DEGRADED_REMEMBERED))


def _store_facts(snapshot: Transaction, counts: Counts) -> StoreFacts:
    return StoreFacts(
        states=snapshot.destinations.all(),
        counts=counts,
        worker_seen_at=snapshot.workers.last_seen_at(),
        sources=snapshot.sources.all(),
        astray=snapshot.sources.astray(),
        alerts=tuple(snapshot.alerts.all()),
        is_migrated=snapshot.settings.get(MIGRATED) is not None,
        mirrors=snapshot.mirrors.facts(),
    )
