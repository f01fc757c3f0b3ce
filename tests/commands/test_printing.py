"""Tables, distances in time and hostile text on a terminal."""

from datetime import UTC, datetime, timedelta

import click
import pytest

from hub.terminal.printing import block, cut, distance, one_line, table, unset

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


def test_columns_are_as_wide_as_their_longest_cell_and_the_last_is_cut():
    rows = [("a", click.style("red", fg="red"), "x" * 100), ("bcd", "e", "short")]

    lines = [click.unstyle(line) for line in table(("ID", "STATE", "REASON"), rows, 50)]

    assert lines == [
        "ID   STATE  REASON",
        "a    red    " + "x" * 37 + "…",
        "bcd  e      short",
    ]


def test_nothing_is_cut_in_a_pipe():
    (_, line) = table(("ID", "REASON"), [("a", "x" * 500)], None)

    assert line.endswith("x" * 500)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "now"),
        (-1, "1 s ago"),
        (-59, "59 s ago"),
        (-200, "3 min ago"),
        (7200, "in 2 h"),
        (90000, "in 1 d"),
        (-0.2, "now"),
    ],
)
def test_distances_are_in_one_unit(seconds, expected):
    assert distance(NOON + timedelta(seconds=seconds), NOON) == expected


def test_text_of_strangers_cannot_act_on_the_terminal():
    assert one_line("a\x1b[31m\nb\u202e\u2028 c\ud800") == "a [31m b c"
    assert list(block("a\x1b[2J\n\tb")) == ["  a?[2J", "      b"]
    assert cut("abcdef", 4) == "abc…"


def test_missing_variables_are_listed():
    assert unset(["A"]) == "A is not set"
    assert unset(["A", "B", "C"]) == "A, B and C are not set"
