"""YAML text -> values that know where they stand."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from hub.yamldoc import Document, Path, parse


def document(text: str) -> Document:
    tree, problems = parse(text.encode(), "f.yaml")

    assert list(problems) == []
    assert tree is not None
    return tree


def at(text: str, path: Path, *, key: bool = False) -> tuple[int, int]:
    tree = document(text)
    position = tree.key_at(path) if key else tree.at(path)
    return position.line, position.column


def messages(text: str) -> list[str]:
    _, problems = parse(text.encode(), "f.yaml")
    return [f"{problem.line}:{problem.column}: {problem.message}" for problem in problems]


# -- values ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plain", "expected"),
    [
        *[(text, None) for text in ("", "~", "null", "Null", "NULL")],
        *[(text, True) for text in ("true", "True", "TRUE")],
        *[(text, False) for text in ("false", "False", "FALSE")],
        *[("0", 0), ("12", 12), ("-5", -5), ("9" * 30, int("9" * 30))],
        *[("1.5", 1.5), ("-0.5", -0.5), ("1e3", 1000.0), ("1.0E-2", 0.01)],
        *[(text, text) for text in ("NO", "no", "yes", "on", "off", "y", "n", "nUll", "tRue", "None")],
        *[
            (text, text)
            for text in ("012", "0x1F", "0o17", "0b1", "1_000", "+49123", ".5", "1.", ".inf", ".nan")
        ],
        *[(text, text) for text in ("22:00", "1:30:00", "2024-01-01", "2024-01-01T10:00:00Z", "1e999", "=")],
        ("1" * 400, "1" * 400),
    ],
)
def test_an_unquoted_value_is_what_it_looks_like(plain: str, expected: Any) -> None:
    value = document(f"a: {plain}\n").value["a"]

    assert (expected, type(expected)) == (value, type(value))


@pytest.mark.parametrize("quoted", ["'12'", '"12"', '"\\x312"'])
def test_a_quoted_value_is_text(quoted: str) -> None:
    assert document(f"a: {quoted}\n").value == {"a": "12"}


@pytest.mark.parametrize("key", ["on", "yes", "NO", "012", "22:00", "'1'", '"true"', "a b", "ä"])
def test_a_key_that_looks_like_text_is_text(key: str) -> None:
    assert {key.strip("'\""): 1} == document(f"{key}: 1\n").value


def test_a_byte_order_mark_and_windows_line_ends_change_nothing() -> None:
    assert document("\ufeffa:\r\n  - 1\r\n  - |\r\n    b\r\n    c\r\n").value == {"a": [1, "b\nc\n"]}


def test_an_empty_file_is_nothing() -> None:
    assert [document(text).value for text in ("", "\n\n", "# only a comment")] == [None, None, None]


def test_aliases_repeat_a_value() -> None:
    assert document("a: &x [1]\nb: *x\nc: {d: *x}\n").value == {"a": [1], "b": [1], "c": {"d": [1]}}


def test_of_two_equal_keys_the_first_counts_and_the_second_is_a_problem() -> None:
    tree, _ = parse(b"a: 1\nb: {c: 1, c: 2}\na: 3\n", "f.yaml")

    assert tree is not None
    assert tree.value == {"a": 1, "b": {"c": 1}}
    assert messages("a: 1\nb: {c: 1, c: 2}\na: 3\n") == [
        '2:11: "c" is here a second time, the first is in line 2; keep one of them',
        '3:1: "a" is here a second time, the first is in line 1; keep one of them',
    ]


@pytest.mark.parametrize("size", [1, 8, 300])
def test_repeated_aliases_are_bounded(size: int) -> None:
    text = "a0: &a0 [1, 2]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, size + 1))
    tree, problems = parse((text + f"z: *a{size}\n").encode(), "f.yaml")

    assert (size < 9) == (tree is not None)
    assert (size < 9) == (problems == ())


def test_nesting_is_bounded() -> None:
    assert messages("[" * 50 + "]" * 50) == []
    assert messages("[" * 51 + "]" * 51) == ["1:51: nested deeper than 50 levels; take some levels away"]
    assert messages("[" * 200_000) == ["1:51: nested deeper than 50 levels; take some levels away"]
    assert messages("- " * 200 + "a") == ["1:101: nested deeper than 50 levels; take some levels away"]


# -- places ---------------------------------------------------------------------------------------

PLACES = """\
version: 1
routes:
  - name: a
    send: [x, {to: y, text: "z"}]
  -
    name: &n b
    when: !
"""


@pytest.mark.parametrize(
    ("path", "value", "key"),
    [
        (("version",), (1, 10), (1, 1)),
        (("routes",), (3, 3), (2, 1)),
        (("routes", 0), (3, 5), (3, 5)),
        (("routes", 0, "name"), (3, 11), (3, 5)),
        (("routes", 0, "send", 0), (4, 12), (4, 12)),
        (("routes", 0, "send", 1, "text"), (4, 29), (4, 23)),
        (("routes", 1), (6, 5), (6, 5)),
        (("routes", 1, "name"), (6, 14), (6, 5)),
        (("routes", 0, "nothing"), (3, 5), (3, 5)),
        ((), (1, 1), (1, 1)),
    ],
)
def test_every_key_and_value_knows_its_place(
    path: Path, value: tuple[int, int], key: tuple[int, int]
) -> None:
    text = PLACES.replace("    when: !\n", "    alias: *n\n")

    assert value == at(text, path)
    assert key == at(text, path, key=True)


@pytest.mark.parametrize(
    "text",
    [
        "a: one two @three\n",
        "a: 'it''s @three'\n",
        'a: "x\\n\\u00e9\\x41\\"\\t\\U0001F600@three"\n',
        "a: |\n  one\n\n    two\n  @three\n",
        "a: |2-\n    one\n  @three\n",
        "a: >\n  one\n  two\n\n  @three\n",
        "a: >\n  one\n    more\n  @three\n",
        "a: one\n  two\n\n  @three\n",
        "a: 'one\n  two\n\n  @three'\n",
        'a: "one\n  two \\\n  @three"\n',
        'a: "one\\\n   \\ two @three"\n',
        "a:\r\n  |\r\n  one\r\n  @three\r\n",
        "a: &x\n  one @three\n",
        "a: # why\n  one @three\n",
        "- {b: [1, 'x @three']}\n",
    ],
)
def test_every_character_of_a_text_knows_its_place(text: str) -> None:
    tree, _ = parse(text.encode(), "f.yaml")
    assert tree is not None
    path, value = next((path, value) for path, value in tree.texts() if "@three" in value)
    position = tree.within(path, value.index("@"))
    line = text.split("\n")[position.line - 1]

    assert line[position.column - 1 :].rstrip("\r'\"]}") == "@three"


def test_an_alias_stands_where_its_text_stands() -> None:
    assert at("a: &x bcd\nb: *x\n", ("b",)) == (1, 7)


@given(value=st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20), data=st.data())
def test_places_stay_inside_the_file(value: str, data: st.DataObject) -> None:
    width = data.draw(st.integers(5, 80))
    style = data.draw(st.sampled_from([None, "'", '"', "|", ">"]))
    text = yaml.dump({"a": [value]}, allow_unicode=True, width=width, default_style=style)
    tree, problems = parse(text.encode(), "f.yaml")
    if tree is None or problems or not isinstance(tree.value["a"][0], str):
        return
    for offset in range(len(value) + 1):
        position = tree.within(("a", 0), offset)

        assert 1 <= position.line <= text.count("\n") + 1 + text.count("\r") + text.count("\x85") * 2
        assert position.column >= 1
