"""What was found for each type of event -> one problem that names them all."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hub.catalog import fields_of, find_event_type
from hub.humanize import did_you_mean, listed
from hub.lint.diagnostics import Mark, Remark
from hub.lint.environments import Scene
from hub.lint.statements import Found
from hub.model.problem import Code, Severity

_ALWAYS_WARNINGS = frozenset((Code.EMPTY_VALUE, Code.ONE_TIME_SECRET))
_LISTED = 12


@dataclass(frozen=True, kw_only=True)
class Use:
    """One reading of a text: for which type of event, and the codes that its route allows."""

    scene: Scene
    found: Found
    allow: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """A problem at an offset of a text."""

    offset: int
    code: Code
    severity: Severity
    message: str


def judge(uses: Iterable[Use], known_types: frozenset[str], noun: str) -> Iterator[Judgement]:
    """The problems of one text, all its uses taken together; `noun` is what it is."""
    uses = list(uses)
    cleared: set[Mark] = set()
    for found in {id(use.found): use.found for use in uses}.values():
        cleared |= found.cleared
    grouped: dict[tuple[object, ...], dict[Remark, dict[str, Scene]]] = {}
    seen = {f'"{use.scene.type}"' for use in uses}
    for use in uses:
        for remark in use.found.remarks:
            is_fine = remark.weak and (
                remark.mark in cleared or (_is_of_type(remark) and remark.detail in seen)
            )
            if remark.code not in use.allow and not is_fine:
                group = grouped.setdefault(_group(remark), {})
                group.setdefault(remark, {})[use.scene.type] = use.scene
    for remarks in grouped.values():
        scenes = {name: scene for each in remarks.values() for name, scene in each.items()}
        yield _judgement(list(remarks), list(scenes.values()), [use.scene for use in uses], known_types, noun)


def types_listed(scenes: Iterable[Scene]) -> str:
    return listed(sorted(scene.type for scene in scenes))


def _group(remark: Remark) -> tuple[object, ...]:
    """What is said once: of an empty value only the first thing that it breaks."""
    if remark.code is Code.EMPTY_VALUE:
        return (remark.offset, remark.code)
    return (remark.offset, remark.code, remark.subject, remark.detail)


def _judgement(
    remarks: list[Remark], scenes: list[Scene], seen: list[Scene], known_types: frozenset[str], noun: str
) -> Judgement:
    remark = remarks[0]
    code = remark.code
    is_sure = all(s.published for s in scenes) if remark.weak else any(s.published for s in scenes)
    if code is Code.UNKNOWN_FIELD:
        message = _unknown_field(remarks, scenes)
    elif code is Code.UNKNOWN_VARIABLE:
        is_sure = True
        close = did_you_mean(remark.subject, remark.known, f"; there are {listed(sorted(remark.known))}")
        message = f'nothing is called "{remark.subject}" here{close}'
    elif _is_of_type(remark):
        is_sure = True
        code, message = _unseen_type(remark, seen, known_types, noun)
    elif code is Code.IMPOSSIBLE_COMPARISON:
        message = _impossible(remarks, scenes)
    elif code is Code.EMPTY_VALUE:
        message = _empty(remark, scenes)
    else:
        owners = _of(scenes)
        message = (
            f"{remark.subject} is a one-time secret{owners}: whoever reads this can use it; leave it out"
        )
    if not is_sure and code not in _ALWAYS_WARNINGS:
        message += f" (Clerk publishes no schema for {types_listed(s for s in scenes if not s.published)})"
    severity = Severity.WARNING if code in _ALWAYS_WARNINGS or not is_sure else Severity.ERROR
    return Judgement(offset=remark.offset, code=code, severity=severity, message=message)


def _is_of_type(remark: Remark) -> bool:
    """Whether it is about a comparison with the type of the event."""
    return remark.code is Code.IMPOSSIBLE_COMPARISON and remark.subject == "type"


def _of(scenes: list[Scene]) -> str:
    """` of user.created`, where the types are known."""
    return f" of {types_listed(scenes)}" if all(scene.is_known for scene in scenes) else ""


def _unknown_field(remarks: list[Remark], scenes: list[Scene]) -> str:
    remark = remarks[0]
    holder, _, name = remark.subject.rpartition(".")
    if remark.detail.startswith("filter "):
        reads = f'which the filter "{remark.detail.removeprefix("filter ")}" reads'
        return f"{_have(scenes)} no {remark.subject}, {reads}"
    if remark.detail == "list":
        return f"{holder}{_of(scenes)} is a list; take {holder}[0].{name}, or loop over it"
    if remark.detail:
        kinds = {"text": "a text", "number": "a number", "boolean": "true or false"}
        return f'{holder}{_of(scenes)} is {kinds[remark.detail]} and has no "{name}"'
    if not remark.subject.startswith("data"):
        return f"there is no {remark.subject}{_close(remark.subject, remark.known)}"
    shared = frozenset.intersection(*(each.known for each in remarks))
    known = frozenset.union(*(each.known for each in remarks))
    elsewhere = _elsewhere(name, scenes)
    close = _close(remark.subject, shared) or _close(remark.subject, known)
    # A field of that very name is what was meant, unless it is only one of many.
    meant = (close or elsewhere) if "[]" in elsewhere else (elsewhere or close)
    return f"{_have(scenes)} no {remark.subject}{meant or _there_is(scenes, shared or known)}"


def _have(scenes: list[Scene]) -> str:
    return f"{types_listed(scenes)} {'has' if len(scenes) == 1 else 'have'}"


def _close(path: str, known: Iterable[str]) -> str:
    """The path that was probably meant: its last name is close to the one that was written."""
    names = {each.rpartition(".")[2].lower(): each for each in sorted(known)}
    name = path.rpartition(".")[2].lower()
    close = difflib.get_close_matches(name[:200], names, n=1, cutoff=0.6)
    return f"; did you mean {names[close[0]]}?" if close else ""


def _elsewhere(name: str, scenes: list[Scene]) -> str:
    """A field of that very name which stands higher or deeper in all of these types."""
    paths: list[set[str]] = []
    for scene in scenes:
        event_type = find_event_type(scene.type)
        fields = fields_of(event_type) if event_type else ()
        paths.append({field.path for field in fields if field.path.rpartition(".")[2] == name})
    common = set.intersection(*paths) if paths else set()
    best = min(common, key=lambda path: (path.count("."), len(path), path), default="")
    return f"; did you mean {best}?" if best else ""


def _there_is(scenes: list[Scene], known: frozenset[str]) -> str:
    if 0 < len(known) <= _LISTED:
        names = sorted(path.rpartition(".")[2] for path in known)
        return f"; there {'is only' if len(names) == 1 else 'are'} {listed(names)}"
    return f'; "hub events {min(scene.type for scene in scenes)}" lists what it has'


def _unseen_type(
    remark: Remark, seen: list[Scene], known_types: frozenset[str], noun: str
) -> tuple[Code, str]:
    wanted = remark.detail.strip('"')
    if wanted not in known_types:
        close = did_you_mean(wanted, known_types, '; "hub events" lists them')
        return Code.UNKNOWN_EVENT, f'no event type is called "{wanted}"{close}'
    types = {scene.type: scene for scene in seen}
    return Code.IMPOSSIBLE_COMPARISON, f"{noun} never sees {wanted}, only {types_listed(types.values())}"


def _impossible(remarks: list[Remark], scenes: list[Scene]) -> str:
    remark = remarks[0]
    if not remark.known:
        kinds = {"text": "a text", "number": "a number", "boolean": "true or false"}
        return f"{remark.subject}{_of(scenes)} is {kinds[remark.detail]}, so this comparison never holds"
    known = frozenset.union(*(each.known for each in remarks))
    values = listed(f'"{each}"' for each in sorted(known))
    only = f"; it is always {values}" if len(known) == 1 else f"; it is one of {values}"
    close = did_you_mean(remark.detail.strip('"'), known, only)
    return f"{remark.subject}{_of(scenes)} is never {remark.detail}{close}"


def _empty(remark: Remark, scenes: list[Scene]) -> str:
    subject = remark.subject
    return f"{subject}{_of(scenes)} may be empty, and {remark.detail}; test it first, or give it a default"
