"""The observations of a text for all types of events -> diagnostics, each with a message that names them."""

from __future__ import annotations

import difflib
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass

from hub.catalog import fields_of, find_event_type
from hub.humanize import did_you_mean, listed
from hub.lint.access import PYTHON
from hub.lint.diagnostics import Diagnostic, Observation, Site
from hub.lint.environments import TypeEnvironment
from hub.lint.filters import READ_FIELDS
from hub.lint.meanings import PERSON, VARIABLES, advice_on_member
from hub.lint.statements import Analysis
from hub.model.problem import Code, Severity

_ALWAYS_WARNINGS = frozenset((Code.EMPTY_VALUE, Code.ONE_TIME_SECRET))
_LISTED = 12

SEND_NOUN = "this send block"
_KINDS = {"text": "a text", "number": "a number", "boolean": "true or false"}


@dataclass(frozen=True, kw_only=True)
class Use:
    """The analysis of a text for one type of event, and the codes that its scope allows."""

    environment: TypeEnvironment
    analysis: Analysis
    allow: tuple[str, ...] = ()


@dataclass(kw_only=True)
class UsedText:
    """A text with all its uses; `noun` is its name in messages."""

    location: Hashable
    noun: str
    uses: list[Use]


Environments = list[TypeEnvironment]
_Observed = dict[Observation, dict[str, TypeEnvironment]]
"""Observations, each with the environments in which it was made, by their types."""


def diagnostics_of(text: UsedText, known_types: frozenset[str]) -> Iterator[Diagnostic]:
    """Yield the diagnostics of a text, all its uses taken together; offsets count as Jinja's do.

    `known_types` are the names of all event types there are.
    """
    for observed in _grouped(text.uses).values():
        yield _diagnostic(text, observed, known_types)


def types_listed(environments: Iterable[TypeEnvironment]) -> str:
    """Return the names of event types as part of a message."""
    return listed(sorted(environment.type for environment in environments))


def whole_event_message(recipient: str, secret: str, environments: Environments, advice: str) -> str:
    """Return the message about a one-time secret in an event that is passed on whole."""
    return (
        f'"{recipient}" gets the event itself, and with it {secret}, '
        f"a one-time secret of {types_listed(environments)}; {advice}"
    )


def never_true_message(environments: Environments, noun: str) -> str:
    """Return the message about a condition that none of these event types meets."""
    types = types_listed(environments)
    effect = "this block sends nothing" if noun == SEND_NOUN else "the route takes nothing"
    return f"this never holds for {types}, so {effect}; mend or remove it"


def _grouped(uses: list[Use]) -> dict[tuple[object, ...], _Observed]:
    """Group the observations that count: each group makes one diagnostic."""
    right_sites: set[Site] = set()
    for analysis in {id(use.analysis): use.analysis for use in uses}.values():
        right_sites |= analysis.right_sites
    seen = {f'"{use.environment.type}"' for use in uses}
    grouped: dict[tuple[object, ...], _Observed] = {}
    for use in uses:
        observations = use.analysis.observations
        wrong = {observation.offset for observation in observations if not observation.is_of_emptiness}
        for observation in observations:
            if observation.is_of_emptiness and observation.offset in wrong:
                continue  # what is not there at all is not also empty
            is_right = observation.site in right_sites or (
                _is_of_type(observation) and observation.detail in seen
            )
            if observation.code not in use.allow and not (observation.weak and is_right):
                group = grouped.setdefault(_group_of(observation), {})
                group.setdefault(observation, {})[use.environment.type] = use.environment
    return grouped


def _group_of(observation: Observation) -> tuple[object, ...]:
    """Return the key of one diagnostic: of an empty value only the first effect is told."""
    if observation.code is Code.EMPTY_VALUE:
        return (observation.offset, observation.code)
    return (observation.offset, observation.code, observation.subject, observation.detail)


