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
class Result:
    """One test. `failure` says why it failed, `error` why it could not run; its first line sums it up."""

    name: str
    line: int
    seconds: float = 0.0
    failure: str | None = None
    error: str | None = None


def write_junit(path: Path, suite: str, results: Iterable[Result]) -> None:
    """Write a report; raises HubError where the file cannot be written."""
    try:
        path.write_bytes(junit(suite, list(results)))
    except OSError as error:
        raise HubError(f"cannot write {path}: {error.strerror}") from error


def junit(suite: str, results: list[Result]) -> bytes:
    """The report of one file of tests."""
    counts = {
        "tests": str(len(results)),
        "failures": str(sum(result.failure is not None for result in results)),
        "errors": str(sum(result.error is not None for result in results)),
        "skipped": "0",
        "time": f"{sum(result.seconds for result in results):.3f}",
    }
    root = ElementTree.Element("testsuites", {"name": "hub test", **counts})
    element = ElementTree.SubElement(root, "testsuite", {"name": _xml(suite), **counts})
    element.extend(_elements(suite, results))
    ElementTree.indent(root)
    report: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return report + b"\n"


def _elements(suite: str, results: list[Result]) -> Iterator[ElementTree.Element]:
    for result in results:
        case = ElementTree.Element(
            "testcase",
            {
                "classname": _xml(suite),
                "name": _xml(result.name),
                "file": _xml(suite),
                "line": str(result.line),
                "time": f"{result.seconds:.3f}",
            },
        )
        for kind in ("failure", "error"):
            text = getattr(result, kind)
            if text is not None:
                sub = ElementTree.SubElement(case, kind, {"message": _xml(text.partition("\n")[0])})
                sub.text = _xml(text)
        yield case


def _xml(text: str) -> str:
    return _NO_XML.sub("\N{REPLACEMENT CHARACTER}", text)
