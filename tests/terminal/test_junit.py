"""Reports in JUnit's XML."""

from __future__ import annotations

from xml.etree import ElementTree

from hub.terminal.junit import JUnitCase, junit


def test_a_report_holds_whatever_a_text_holds() -> None:
    odd = "\x00\x1b\ufffe\ud800 <&> \U0001f600"

    (case,) = ElementTree.fromstring(junit(odd, [JUnitCase(name=odd, line=1, error=odd)])).iter("testcase")

    shown = "\N{REPLACEMENT CHARACTER}" * 4 + " <&> \U0001f600"
    assert {case.get("name"), case.get("file"), case.findtext("error")} == {shown}