def _diagnostic(text: UsedText, observed: _Observed, known_types: frozenset[str]) -> Diagnostic:
    observations = list(observed)
    first = observations[0]
    environments = list(
        {name: env for by_type in observed.values() for name, env in by_type.items()}.values()
    )
    if _is_of_type(first):
        seen = [use.environment for use in text.uses]
        code, message = _unseen_type(first, seen, known_types, text.noun)
    else:
        code, message = first.code, _message(observations, environments)
    is_sure = _is_sure(first, environments)
    if not is_sure and code not in _ALWAYS_WARNINGS:
        unpublished = types_listed(env for env in environments if not env.published)
        message += f" (Clerk publishes no schema for {unpublished})"
    severity = Severity.WARNING if code in _ALWAYS_WARNINGS or not is_sure else Severity.ERROR
    return Diagnostic(
        location=text.location, offset=first.offset, code=code, severity=severity, message=message
    )


def _is_sure(observation: Observation, environments: Environments) -> bool:
    """Return whether a mistake does not rest on a schema that is only inferred."""
    if observation.code is Code.UNKNOWN_VARIABLE or _is_of_type(observation):
        return True
    published = [environment.published for environment in environments]
    return all(published) if observation.weak else any(published)


def _is_of_type(observation: Observation) -> bool:
    """Return whether it is about a comparison with the type of the event."""
    return observation.code is Code.IMPOSSIBLE_COMPARISON and observation.subject == "type"


def _message(observations: list[Observation], environments: Environments) -> str:
    first = observations[0]
    if first.code is Code.UNKNOWN_FIELD:
        return _unknown_field(observations, environments)
    if first.code is Code.UNKNOWN_VARIABLE:
        return f'nothing is called "{first.subject}" here{_variable_meant(first, environments)}'
    if first.code is Code.IMPOSSIBLE_COMPARISON:
        return _impossible(observations, environments)
    if first.code is Code.EMPTY_VALUE:
        return _empty(first, environments)
    owners = _of(environments)
    return f"{first.subject} is a one-time secret{owners}: whoever reads this can use it; leave it out"


def _of(environments: Environments) -> str:
    """Return ` of user.created` where the types are known, else nothing."""
    return (
        f" of {types_listed(environments)}"
        if all(environment.is_known for environment in environments)
        else ""
    )


def _variable_meant(observation: Observation, environments: Environments) -> str:
    name = observation.subject
    if name in VARIABLES:
        return f"; {VARIABLES[name]}"
    there_are = f"; there are {listed(sorted(observation.known))}"
    return _elsewhere(name, environments) or did_you_mean(name, observation.known, there_are)


def _unknown_field(observations: list[Observation], environments: Environments) -> str:
    observation = observations[0]
    holder, _, name = observation.subject.rpartition(".")
    if observation.detail.startswith("filter "):
        reads = f'which the filter "{observation.detail.removeprefix("filter ")}" reads'
        return f"{_have(environments)} no {observation.subject}, {reads}"
    if observation.detail:
        return _no_member(observation, holder, name, _of(environments))
    if observation.subject in ("event.data", "event.object"):
        return f"there is no {observation.subject}; did you mean data?"
    if not observation.subject.startswith("data"):
        close = _close(observation.subject, observation.known)
        return f"there is no {observation.subject}{close or _there_is(environments, observation.known)}"
    shared = frozenset.intersection(*(observation.known for observation in observations))
    known = frozenset.union(*(observation.known for observation in observations))
    meant = (
        _person_filter(holder, name, shared or known)
        or _field_meant(observation.subject, shared, known, environments)
        or _there_is(environments, shared or known)
    )
    return f"{_have(environments)} no {observation.subject}{meant}"


def _field_meant(
    subject: str, shared: frozenset[str], known: frozenset[str], environments: Environments
) -> str:
    """Return the question for another field, or for a method; empty where none is near."""
    name = subject.rpartition(".")[2]
    if name in ("items", "keys", "values"):
        return f"; a method needs brackets: {subject}()"
    elsewhere = _elsewhere(name, environments)
    close = _close(subject, shared) or _close(subject, known)
    # A field of that very name is what was meant, unless it is only one of many.
    return (close or elsewhere) if "[0]" in elsewhere else (elsewhere or close)


