"""The doctor's report: a line for each finding, and one for each area in which there is none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from hub.health.assess import Area, assess_by_area
from hub.health.facts import Facts
from hub.health.machine import connections_in_words, disk_in_words, sum_in_words
from hub.health.mirrors import gaps_in_words, mirrors_in_words
from hub.health.words import statement
from hub.humanize import ago, counted
from hub.model.config import Config
from hub.model.finding import Finding, FindingSeverity

NO_FUTURE = "nothing in the store is in the future"


class Level(StrEnum):
    """A problem needs somebody; a warning is worth knowing and fails nothing."""

    GOOD = "good"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """A line of the report; `advice` is what to do about it."""

    check: str
    level: Level
    text: str
    advice: str = ""


def examine(facts: Facts, path: str) -> Iterator[CheckResult]:
    """Report on everything that is known; `path` names the user's file."""
    for area, findings in assess_by_area(facts).items():
        for finding in findings:
            yield _check_result(area, finding, facts)
        if area is Area.CONFIGURATION and not any(map(_is_bad, findings)):
            yield from _good(area, _configuration(facts, path))
        elif not findings:
            yield from _good(area, _all_right(area, facts))


def _check_result(area: Area, finding: Finding, facts: Facts) -> CheckResult:
    level = Level.PROBLEM if _is_bad(finding) else Level.WARNING
    text = statement(finding, facts.now, facts.zone)
    advice = ": ".join(filter(None, (finding.cure, finding.command)))
    return CheckResult(check=area.value, level=level, text=text, advice=advice)


def _is_bad(finding: Finding) -> bool:
    return finding.severity is FindingSeverity.BAD


def _good(area: Area, text: str) -> Iterator[CheckResult]:
    if text:
        yield CheckResult(check=area.value, level=Level.GOOD, text=text)


def _configuration(facts: Facts, path: str) -> str:
    if facts.config is None:
        return ""
    routes, destinations = len(facts.config.routes), len(facts.config.destinations)
    looked_at = facts.files.looked_at
    looked = f"; last looked at {ago(looked_at, facts.now)}" if looked_at else ""
    return f"{path} has {counted(routes, 'route')}, {counted(destinations, 'destination')}{looked}"


def _all_right(area: Area, facts: Facts) -> str:
    """Words for an area without findings; none for one that was not looked at."""
    match area:
        case Area.SOURCES:
            names = ", ".join(facts.config.sources) if facts.config is not None else ""
            return f"{names}: every signing secret is set" if names else ""
        case Area.DATABASE | Area.DISK | Area.CLOCK:
            return _machine(area, facts)
        case Area.WORKER:
            if facts.store is None or facts.store.worker_seen_at is None:
                return ""
            return f"gave its last sign of life {ago(min(facts.store.worker_seen_at, facts.now), facts.now)}"
        case Area.DESTINATIONS:
            return _accepting(facts.config) if facts.config is not None and facts.store else ""
        case Area.DELIVERIES:
            return "none is stuck" if facts.store is not None else ""
        case Area.ACCOUNTS:
            books = facts.rows.accounts if facts.rows is not None else None
            return f"{books.owed:,} owed = {sum_in_words(books.states)}" if books is not None else ""
        case Area.MIRROR:
            return mirrors_in_words(facts)
        case Area.GAPS:
            return gaps_in_words(facts)
        case _:
            return ""


def _accepting(config: Config) -> str:
    destinations = config.destinations.values()
    accepting, off = ([one.name for one in destinations if one.enabled is on] for on in (True, False))
    parts = (
        f"{', '.join(accepting)}: all accept" if accepting else "",
        f"switched off: {', '.join(off)}" if off else "",
    )
    return "; ".join(filter(None, parts))


def _machine(area: Area, facts: Facts) -> str:
    status = facts.database
    if status is None:
        return ""
    if area is Area.DISK:
        return disk_in_words(status.disk) if status.disk is not None else ""
    if area is Area.CLOCK:
        has_one_clock = status.clock_ahead_seconds is None
        return NO_FUTURE if has_one_clock else f"this machine's agrees with the database's; {NO_FUTURE}"
    if status.connections is None:
        return f"{status.name}, its schema up to date, its file in order"
    words = connections_in_words(status.connections, facts.connections_wanted)
    return f"{status.name}, its schema up to date; {words}"
