"""Paths of values that somebody sets in a sample, checked like those in templates."""

from __future__ import annotations

import json
import re
from typing import Any

import jinja2

from hub.lint.checker import check_texts
from hub.lint.texts import Scope, Text
from hub.model.problem import Code

_STEP = re.compile(r"\[(\d+)\]|([^.\[\]]+)")


def unknown_path(event_type: str, body: Any, path: str) -> str | None:
    """Return the message about a path that neither the event type nor the body has; None where one has it.

    Only what is below `data` is known.
    """
    first, *steps = [index or name for index, name in _STEP.findall(path)]
    if first != "data" or not steps or _is_there(body, [first, *steps]):
        return None
    expression = first + "".join(f"[{step if step.isdigit() else json.dumps(step)}]" for step in steps)
    text = Text(location=path, source="{{ " + expression + " }}")
    scope = Scope(event_types=(event_type,), texts=(text,))
    diagnostics = check_texts([scope], jinja2.Environment(autoescape=True))
    messages = (problem.message for problem in diagnostics if problem.code is Code.UNKNOWN_FIELD)
    return next(messages, None)


def _is_there(value: Any, steps: list[str]) -> bool:
    for step in steps:
        if isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        elif isinstance(value, dict) and step in value:
            value = value[step]
        else:
            return False
    return True