def _no_member(observation: Observation, holder: str, name: str, owners: str) -> str:
    """Return the message about a field of a list, a text, a number or a boolean."""
    is_list = observation.detail == "list"
    kind = "a list" if is_list else _KINDS[observation.detail]
    advice = advice_on_member(holder, name)
    if advice:
        return f'{holder}{owners} is {kind} and has no "{name}"; write {advice}'
    if callable(getattr(list if is_list else PYTHON[observation.detail], name, None)):
        return f"{holder}{owners} is {kind}, whose method needs brackets: {holder}.{name}()"
    if is_list:
        return f"{holder}{owners} is a list; take {holder}[0].{name}, or loop over it"
    return f'{holder}{owners} is {kind} and has no "{name}"'


def _person_filter(holder: str, name: str, known: frozenset[str]) -> str:
    """Return the filter of persons that was meant by a field, where the object is a person."""
    for filter_name, names in PERSON.items():
        is_person = any(f"{holder}.{field}" in known for field in READ_FIELDS[filter_name])
        if name in names and is_person:
            return f"; did you mean {holder} | {filter_name}?"
    return ""


def _have(environments: Environments) -> str:
    return f"{types_listed(environments)} {'has' if len(environments) == 1 else 'have'}"


def _close(path: str, known: Iterable[str]) -> str:
    """Return the path that was probably meant: its last name is close to the written one."""
    names = {candidate.rpartition(".")[2].lower(): candidate for candidate in sorted(known)}
    name = path.rpartition(".")[2].lower()
    close = difflib.get_close_matches(name[:200], names, n=1, cutoff=0.6)
    return f"; did you mean {names[close[0]]}?" if close else ""


def _elsewhere(name: str, environments: Environments) -> str:
    """Return the field of that very name which stands higher or deeper in all of these types."""
    paths: list[set[str]] = []
    for environment in environments:
        event_type = find_event_type(environment.type)
        fields = fields_of(event_type) if event_type else ()
        paths.append({field.path for field in fields if field.path.rpartition(".")[2] == name})
    common = set.intersection(*paths) if paths else set()
    best = min(common, key=lambda path: (path.count("."), len(path), path), default="")
    return f"; did you mean {best.replace('[]', '[0]')}?" if best else ""


def _there_is(environments: Environments, known: frozenset[str]) -> str:
    if 0 < len(known) <= _LISTED:
        names = sorted(path.rpartition(".")[2] for path in known)
        return f"; there {'is only' if len(names) == 1 else 'are'} {listed(names)}"
    return f'; "hub events {min(environment.type for environment in environments)}" lists what it has'


def _unseen_type(
    observation: Observation, seen: Environments, known_types: frozenset[str], noun: str
) -> tuple[Code, str]:
    wanted = observation.detail.strip('"')
    if wanted not in known_types:
        close = did_you_mean(wanted, known_types, '; "hub events" lists them')
        return Code.UNKNOWN_EVENT, f'no event type is called "{wanted}"{close}'
    types = {environment.type: environment for environment in seen}
    return Code.IMPOSSIBLE_COMPARISON, f"{noun} never sees {wanted}, only {types_listed(types.values())}"


def _impossible(observations: list[Observation], environments: Environments) -> str:
    observation = observations[0]
    if not observation.known:
        kind = _KINDS[observation.detail]
        return f"{observation.subject}{_of(environments)} is {kind}, so this comparison never holds"
    known = frozenset.union(*(observation.known for observation in observations))
    values = listed(f'"{value}"' for value in sorted(known))
    only = f"; it is always {values}" if len(known) == 1 else f"; it is one of {values}"
    close = did_you_mean(observation.detail.strip('"'), known, only)
    return f"{observation.subject}{_of(environments)} is never {observation.detail}{close}"


def _empty(observation: Observation, environments: Environments) -> str:
    subject = f"{observation.subject}{_of(environments)}"
    return f"{subject} may be empty, and {observation.detail}; test it first, or give it a default"
