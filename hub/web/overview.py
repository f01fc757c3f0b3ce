"""The top of the status page: what needs somebody, the worst first, each with the act that cures it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from enum import StrEnum

from hub.health import words
from hub.health.assess import Area
from hub.humanize import counted, enumerated, sentence
from hub.model.finding import Finding, FindingCode, FindingSeverity

OPEN = 4
"""So many notes stand open; the others are folded."""


class Tone(StrEnum):
    """The weight of a note: trouble needs somebody, a task is worth knowing."""

    GOOD = "good"
    TASK = "task"
    TROUBLE = "trouble"


@dataclass(frozen=True, kw_only=True)
class NoteAct:
    """A button of a note: it leads to a page; one that `posts` acts at once, one that `asks` asks before."""

    label: str
    endpoint: str
    values: Mapping[str, str] = field(default_factory=dict)
    posts: bool = False
    asks: bool = False


@dataclass(frozen=True, kw_only=True)
class Note:
    """A finding in two lines. The next try, at `next_try`, stands between the parts `before` and the cure.

    `finding` is None where one note stands for all warnings of the configuration.
    """

    tone: Tone
    title: str
    since: str = ""
    finding: Finding | None = None
    before: str = ""
    next_try: datetime | None = None
    cure: str = ""
    acts: tuple[NoteAct, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Overview:
    """The whole in one line, the notes that stand open, and the others, which are folded under one line."""

    tone: Tone
    headline: str
    notes: tuple[Note, ...] = ()
    folded: tuple[Note, ...] = ()
    fold: str = ""


def overview(findings: Mapping[Area, Sequence[Finding]], now: datetime, zone: tzinfo = UTC) -> Overview:
    """Return the findings as the status page shows them first."""
    judged = [finding for of_area in findings.values() for finding in of_area]
    problems = [finding for finding in judged if finding.code is FindingCode.CONFIGURATION]
    urgent, minor = _ranked(finding for finding in judged if finding.code is not FindingCode.CONFIGURATION)
    notes = notes_of(urgent, now, zone)
    others = [*notes_of(minor, now, zone), *_warnings(problems)]
    summaries = [*(note.title for note in notes[OPEN:]), *map(_in_short, minor)]
    summaries += [note.title for note in _warnings(problems)]
    folded = (*notes[OPEN:], *others)
    if not urgent:
        headline, tone = "All is well", Tone.GOOD
    else:
        things = counted(len(notes), "thing")
        headline, tone = f"{things} {'needs' if len(notes) == 1 else 'need'} you", Tone.TROUBLE
    return Overview(
        tone=tone,
        headline=headline,
        notes=tuple(notes[:OPEN]),
        folded=folded,
        fold=_fold(len(notes[OPEN:]), len(others), summaries),
    )


def notes_of(findings: Iterable[Finding], now: datetime, zone: tzinfo = UTC) -> list[Note]:
    """Return findings as notes, in their order; of a destination that holds, its failure is part of that."""
    chosen = list(findings)
    held = {finding.subject for finding in chosen if finding.code is FindingCode.HELD}
    failing = {finding.subject: finding for finding in chosen if finding.code is FindingCode.FAILING}
    return [
        _note(finding, failing.get(finding.subject), now, zone)
        for finding in chosen
        if finding.code is not FindingCode.FAILING or finding.subject not in held
    ]


def _ranked(findings: Iterable[Finding]) -> tuple[list[Finding], list[Finding]]:
    """Return what needs somebody, the worst first, and what does not."""
    urgent: list[Finding] = []
    minor: list[Finding] = []
    for finding in findings:
        (minor if finding.severity is FindingSeverity.NOTE else urgent).append(finding)
    failing = {finding.subject for finding in urgent if finding.code is FindingCode.FAILING}
    return sorted(urgent, key=lambda finding: _rank(finding, failing)), minor


def _rank(finding: Finding, failing: set[str]) -> int:
    holds_of_failure = finding.code is FindingCode.HELD and finding.subject in failing
    if finding.severity is FindingSeverity.BAD or holds_of_failure:
        return 0
    return {FindingCode.HELD: 1, FindingCode.DEAD: 2}.get(finding.code, 3)


def _note(finding: Finding, failing: Finding | None, now: datetime, zone: tzinfo) -> Note:
    parts, next_try = list(words.parts_before(finding)), finding.next_try
    if finding.code is FindingCode.HELD and failing is not None:
        parts, next_try = [*parts, failing.waiting], failing.next_try
    title = finding.headline
    if finding.code is FindingCode.NOT_CONFIGURED and finding.reason:
        title = words.joined([title, finding.reason])
    return Note(
        tone=Tone.TASK if finding.severity is FindingSeverity.NOTE else Tone.TROUBLE,
        title=title,
        since=words.since(finding, now, zone),
        finding=finding,
        before=words.joined(parts),
        next_try=next_try,
        cure=sentence(finding.cure),
        acts=tuple(_acts(finding)),
    )


def _acts(finding: Finding) -> Iterator[NoteAct]:
    """Yield the act that cures, and where it is done elsewhere, what opens that page."""
    name, count = finding.subject, finding.count or 0
    match finding.code:
        case FindingCode.RELOAD_REFUSED:
            yield NoteAct(label="Show", endpoint="pages.routes")
        case FindingCode.PAUSED:
            yield NoteAct(label="Resume", endpoint="actions.resume", values={"name": name}, posts=True)
            yield NoteAct(label=f"Open {name}", endpoint="pages.destination", values={"name": name})
        case FindingCode.FAILING:
            yield NoteAct(label=f"Open {name}", endpoint="pages.destination", values={"name": name})
        case FindingCode.REFUSED | FindingCode.UNKNOWN_PATH:
            yield NoteAct(label="Open routes", endpoint="pages.routes")
        case FindingCode.REMOVED | FindingCode.SWITCHED_OFF if count:
            yield _listed(f"Show {count:,}", state="pending", destination=name)
        case FindingCode.DEAD:
            values = {"act": "retry", "all": "yes", "state": "dead", "destination": name}
            yield NoteAct(label=f"Retry {count:,}…", endpoint="acts.deliveries", values=values, asks=True)
        case FindingCode.HELD:
            yield _listed(f"Decide {count:,}", state="held", destination=name)
        case FindingCode.DEGRADED:
            yield _listed(f"Show {count:,}", degraded="true", since="24h", destination=name)


def _listed(label: str, **values: str) -> NoteAct:
    return NoteAct(label=label, endpoint="pages.deliveries", values=values)


def _warnings(problems: Sequence[Finding]) -> list[Note]:
    if not problems:
        return []
    return [
        Note(
            tone=Tone.TASK,
            title=f"{counted(len(problems), 'warning')} in routes.yaml",
            cure="It runs as it is; `hub check` prints the same.",
            acts=(NoteAct(label="Show", endpoint="pages.routes"),),
        )
    ]


def _in_short(finding: Finding) -> str:
    """Return a finding as a part of the line under which it is folded."""
    names = (finding.reason or "").removesuffix(" is not set").removesuffix(" are not set")
    is_unset = finding.code is FindingCode.NOT_CONFIGURED and names != finding.reason
    return f"{finding.headline} ({names})" if is_unset else finding.headline


def _fold(more: int, notes: int, summaries: Sequence[str]) -> str:
    """Return the line under which notes are folded; empty where there are none."""
    kinds = [f"{more} more" if more else "", counted(notes, "smaller note") if notes else ""]
    counts = enumerated(list(filter(None, kinds)))
    return f"{counts}: {' · '.join(summaries)}" if counts else ""
