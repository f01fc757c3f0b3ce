"""Conditions on one event: the first that does not hold, with the value that it saw. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hub.errors import TemplateError
from hub.humanize import not_set
from hub.templating.placeholders import Placeholder
from hub.templating.sandbox import Sandbox

REASON_LIMIT = 161
"""The most characters that are kept of the reason why a condition failed."""

# The left side ends at the first operator, whatever stands in brackets or quotes: then it is no expression,
# and stays unexplained. A variable's value would show.
_LEFT = r"\s*(?:not\s+)?((?:(?!\b(?:and|or|not|if)\b)[^=!<>$])+?)\s*"
_COMPARED = (
    re.compile(_LEFT + r"(?:==|!=|<=|>=|<|>|\bin\b|\bnot in\b)\s"),
    re.compile(_LEFT + r"\.(?:starts|ends)with\("),
)


@dataclass(frozen=True, kw_only=True)
class Unmet:
    """A condition that does not hold, as the user wrote it, and the value that it saw, or its error.

    With `unset` it cannot be decided: it needs variables of those names.
    """

    condition: str
    value: str
    unset: tuple[str, ...] = ()


def first_unmet(
    conditions: Sequence[str],
    unset: Mapping[str, tuple[str, ...]],
    scope: Mapping[str, Any],
    sandbox: Sandbox,
    bound: Mapping[Placeholder, str],
) -> Unmet | None:
    """Return the first condition that does not hold or cannot be decided; None where all hold.

    `bound` are the values of the variables in them. One that fails while it runs does not hold.
    """
    for condition in conditions:
        if names := unset.get(condition):
            return Unmet(condition=condition, value=f"not configured: {not_set(names)}", unset=names)
        try:
            value = sandbox.condition(condition)(scope)
        except TemplateError as error:
            return Unmet(condition=condition, value=f"failed: {without_values(error.message, bound)}")
        if not value:
            return Unmet(condition=condition, value=_explain(condition, value, scope, sandbox))
    return None


def without_values(message: str, bound: Mapping[Placeholder, str]) -> str:
    """Return Jinja's message about a condition without the values of variables, which it may quote."""
    for place, value in sorted(bound.items(), key=lambda item: -len(item[1])):
        message = message.replace(value, f"${{{place.name}}}") if len(value) > 3 else message
    return message


def _explain(condition: str, value: Any, scope: Mapping[str, Any], sandbox: Sandbox) -> str:
    """Return the reason of a condition that does not hold: the value of its left side, if it compares one."""
    for compared in filter(None, (pattern.match(condition) for pattern in _COMPARED)):
        try:
            operand = sandbox.condition(compared[1])(scope)
        except TemplateError:
            continue
        return f"{compared[1]} is {_printed(operand)}"
    return f"it is {_printed(value)}"


def _printed(value: Any) -> str:
    """Return a value as a reader sees it: strings in quotes, null as missing."""
    if value is None:
        return "missing"
    return '"' + value.replace('"', "'") + '"' if isinstance(value, str) else ascii(value)
