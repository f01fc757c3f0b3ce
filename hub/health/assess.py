"""The one judge of health: facts in, findings out. Pages, doctor, readiness, metrics and alerts show them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import partial

from hub.health import machine, senders
from hub.health.facts import Facts
from hub.health.status import DestinationStatus, status_of
from hub.humanize import ago, counted, enumerated, span
from hub.model.alert import DEAD_LETTER_KINDS
from hub.model.config import Config
from hub.model.delivery import State
from hub.model.destination import DestinationState
from hub.model.finding import Finding, FindingCode, FindingSeverity
from hub.model.problem import Code, Problem, Severity
from hub.model.stats import Degradation

EPOCH = datetime.fromtimestamp(0, UTC)


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


def assess(facts: Facts) -> tuple[Finding, ...]:
    """Return all that somebody should know, area by area."""
    return tuple(finding for findings in assess_by_area(facts).values() for finding in findings)


def assess_by_area(facts: Facts) -> Mapping[Area, list[Finding]]:
    """Return the findings of each area, none for one that is all right or not known."""
    return {area: list(_JUDGES[area](facts)) for area in Area}


# -- the user's files ---------------------------------------------------------------------------------


def _configuration(facts: Facts) -> Iterator[Finding]:
    """Every problem but those of the variables of a source or destination, which has a finding of its own."""
    lacked = _lacked_variables(facts.config)
    for problem in facts.files.problems:
        variable = problem.message.partition(" ")[0]
        if problem.code not in _OF_VARIABLES or variable not in lacked:
            yield _problem_finding(problem)
    yield from machine.proxies(facts)
    if facts.files.refused:
        first, *others = facts.files.refused
        yield Finding(
            code=FindingCode.RELOAD_REFUSED,
            severity=FindingSeverity.BAD,
            headline="An edit of the configuration was refused",
            reason=first + (f", and {counted(len(others), 'more problem')}" if others else ""),
            count=len(facts.files.refused),
            cure="mend the files; hub check prints every problem. What served before still does",
        )
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


# -- the worker and what it sends ---------------------------------------------------------------------


def worker_finding(facts: Facts) -> Finding | None:
    """Return the finding that no worker runs; None where one does, or nobody knows.

    In a database that takes no writes a worker leaves no sign of life.
    """
    if facts.store is None or facts.has_worker or facts.error is not None:
        return None
    seen_at = facts.store.worker_seen_at
    reason = "no worker has run yet"
    if seen_at is not None:
        reason = f"no sign of life from a worker for {span((facts.now - seen_at).total_seconds())}"
    return Finding(
        code=FindingCode.NO_WORKER,
        severity=FindingSeverity.BAD,
        headline="No worker is running",
        reason=reason,
        since=seen_at,
        cure="start hub serve, or hub worker: events are kept, nothing is sent",
    )


def destination_finding(name: str, facts: Facts) -> Finding | None:
    """Return the finding about a destination's own state; None where it takes messages."""
    config, state = facts.destination_config(name), facts.state(name)
    missing, fault = (config.missing, config.fault) if config is not None else ((), "")
    about = partial(
        Finding, severity=FindingSeverity.BAD, subject=name, count=facts.count(State.PENDING, name)
    )
    match status_of(name, facts):
        case DestinationStatus.NOT_CONFIGURED:
            return about(
                code=FindingCode.NOT_CONFIGURED,
                severity=FindingSeverity.NOTE,
                headline=f"{name} is not configured",
                reason=fault or None,
                cure=f"set {enumerated(missing) or 'its variables'} where the hub runs",
            )
        case DestinationStatus.PAUSED:
            return about(
                code=FindingCode.PAUSED,
                headline=f"{name} is paused",
                reason=state.paused_reason,
                since=state.paused_at,
                cure=f"put that right, then: hub resume {name}",
            )
        case DestinationStatus.FAILING:
            return about(
                code=FindingCode.FAILING,
                headline=f"{name} is failing",
                reason=_failures(state, facts),
                cure=f"see why: hub deliveries --destination {name}; the hub keeps trying",
            )
        case DestinationStatus.REMOVED:
            return about(
                code=FindingCode.REMOVED,
                headline=f"{name} is no longer in the configuration",
                cure=f"put it back, or cancel them: hub deliveries --destination {name} --state pending",
            )
        case DestinationStatus.DISABLED:
            return about(
                code=FindingCode.SWITCHED_OFF,
                severity=FindingSeverity.WATCH,
                headline=f"{name} is switched off",
                reason="routes.yaml says enabled: false",
                cure=f"switch it on, or cancel them: hub deliveries --destination {name} --state pending",
            )
        case _:
            return None


def _failures(state: DestinationState, facts: Facts) -> str:
    in_a_row = f"{counted(state.failures, 'failure')} in a row"
    error = facts.store.last_errors.get(state.name) if facts.store is not None else None
    return f"{in_a_row}, the last: {error}" if error else in_a_row


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
            yield _dead(name, count, facts)
        elif state is State.HELD and count:
            yield _held(name, count)
    yield from map(_degraded, facts.store.degraded if facts.store is not None else ())


def _abandoned(count: int) -> Finding:
    return Finding(
        code=FindingCode.ABANDONED,
        severity=FindingSeverity.BAD,
        headline=f"{counted(count, 'delivery is', 'deliveries are')} still marked as being sent",
        reason="the worker that did has died",
        count=count,
        cure="a running worker settles what the dead one was sending: start hub serve, or hub worker",
    )


def _dead(name: str, count: int, facts: Facts) -> Finding:
    """Reason and beginning are known where `problems:` asks for them to be kept."""
    alerts = [alert for alert in facts.alerts if alert.subject == name and alert.kind in DEAD_LETTER_KINDS]
    latest = max(alerts, key=lambda alert: alert.since or EPOCH, default=None)
    return Finding(
        code=FindingCode.DEAD,
        severity=FindingSeverity.WATCH,
        subject=name,
        headline=f"{counted(count, 'delivery', 'deliveries')} to {name} died",
        reason=latest.reason if latest else None,
        since=latest.since if latest else None,
        count=count,
        cure=f"see why: hub deliveries --state dead --destination {name}; "
        f"then: hub retry --state dead --destination {name}",
    )


def _held(name: str, count: int) -> Finding:
    are_held = "delivery to {} is held" if count == 1 else "deliveries to {} are held"
    return Finding(
        code=FindingCode.HELD,
        severity=FindingSeverity.WATCH,
        subject=name,
        headline=f"{count:,} {are_held.format(name)}",
        reason="the message may have arrived",
        count=count,
        cure="look at the other side, then resolve each on the status page: "
        f"hub deliveries --state held --destination {name}",
    )


def _degraded(degradation: Degradation) -> Finding:
    name = degradation.destination
    messages = "message to {} went out" if degradation.count == 1 else "messages to {} went out"
    return Finding(
        code=FindingCode.DEGRADED,
        severity=FindingSeverity.WATCH,
        subject=name,
        headline=f"{degradation.count:,} {messages.format(name)} in another form",
        reason=degradation.reason or None,
        since=degradation.since,
        count=degradation.count,
        cure=f"mend what the reason names; see each: hub deliveries --degraded --destination {name}",
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
}
