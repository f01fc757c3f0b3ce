"""The line that a problem is about, with a caret below it."""

from __future__ import annotations

import pytest

from hub.model.problem import Problem, Severity
from hub.terminal.excerpt import excerpt


def shown(text: str, line: int, column: int, *, may_be_secret: bool = True) -> list[str]:
    problem = Problem(file="f", line=line, column=column, severity=Severity.ERROR, code="x", message="x")
    return excerpt(text, problem, may_be_secret=may_be_secret)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("    webhook_url: https://hooks/s3cret", "    webhook_url: …"),
        ("    webhook_url: ${SLACK_WEBHOOK_URL} # why", "    webhook_url: ${SLACK_WEBHOOK_URL} # why"),
        ("    webhook_url: ${SLACK_WEBHOOK_URL:-s3cret}", "    webhook_url: …"),
        ('    "webhook_url": "s3cret"', '    "webhook_url": …'),
        ("    webhook_url: @s3cret", "    webhook_url: …"),
        ("      - s3cret", "      - …"),
        ("      s3cret", "      …"),
        ("    crm: {type: http, url: s3cret}", "    crm: …"),
        ("    {type: http, url: s3cret}", "    …"),
        ("    'it''s: s3cret", "    …"),
        ("    rate_limit: 50", "    rate_limit: 50"),
        ("    headers:", "    headers:"),
    ],
)
def test_what_may_be_a_secret_is_not_shown(line: str, expected: str) -> None:
    for section in ("sources:", "destinations:", "destinatoins:"):
        assert f"  3 | {expected}" == shown(f"{section}\n  x:\n{line}\n", 3, 5)[0]
    assert f"  3 | {line}" == shown(f"routes:\n  x:\n{line}\n", 3, 5)[0]


def test_a_secret_beside_the_name_of_its_section_is_not_shown() -> None:
    assert shown("destinations: {x: {url: s3cret}}\n", 1, 15)[0] == "  1 | destinations: …"
    assert shown("s3cret", 1, 1)[0] == "  1 | …"
    assert shown("{{ s3cret }", 1, 1, may_be_secret=False)[0] == "  1 | {{ s3cret }"


@pytest.mark.parametrize(
    "section", ["x-shared:", '"destinations":', "'destinations':", "? destinations\n:", "defaults:"]
)
def test_a_section_behind_the_routes_is_told_from_them_however_its_name_is_written(section: str) -> None:
    text = f"routes:\n- name: a\n{section}\n  proxy: s3cret\n"

    assert shown(text, text[: text.index("s3cret")].count("\n") + 1, 5)[0].endswith("|   proxy: …")
    assert shown(text, 2, 5)[0] == "  2 | - name: a"


def test_a_long_line_is_shown_around_the_caret() -> None:
    line, caret = shown("routes: " + "x" * 500 + "!" + "y" * 500, 1, 509)

    assert line[caret.index("^")] == "!"
    assert len(line) <= 110


def test_the_caret_stands_below_its_character_whatever_is_before_it() -> None:
    assert shown("routes: \t東京x", 1, 12) == ["  1 | routes:  東京x", "    |              ^"]
    assert shown("routes: e\u0301x", 1, 11) == ["  1 | routes: e\u0301x", "    |          ^"]


def test_control_characters_do_not_reach_the_terminal() -> None:
    assert shown("routes:\x1b[31mx", 1, 1)[0] == "  1 | routes: [31mx"


def test_there_may_be_no_such_line() -> None:
    assert [shown("a\n", 9, 1), shown("\n", 1, 1)] == [[], []]
