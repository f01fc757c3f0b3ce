"""Is everything all right? What the numbers say, and what somebody should do about it: pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from hub.humanize import counted, span
from hub.model.config import Config
from hub.model.delivery import State
from hub.model.problem import Code, Problem, Severity
from hub.model.stats import WORKER_SILENT_AFTER, Stats
from hub.rules.reload import Serving


class Tone(StrEnum):
    """How much a note matters: trouble needs somebody now, a task is for setting up."""

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
class Standing:
    """The whole in one line, and its notes, trouble first."""

    tone: Tone
    headline: str
    notes: tuple[Note, ...]


def standing(stats: Stats, destinations: Sequence[Mapping[str, Any]], serving: Serving) -> Standing:
    """What the status page says first. `destinations` are as `shown.destinations` has them."""
    found = [
        *_worker(stats),
        *_destinations(destinations),
        *_stuck(stats),
        *_refused(serving.refused),
        *_configuration(serving.rules.config),
    ]
    notes = tuple(sorted(found, key=lambda note: note.tone is not Tone.TROUBLE))
    troubles = sum(note.tone is Tone.TROUBLE for note in notes)
    if troubles:
        verb = "needs" if troubles == 1 else "need"
        headline = f"{counted(troubles, 'thing')} {verb} you"
        return Standing(tone=Tone.TROUBLE, headline=headline, notes=notes)
    if notes:
        headline = f"All right so far, {counted(len(notes), 'thing')} left to set up"
        return Standing(tone=Tone.TASK, headline=headline, notes=notes)
    return Standing(tone=Tone.GOOD, headline="Everything is all right", notes=())


def _worker(stats: Stats) -> list[Note]:
    seen_at = stats.worker_seen_at
    if seen_at is not None and stats.now - seen_at <= WORKER_SILENT_AFTER:
        return []
    silent = "No worker has run yet" if seen_at is None else f"Silent for {span(_seconds(stats))}"
    return [
        Note(
            tone=Tone.TROUBLE,
            title="No worker is running",
            text=f"{silent}: events are kept, nothing is sent. Start hub worker, or hub serve for both.",
        )
    ]


def _seconds(stats: Stats) -> float:
    assert stats.worker_seen_at is not None
    return (stats.now - stats.worker_seen_at).total_seconds()


def _destinations(destinations: Sequence[Mapping[str, Any]]) -> list[Note]:
    return [
        Note(
            tone=Tone.TASK if each["state"] == "not_configured" else Tone.TROUBLE,
            title=f"{each['name']} is {_STATE_WORDS[each['state']]}",
            text=" ".join(filter(None, (_sentence(each["paused_reason"]), each["advice"]))),
            action="Destinations",
            endpoint="pages.destinations",
        )
        for each in destinations
        if each["state"] in _STATE_WORDS
    ]


_STATE_WORDS = {
    "paused": "paused",
    "failing": "failing",
    "not_configured": "not configured",
    "removed": "owed to but gone",
}


def _stuck(stats: Stats) -> list[Note]:
    notes = []
    if dead := stats.count(State.DEAD):
        text = "They will not be tried again by themselves. See why, then retry or cancel them."
        notes.append(_stuck_note(State.DEAD, counted(dead, "dead letter"), text))
    if held := stats.count(State.HELD):
        text = "They may have arrived. Look at the other side, then resolve each as delivered or retry it."
        notes.append(_stuck_note(State.HELD, counted(held, "held delivery", "held deliveries"), text))
    return notes


def _stuck_note(state: State, title: str, text: str) -> Note:
    return Note(
        tone=Tone.TROUBLE,
        title=title,
        text=text,
        action="Show them",
        endpoint="pages.deliveries",
        values={"state": state.value},
    )


def _refused(problems: Sequence[Problem]) -> list[Note]:
    """Why the last edit does not serve."""
    errors = [problem for problem in problems if problem.severity is Severity.ERROR]
    if not errors:
        return []
    first = errors[0]
    more = f", and {counted(len(errors) - 1, 'more problem')}" if len(errors) > 1 else ""
    return [
        Note(
            tone=Tone.TROUBLE,
            title="The last edit of the configuration was refused",
            text=f"What served before it still does. {first.file}:{first.line}: {first.message}{more}.",
            action="All problems",
            endpoint="pages.routes",
        )
    ]


def _configuration(config: Config) -> list[Note]:
    """Its warnings, but for unset variables: what needs them says so itself."""
    count = sum(warning.code != Code.UNSET_VARIABLE for warning in config.warnings)
    if not count:
        return []
    return [
        Note(
            tone=Tone.TASK,
            title=counted(count, "warning") + " in the configuration",
            text="It runs as it is; hub check prints the same.",
            action="Routes",
            endpoint="pages.routes",
        )
    ]


def _sentence(text: str | None) -> str:
    """A reason as a sentence of its own."""
    if not text:
        return ""
    return text[0].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")
