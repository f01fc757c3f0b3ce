"""Tables, times and hostile text on a terminal."""

from datetime import UTC, datetime

import click

from hub.terminal.printing import indented, inline, parse_time
from hub.terminal.table import clip, table

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


def test_a_time_of_the_api_is_in_utc():
    assert parse_time("2026-05-04T14:00:00+02:00") == NOON


def test_text_of_strangers_cannot_act_on_the_terminal():
    assert inline("a\x1b[31m\nb\u202e\u2028 c\ud800") == "a [31m b c"
    assert list(indented("a\x1b[2J\n\tb")) == ["  a?[2J", "      b"]
    assert clip("abcdef", 4) == "abc…"
