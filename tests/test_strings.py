"""One line of hostile text, and a change to every string of a JSON value."""

from __future__ import annotations

import pytest

from hub.strings import (
    is_loopback,
    map_strings,
    one_line,
    printable,
    shortened_bytes,
    utf16_length,
    visible,
)


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


@pytest.mark.parametrize(
    "name",
    [
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "\U0001f468\u200d\U0001f469\u200d\U0001f467",
        "\u2764\ufe0f\u200d\U0001f525",
        "\U0001f469\U0001f3fd\u200d\U0001f680",
        "\u0d2e\u0d4b\u0d39\u0d28\u0d4d\u200d",
        "\u0915\u094d\u200d\u0937",
        "1\ufe0f\u20e3",
        "\u845b\U000e0100\u98fe",
        "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
        "\U0001fae8",
        "evil.\u2060com",
    ],
    ids=[
        *("Persian", "family", "heart on fire", "astronaut", "Malayalam", "Hindi", "keycap", "Japanese"),
        *("Scotland", "newer emoji", "no link"),
    ],
)
def test_signs_that_words_and_emoji_are_written_with_stay(name: str) -> None:
    assert one_line(name) == name
    assert printable(name, instead="?") == name


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("ad\u200cmin", "admin"),
        ("ad\u200dmin", "admin"),
        ("\u0645\u200c\u200c\u062e", "\u0645\u062e"),
        ("Ada\u200d", "Ada"),
        ("M\xfcn\xadchen", "M\xfcnchen"),
        ("a\u200bb\u2060c\ufeffd", "abcd"),
        ("\u200fAda\u200e", "Ada"),
        ("\u3164\u115f\uffa0", ""),
        ("\u2800", ""),
        ("x\ufe0f\ufe0f\U000e0101", "x\ufe0f"),
        ("\ufe0fx", "x"),
        ("x\U000e0041\U000e0042", "x"),
        ("\U0001f3f4\U000e0067", "\U0001f3f4"),
        ("a\u202eb\u2066c\u2069d", "a b c d"),
    ],
)
def test_signs_that_only_hide_something_go(text: str, line: str) -> None:
    assert one_line(text) == line


def test_what_goes_without_a_gap_is_shown_where_something_stands_for_it() -> None:
    assert printable("M\xfcn\xadchen \u3164", instead="?") == "M\xfcn?chen ?"


def test_a_cut_leaves_no_joiner_at_the_end() -> None:
    assert one_line("ab\U0001f468\u200d\U0001f469", 5) == "ab\U0001f468\u200d\U0001f469"
    assert one_line("ab\U0001f468\u200d\U0001f469 x", 5) == "ab\U0001f468…"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Zo\u00eb\tline\n\u4e2d \u00a0", "Zo\u00eb\tline\n\u4e2d \u00a0"),
        ("a\u202eb", "a\\u202eb"),
        ("\x00\x1b[31m\x7f\x9b\r", "\\u0000\\u001b[31m\\u007f\\u009b\\u000d"),
        ("\u2066x\u2069\u200f\u2028\ufeff", "\\u2066x\\u2069\\u200f\\u2028\\ufeff"),
        ("\ud83d", "\\ud83d"),
        (
            "\U0001f469\u200d\U0001f680 \u0645\u06cc\u200c\u062e",
            "\U0001f469\u200d\U0001f680 \u0645\u06cc\u200c\u062e",
        ),
    ],
)
def test_what_is_not_seen_is_made_visible(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.parametrize(
    ("host", "is_this_machine"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("hub.localhost", True),
        ("0.0.0.0", False),
        ("10.0.0.1", False),
        ("localhost.example.com", False),
        ("", False),
    ],
)
def test_loopback_is_this_machine(host: str, is_this_machine: bool) -> None:
    assert is_loopback(host) is is_this_machine


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


@pytest.mark.parametrize(
    ("text", "limit", "cut"),
    [
        ("Zo\xeb", 4, "Zo\xeb"),
        ("Zo\xeb!", 4, "Z…"),
        ("\U0001f600\U0001f600", 7, "\U0001f600…"),
        ("\U0001f600\U0001f600", 6, "…"),
        ("one two", 6, "one…"),
    ],
)
def test_a_text_is_cut_by_its_bytes_between_its_characters(text: str, limit: int, cut: str) -> None:
    assert shortened_bytes(text, limit) == cut
    assert len(cut.encode()) <= limit


def test_utf_16_has_two_units_for_an_emoji() -> None:
    assert [utf16_length(text) for text in ("", "Zo\xeb", "\U0001f600!")] == [0, 3, 3]
