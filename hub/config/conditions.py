"""`when` of a route or a send block: conditions that parse, and the variables in them that are not set."""

from __future__ import annotations

from hub.config.report import Report
from hub.config.template_syntax import check_condition
from hub.templating.sandbox import Sandbox
from hub.yamldoc import Path

Undecided = dict[str, tuple[str, ...]]
"""By a condition's text: the variables in it that are not set."""


def read_conditions(
    report: Report, path: Path, sandbox: Sandbox, effect: str
) -> tuple[tuple[str, ...], Undecided]:
    """Return the conditions of a block; `effect` ends the warning of a variable that is not set."""
    where: Path = (*path, "when")
    block = report.value_at(path)
    if not isinstance(block, dict) or "when" not in block:
        return (), {}
    report.leave(where)
    report.warn_unset(where, effect)
    report.warn_quotes(where)
    conditions = report.texts_of(where)
    for text_path, text in conditions:
        problem = check_condition(sandbox, text) if text else None
        if problem:
            report.error(text_path, problem.code, problem.message, offset=problem.offset)
    unset = report.unset_below(where)
    return tuple(text for _, text in conditions), {
        text: unset[text_path] for text_path, text in conditions if text_path in unset
    }
