"""One line of hostile text, and a change to every string of a JSON value."""

from __future__ import annotations

import pytest

from hub.strings import map_strings, one_line, printable


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\r\n  b", "a b"),
        ("a\x1b[31mb", "a [31mb"),
        ("a\u2028b\u202ec", "a b c"),
        ("half \ud800", "half"),
        ("\u00a0Zo\u00eb  ", "Zo\u00eb"),
        ("\U0001f469\u200d\U0001f680", "\U0001f469\u200d\U0001f680"),
    ],
)
def test_one_line_has_nothing_that_could_end_or_turn_it(text: str, line: str) -> None:
    assert one_line(text) == line


def test_a_line_is_cut_to_its_limit() -> None:
    assert one_line("abc def", 6) == "abc d…"
    assert one_line("abc def", 5) == "abc…"
    assert one_line("abc def", 7) == "abc def"


def test_something_else_may_stand_for_a_character() -> None:
    assert printable("a\0b", instead="?") == "a?b"


def test_every_string_but_the_keys_is_changed_in_a_copy() -> None:
    value = {"a": ["b", 1, {"c": "d"}], "e": None, "f": ("g",)}

    assert map_strings(value, str.upper) == {"a": ["B", 1, {"c": "D"}], "e": None, "f": ["G"]}
    assert value["a"] == ["b", 1, {"c": "d"}]
    assert map_strings("a", str.upper) == "A"


def test_nesting_is_no_limit() -> None:
    value: list[object] = ["a"]
    for _ in range(10_000):
        value = [value]

    changed = map_strings(value, str.upper)
    for _ in range(10_000):
        changed = changed[0]

    assert changed == ["A"]
