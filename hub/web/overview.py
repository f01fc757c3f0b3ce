"""The top of the status page: the findings as notes, each with a link to the page where it is put right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from hub.health.assess import Area
from hub.humanize import counted, sentence
from hub.model.finding import Finding, FindingCode, FindingSeverity


class Tone(StrEnum):
    """The weight of a note: trouble needs somebody now, a task is for setting up."""

    GOOD = "good"
    TASK = "task"
    TROUBLE = "trouble"


@dataclass(frozen=True, kw_only=True)
class Note:
    """One thing to do. `endpoint` and `values` lead to the page where it is done."""

    tone: Tone
    title: str
    text: str
    action: str = ""
    endpoint: str = ""
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Overview:
    """The whole in one line, and its notes, trouble first."""

    tone: Tone
    headline: str
    notes: tuple[Note, ...]


def overview(findings: Mapping[Area, Sequence[Finding]]) -> Overview:
    """Return the findings as the status page shows them first.

    A source that is not configured counts, and has no note: the page says at length how to connect it.
    """
    notes = sorted(_notes(findings), key=lambda note: note.tone is not Tone.TROUBLE)
    urgent = sum(note.tone is Tone.TROUBLE for note in notes)
    connects = sum(finding.code is FindingCode.NOT_CONFIGURED for finding in findings.get(Area.SOURCES, ()))
    tasks = len(notes) - urgent + connects
    if urgent:
        headline = f"{counted(urgent, 'thing')} {'needs' if urgent == 1 else 'need'} you"
        return Overview(tone=Tone.TROUBLE, headline=headline, notes=tuple(notes))
    if tasks:
        headline = f"All right so far, {counted(tasks, 'thing')} left to set up"
        return Overview(tone=Tone.TASK, headline=headline, notes=tuple(notes))
    return Overview(tone=Tone.GOOD, headline="Everything is all right", notes=())


def _notes(findings: Mapping[Area, Sequence[Finding]]) -> Iterator[Note]:
    warnings = 0
    for area, of_area in findings.items():
        for finding in of_area:
            if finding.code is FindingCode.CONFIGURATION:
                warnings += 1
            elif area is not Area.SOURCES or finding.code is not FindingCode.NOT_CONFIGURED:
                yield _note(finding)
    if warnings:
        title = f"{counted(warnings, 'warning')} in the configuration"
        text = "It runs as it is; hub check prints the same."
        yield Note(tone=Tone.TASK, title=title, text=text, action="Routes", endpoint="pages.routes")


def _note(finding: Finding) -> Note:
    action, endpoint, values = _link(finding)
    parts = (finding.reason, finding.waiting, finding.cure)
    return Note(
        tone=Tone.TASK if finding.severity is FindingSeverity.NOTE else Tone.TROUBLE,
        title=finding.headline,
        text=" ".join(filter(None, map(sentence, parts))),
        action=action,
        endpoint=endpoint,
        values=values,
    )


def _link(finding: Finding) -> tuple[str, str, Mapping[str, str]]:
    """Return label, endpoint and values of the page where a finding is put right; else empty ones."""
    match finding.code:
        case FindingCode.RELOAD_REFUSED:
            return "All problems", "pages.routes", {}
        case FindingCode.PAUSED | FindingCode.FAILING | FindingCode.NOT_CONFIGURED:
            return f"Open {finding.subject}", "pages.destination", {"name": finding.subject}
        case FindingCode.REMOVED | FindingCode.SWITCHED_OFF:
            return "Show them", "pages.deliveries", {"state": "pending", "destination": finding.subject}
        case FindingCode.DEAD | FindingCode.HELD:
            state = finding.code.value
            return "Show them", "pages.deliveries", {"state": state, "destination": finding.subject}
        case FindingCode.DEGRADED:
            return "Show them", "pages.deliveries", {"degraded": "true", "destination": finding.subject}
        case FindingCode.SILENT | FindingCode.REFUSED | FindingCode.UNKNOWN_PATH:
            return "Events", "pages.events", {}
        case _:
            return "", "", {}
