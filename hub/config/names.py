"""Names of sources and destinations, and values without which nothing else can be checked."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from hub.config.report import Report
from hub.humanize import did_you_mean, enumerated, kind_of, there_are
from hub.model.problem import Code
from hub.yamldoc import Path

OWN_PREFIX = "x-"
"""Names at the top of routes.yaml that begin so are the user's own, for anchors that the rest refers to."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def named_blocks(report: Report, sections: Mapping[str, Any], section: str) -> dict[str, Any]:
    """Return the blocks of a section that maps names to blocks; an empty section has none."""
    blocks = sections.get(section)
    if blocks is None:
        return {}
    if not isinstance(blocks, dict):
        message = f"{section} must be a mapping from names to blocks, not {kind_of(blocks)}"
        report.error((section,), Code.WRONG_TYPE, message)
        return {}
    for name in blocks:
        if not _NAME.fullmatch(name):
            message = (
                "a name has letters, digits and _ . - only, at most 64, and begins with a letter or digit"
            )
            report.error((section, name), Code.BAD_NAME, message, key=True)
    return blocks


def is_fixed(report: Report, *paths: Path) -> bool:
    """Return True where the values at these paths can be read in any environment; report what cannot."""
    fixed = True
    for path in paths:
        for where, names in report.needed_below(path).items():
            key = next(step for step in reversed(where) if isinstance(step, str))
            message = (
                f"{enumerated(names)} may be unset, and nothing can be read without {key}: "
                f"write it out, or give it a default: ${{{names[0]}:-…}}"
            )
            report.error(where, Code.UNSET_VARIABLE, message)
            fixed = False
    return fixed


def is_right(report: Report, path: Path, check: Callable[[str], tuple[Code, str] | None], fault: str) -> bool:
    """Return whether a text that nothing can be read without is right as the file has it; report where not.

    `check` returns what is wrong with a text. Where the value of a variable is wrong its default holds, and
    `fault` is what is reported of it.
    """
    written = report.written_at(path)
    if not isinstance(written, str) or report.is_undecided(path):
        return False
    problem = check(written)
    if problem is not None:
        report.error(path, *problem)
        return False
    value = report.value_at(path)
    if value != written and check(value) is not None:
        report.unusable(path, fault)
        report.fall_back(path)
    return True


def is_known_type(report: Report, path: Path, known: tuple[str, ...], noun: str) -> bool:
    """Return whether the `type` of the block at a path is a known one; report it where it is none."""

    def check(name: str) -> tuple[Code, str] | None:
        if name in known:
            return None
        close = did_you_mean(name, known, there_are(known, "; remove it"))
        return Code.UNKNOWN_TYPE, f'there is no {noun} type "{name}"{close}'

    block = report.value_at(path)
    if not isinstance(block, dict) or "type" not in block:
        return False
    return is_right(report, (*path, "type"), check, f"it names no {noun} type")


def check_allowed(report: Report, path: Path) -> None:
    """Report each code that the block at a path allows and that there is none of."""

    def check(code: str) -> tuple[Code, str] | None:
        if code in set(Code):
            return None
        close = did_you_mean(code, set(Code), "; take one from the brackets of a problem")
        return Code.UNKNOWN_CODE, f'there is no problem code "{code}"{close}'

    for where, _ in report.texts_of((*path, "allow")):
        is_right(report, where, check, "it names no problem code")
