"""The one judge of health: facts in, findings out. Pages, doctor, readiness, metrics and alerts show them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from enum import StrEnum

from hub.health import machine, mirrors, senders
from hub.health.destinations import dead_finding, degraded_finding, destination_finding, held_finding
from hub.health.facts import Facts, FileFacts
from hub.humanize import ago, clock, counted, span
from hub.model.config import Config
from hub.model.delivery import State
from hub.model.finding import Finding, FindingCode, FindingSeverity
from hub.model.problem import Code, Problem, Severity


class Area(StrEnum):
    """A part of the hub that is judged by itself, in the order in which it is shown."""

    CONFIGURATION = "configuration"
    SOURCES = "sources"
    DATABASE = "database"
    DISK = "disk"
    CLOCK = "clock"
    ACCESS = "access"
    WORKER = "worker"
    DESTINATIONS = "destinations"
    DELIVERIES = "deliveries"
    ACCOUNTS = "accounts"
    MIRROR = "mirror"
    GAPS = "gaps"


def assess(facts: Facts) -> tuple[Finding, ...]:
    """Return all that somebody should know, area by area."""
    return tuple(finding for findings in assess_by_area(facts).values() for finding in findings)


def assess_by_area(facts: Facts) -> Mapping[Area, list[Finding]]:
    """Return the findings of each area, none for one that is all right or not known."""
    return {area: list(_JUDGES[area](facts)) for area in Area}


def _configuration(facts: Facts) -> Iterator[Finding]:
    """Every problem but those of the variables of a source or destination, which has a finding of its own."""
    lacked = _lacked_variables(facts.config)
    for problem in facts.files.problems:
        variable = problem.message.partition(" ")[0]
        if problem.code not in _OF_VARIABLES or variable not in lacked:
            yield _problem_finding(problem)
    yield from machine.proxies(facts)
    if facts.files.refused:
        yield _refused_edit(facts.files, facts)
    looked_at = facts.files.looked_at
    if facts.has_worker and looked_at is not None and facts.now - looked_at > WATCH_SILENT_AFTER:
        yield Finding(
            code=FindingCode.WATCH_STUCK,
            severity=FindingSeverity.WATCH,
            headline=f"The files were last looked at {ago(looked_at, facts.now)}",
            reason="no edit is taken up: the disk or the network folder under them may not answer",
            since=looked_at,
            cure="see that routes.yaml and the templates can be read, then start the hub again",
        )


def _refused_edit(files: FileFacts, facts: Facts) -> Finding:
    at = "last edit"
    if files.refused_at is not None:
        at = f"edit of {clock(files.refused_at, facts.now, facts.zone)}"
    version = f"version {files.config.version[:4]}" if files.config is not None else "the version before it"
    return Finding(
        code=FindingCode.RELOAD_REFUSED,
        severity=FindingSeverity.BAD,
        headline=f"Your {at} is not in use: {counted(len(files.refused), 'mistake')}",
        reason=_ERROR.sub(r"\1 \2", files.refused[0]),
        since=files.refused_at,
        count=len(files.refused),
        cure=f"{version} goes on; `hub check` prints every mistake",
    )


_ERROR = re.compile(r"^(?:.*/(?=routes\.yaml:))?(.*?:\d+):\d+: error\[[^]]*\]: (.*)$", re.DOTALL)
"""A problem as `hub check` prints it: its place, its column, its code, and the words."""

WATCH_SILENT_AFTER = timedelta(minutes=5)
"""A watch says every minute that it looks."""

_OF_VARIABLES = (Code.UNSET_VARIABLE, Code.BAD_VARIABLE)


def _lacked_variables(config: Config | None) -> set[str]:
    if config is None:
        return set()
    missing = [source.signing.missing for source in config.sources.values()]
    missing += [destination.missing for destination in config.destinations.values()]
    return {name for names in missing for name in names}


def _problem_finding(problem: Problem) -> Finding:
    is_error = problem.severity is Severity.ERROR
    return Finding(
        code=FindingCode.CONFIGURATION,
        severity=FindingSeverity.BAD if is_error else FindingSeverity.NOTE,
        headline=str(problem),
    )


def worker_finding(facts: Facts) -> Finding | None:
    """Return the finding that no worker runs; None where one does, or nobody knows.

    In a database that takes no writes a worker leaves no sign of life.
    """
    if facts.store is None or facts.has_worker or facts.error is not None:
        return None
    seen_at = facts.store.worker_seen_at
    silence = "no worker has run yet"
    if seen_at is not None:
        silence = f"no worker for {span((facts.now - seen_at).total_seconds())}"
    return Finding(
        code=FindingCode.NO_WORKER,
        severity=FindingSeverity.BAD,
        headline=f"Nothing is being sent: {silence}",
        since=seen_at,
        count=sum(count for (_, state), count in facts.store.counts.items() if state is State.PENDING),
        cure="`hub serve` starts one by itself; else start `hub worker`",
    )


def _worker(facts: Facts) -> Iterator[Finding]:
    finding = worker_finding(facts)
    if finding is not None:
        yield finding


def _destinations(facts: Facts) -> Iterator[Finding]:
    if facts.config is None or facts.store is None:
        return
    counts = facts.store.counts
    pending = {name for name, state in counts if state is State.PENDING and counts[name, state]}
    for name in (*facts.config.destinations, *sorted(pending - set(facts.config.destinations))):
        finding = destination_finding(name, facts)
        if finding is not None and (finding.code is not FindingCode.SWITCHED_OFF or finding.count):
            yield finding


def _deliveries(facts: Facts) -> Iterator[Finding]:
    if facts.rows is not None and facts.rows.abandoned:
        yield _abandoned(facts.rows.abandoned)
    for (name, state), count in sorted(facts.store.counts.items() if facts.store is not None else ()):
        if state is State.DEAD and count:
            yield dead_finding(name, count, facts)
        elif state is State.HELD and count:
            yield held_finding(name, count, facts)
    yield from map(degraded_finding, facts.store.degraded if facts.store is not None else ())


def _abandoned(count: int) -> Finding:
    return Finding(
        code=FindingCode.ABANDONED,
        severity=FindingSeverity.BAD,
        headline=f"{counted(count, 'delivery is', 'deliveries are')} still marked as being sent",
        reason="the worker that did has died",
        count=count,
        cure="a running worker settles what the dead one was sending: start hub serve, or hub worker",
    )


_JUDGES: Mapping[Area, Callable[[Facts], Iterator[Finding]]] = {
    Area.CONFIGURATION: _configuration,
    Area.SOURCES: senders.sources,
    Area.DATABASE: machine.database,
    Area.DISK: machine.disk,
    Area.CLOCK: machine.clock,
    Area.ACCESS: machine.access,
    Area.WORKER: _worker,
    Area.DESTINATIONS: _destinations,
    Area.DELIVERIES: _deliveries,
    Area.ACCOUNTS: machine.accounts,
    Area.MIRROR: mirrors.mirrors,
    Area.GAPS: mirrors.gaps,
}
