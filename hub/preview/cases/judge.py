"""The judgement of a case: every message of its event is expected, and every expected one comes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hub.ingest.route import Rules
from hub.model.routing import Routing
from hub.preview.cases.actual import ActualMessage
from hub.preview.cases.case import Case, Expectation
from hub.preview.cases.mismatch import Mismatch, failures, mismatches
from hub.preview.dry_run import dry_run
from hub.preview.earlier import GivenEarlier

Comparisons = Sequence[dict[int, list[Mismatch]]]
"""For each expectation, the mismatches of each message that it may be about, by the message's number."""


@dataclass(frozen=True, kw_only=True)
class CaseResult:
    """The outcome of a case; it passed where nothing mismatches."""

    case: Case
    mismatches: tuple[Mismatch, ...]

    @property
    def passed(self) -> bool:
        return not self.mismatches


def judge(case: Case, rules: Rules, public_url: str = "") -> CaseResult:
    """Return the result of a case by these rules; nothing is sent."""
    earlier = None if case.previous is None else GivenEarlier(event=case.previous)
    run = dry_run(case.event, rules, public_url, earlier)
    actual = [ActualMessage(rendering=rendering, event=case.event) for rendering in run.renderings]
    return CaseResult(case=case, mismatches=tuple(_mismatches(case, actual, run.routing, rules)))


def _mismatches(
    case: Case, actual: list[ActualMessage], routing: Routing, rules: Rules
) -> Iterator[Mismatch]:
    comparisons = [
        {
            number: list(mismatches(expectation, message))
            for number, message in enumerate(actual)
            if _is_about(expectation, message)
        }
        for expectation in case.expect
    ]
    numbers = _assigned(comparisons)
    for index, expectation in enumerate(case.expect):
        if index in numbers:
            yield from comparisons[index][numbers[index]]
        else:
            reason = _why_missing(expectation, routing, rules)
            yield Mismatch(line=expectation.line, column=expectation.column, message=reason)
    for number, message in enumerate(actual):
        if number not in numbers.values():
            reason = f"{message.name}: this message is not expected"
            yield Mismatch(line=case.line, column=case.column, message=reason, actual=message.shown)
            yield from failures(message, case.line, case.column)


def _assigned(comparisons: Comparisons) -> dict[int, int]:
    """Return the number of the message that each expectation is held against, by the expectation's index.

    As many as possible get one that fits, whatever their order; the others one that is free, if any.
    """
    fitting = [
        [number for number, problems in comparison.items() if not problems] for comparison in comparisons
    ]
    holders: dict[int, int] = {}
    for index in range(len(comparisons)):
        _assign(index, fitting, holders, set())
    for index, comparison in enumerate(comparisons):
        free = [number for number in comparison if number not in holders]
        if free and index not in holders.values():
            holders[free[0]] = index
    return {index: number for number, index in holders.items()}


def _assign(index: int, fitting: list[list[int]], holders: dict[int, int], tried: set[int]) -> bool:
    """Give an expectation a message, if need be by giving another expectation another one."""
    for number in fitting[index]:
        if number not in tried:
            tried.add(number)
            if number not in holders or _assign(holders[number], fitting, holders, tried):
                holders[number] = index
                return True
    return False


def _is_about(expectation: Expectation, message: ActualMessage) -> bool:
    rendering = message.rendering
    return expectation.to == rendering.destination.name and expectation.route in (None, rendering.route)


def _why_missing(expectation: Expectation, routing: Routing, rules: Rules) -> str:
    """Say that a message is missing, and for which reason each route that could send it did not."""
    by = f" by {expectation.route}" if expectation.route else ""
    message = f"{expectation.to}{by}: nothing is sent there"
    for verdict in routing.verdicts:
        names = [send.to for send in rules.config.sends_of(verdict.route)]
        if not verdict.matched and expectation.to in names and expectation.route in (None, verdict.route):
            message += f"; the route {verdict.route} does not take it: {verdict.condition}: {verdict.value}"
        for sent in verdict.sends if expectation.route in (None, verdict.route) else ():
            if sent.to == expectation.to:
                message += f"; its block of {verdict.route} is left out: {sent.condition}: {sent.value}"
    if not rules.config.destinations[expectation.to].enabled:
        message += "; the destination has enabled: false"
    return message
