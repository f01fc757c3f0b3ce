"""Names of sources and destinations, and values without which nothing else can be checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hub.config.report import Report
from hub.humanize import did_you_mean, kind_of, listed, there_are
from hub.model.problem import Code
from hub.yamldoc import Path

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


def is_fixed(report: Report, path: Path, *keys: str) -> bool:
    """Return whether these keys hold no unset variable; report each that does."""
    fixed = True
    for key in keys:
        for where, names in report.unset_below((*path, key)).items():
            message = f"{listed(names)} is not set; write {key} out or give it a default: ${{{names[0]}:-…}}"
            report.error(where, Code.UNSET_VARIABLE, message)
            fixed = False
    return fixed


def is_known_type(report: Report, path: Path, known: tuple[str, ...], noun: str) -> bool:
    """Return whether the `type` of the block at a path is a known one; report it where it is none."""
    block = report.value_at(path)
    name = block.get("type") if isinstance(block, dict) else None
    if not isinstance(name, str) or report.unset_below((*path, "type")) or name in known:
        return name in known
    close = did_you_mean(name, known, there_are(known, "; remove it"))
    message = report.nothing_called((*path, "type"), f"{noun} type", name)
    report.error((*path, "type"), Code.UNKNOWN_TYPE, f"{message}{close}")
    return False
