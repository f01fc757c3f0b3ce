"""Results as JUnit XML, in the form that CI systems read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from hub.errors import HubError

_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold, not even escaped."""


@dataclass(frozen=True, kw_only=True)
class JUnitCase:
    """One test. `failure` has the reason why it failed, `error` why it could not run, a headline first."""

    name: str
    line: int
    seconds: float = 0.0
    failure: str | None = None
    error: str | None = None


def write_junit(path: Path, suite: str, cases: Iterable[JUnitCase]) -> None:
    """Write a report; raise HubError where the file cannot be written."""
    try:
        path.write_bytes(junit(suite, list(cases)))
    except OSError as error:
        raise HubError(f"cannot write {path}: {error.strerror}") from error


def junit(suite: str, cases: list[JUnitCase]) -> bytes:
    """Return the report of one file of tests."""
    counts = {
        "tests": str(len(cases)),
        "failures": str(sum(case.failure is not None for case in cases)),
        "errors": str(sum(case.error is not None for case in cases)),
        "skipped": "0",
        "time": f"{sum(case.seconds for case in cases):.3f}",
    }
    root = ElementTree.Element("testsuites", {"name": "hub test", **counts})
    element = ElementTree.SubElement(root, "testsuite", {"name": _xml(suite), **counts})
    element.extend(_elements(suite, cases))
    ElementTree.indent(root)
    report: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return report + b"\n"


def _elements(suite: str, cases: list[JUnitCase]) -> Iterator[ElementTree.Element]:
    for case in cases:
        element = ElementTree.Element(
            "testcase",
            {
                "classname": _xml(suite),
                "name": _xml(case.name),
                "file": _xml(suite),
                "line": str(case.line),
                "time": f"{case.seconds:.3f}",
            },
        )
        for kind in ("failure", "error"):
            text = getattr(case, kind)
            if text is not None:
                reason = ElementTree.SubElement(element, kind, {"message": _xml(text.partition("\n")[0])})
                reason.text = _xml(text)
        yield element


def _xml(text: str) -> str:
    return _NO_XML.sub("\N{REPLACEMENT CHARACTER}", text)
