"""The mirrors of Clerk's objects, judged: what differs from Clerk, and changes of which no event came."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from hub.health.facts import Facts
from hub.humanize import ago, counted, enumerated, listed, period
from hub.model.finding import Finding, FindingCode, FindingSeverity
from hub.model.mirror import (
    MOST_COUNTED,
    NO_MIRRORS,
    DriftKind,
    GapsSummary,
    MirrorFacts,
    MirrorTable,
    PartWait,
)


def mirrors(facts: Facts) -> Iterator[Finding]:
    """Yield the findings about the mirrors of the configuration."""
    known = _known(facts)
    if facts.config is None:
        return
    for name in facts.config.destinations:
        if name in known.waits:
            yield _migration(name, known.waits[name])
    for name in facts.config.mirrors:
        differing = [table for table in known.tables.get(name, ()) if table.drift]
        if differing:
            yield _drift(name, differing)
        failure = known.failures.get(name)
        if failure is not None:
            yield Finding(
                code=FindingCode.DRIFT,
                severity=FindingSeverity.WATCH,
                subject=name,
                headline=f"{name} could not be compared with Clerk",
                reason=failure.reason,
                since=failure.at,
                cure="put that right; the hub tries again within the hour",
            )


def gaps(facts: Facts) -> Iterator[Finding]:
    """Yield the finding that events never came, by the last search for such."""
    summary = current_gaps(facts)
    if summary is None or not summary.lost:
        return
    verb = "was" if summary.lost == 1 else "were"
    yield Finding(
        code=FindingCode.GAPS,
        severity=FindingSeverity.WATCH,
        headline=f"{counted(summary.lost, 'object')} {verb} changed in Clerk and no event came",
        reason=f"in the {period(summary.window_seconds)} before {ago(summary.at, facts.now)}",
        since=summary.at,
        count=summary.lost,
        cure="see them by hub gaps; hub sync backfill mends a mirror",
    )


def current_gaps(facts: Facts) -> GapsSummary | None:
    """Return the last search for gaps; None where there was none in a window that is not over."""
    summary = _known(facts).gaps
    if summary is None or facts.now - summary.at > timedelta(seconds=summary.window_seconds):
        return None
    return summary


def mirrors_in_words(facts: Facts) -> str:
    """Return when each mirror was last compared; empty where none was."""
    words = []
    for name in facts.config.mirrors if facts.config is not None else ():
        tables = _known(facts).tables.get(name, ())
        moments = [table.verified_at for table in tables if table.verified_at is not None]
        if moments:
            words.append(f"{name}: the same as in Clerk, as of {ago(min(moments), facts.now)}")
    return "; ".join(words)


def gaps_in_words(facts: Facts) -> str:
    """Return the last search for gaps where it lost nothing; empty where there was none."""
    summary = current_gaps(facts)
    if summary is None:
        return ""
    count = summary.may_still_come
    coming = f"; {counted(count, 'change')} may still come" if count else ""
    window = period(summary.window_seconds)
    return f"no event of the last {window} was missed, as of {ago(summary.at, facts.now)}{coming}"


def _known(facts: Facts) -> MirrorFacts:
    return facts.store.mirrors if facts.store is not None else NO_MIRRORS


def _migration(name: str, waits: Sequence[PartWait]) -> Finding:
    """Return the finding that rows wait for tables which somebody has to make or to change."""
    tables = sorted({part.partition("(")[0] for wait in waits for part in wait.parts})
    counts = [wait.count for wait in waits]
    words = [wait.reason.partition("; ") for wait in waits]
    faults = [fault for fault, _, _ in words]
    if None in counts:
        faults.append(f"more than {MOST_COUNTED:,} wait, nothing is lost")
    return Finding(
        code=FindingCode.MIGRATION,
        severity=FindingSeverity.BAD,
        subject=name,
        headline=f"{listed(tables)} cannot be written to {name}",
        reason="; ".join(dict.fromkeys(faults)),
        since=min(wait.since for wait in waits),
        count=None if None in counts else sum(filter(None, counts)),
        cure="; ".join(dict.fromkeys(cure for _, _, cure in words)),
    )


def _drift(name: str, differing: list[MirrorTable]) -> Finding:
    count = sum(table.drift for table in differing)
    verb = "row of {} differs" if count == 1 else "rows of {} differ"
    return Finding(
        code=FindingCode.DRIFT,
        severity=FindingSeverity.WATCH,
        subject=name,
        headline=f"{count:,} {verb.format(name)} from Clerk",
        reason="; ".join(f"{table.name}: {_counts(table)}" for table in differing),
        since=max(table.verified_at for table in differing if table.verified_at is not None),
        count=count,
        cure="look at them, then mend them with --repair",
    )


def _counts(table: MirrorTable) -> str:
    counts = {kind: getattr(table, kind.value) or 0 for kind in DriftKind}
    return enumerated([f"{count:,} {kind}" for kind, count in counts.items() if count])
