"""Merge keys: the keys of other mappings, each at the place where it stands."""

from __future__ import annotations

from typing import Any

import pytest

from hub.yamldoc import Document, parse

BASE = "a: &a {k: 1, l: 2}\nb: &b {l: 3, m: 4}\n"


def document(text: str) -> Document:
    tree, problems = parse(text.encode(), "f.yaml")

    assert list(problems) == []
    assert tree is not None
    return tree


def messages(text: str) -> list[str]:
    _, problems = parse(text.encode(), "f.yaml")
    return [f"{problem.line}:{problem.column}: {problem.message}" for problem in problems]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("{<<: *a}", {"k": 1, "l": 2}),
        ("{<<: *a, l: 5}", {"l": 5, "k": 1}),
        ("{l: 5, <<: *a}", {"l": 5, "k": 1}),
        ("{<<: [*a, *b]}", {"k": 1, "l": 2, "m": 4}),
        ("{<<: [*b, *a]}", {"l": 3, "m": 4, "k": 1}),
        ("{<<: {n: 6, k: 7}, k: 8}", {"k": 8, "n": 6}),
        ("{<<: []}", {}),
        ('{"<<": 1}', {"<<": 1}),
        ("{<<: {<<: *a, l: 9}}", {"l": 9, "k": 1}),
    ],
)
def test_own_keys_win_and_of_others_the_first(written: str, value: Any) -> None:
    unused = "" if "*b" in written else "u: *b\n"
    unused += "" if "*a" in written else "v: *a\n"

    assert document(f"{BASE}c: {written}\n{unused}").value["c"] == value


def test_a_merged_mapping_can_be_merged_again() -> None:
    text = f"{BASE}c: &c\n  <<: *a\n  m: 5\nd:\n  <<: [*c, *b]\n"

    assert document(text).value["d"] == {"m": 5, "k": 1, "l": 2}


def test_a_merged_key_stands_where_it_was_written() -> None:
    tree = document("a: &a\n  k: one\nb:\n  <<: *a\n  l: two\n")
    key, value, own = tree.key_at(("b", "k")), tree.at(("b", "k")), tree.key_at(("b", "l"))

    assert [(place.line, place.column) for place in (key, value, own)] == [(2, 3), (2, 6), (5, 3)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "a: {<<: 1}\n",
            "1:9: a merge key takes a mapping (<<: *name), or a list of them (<<: [*one, *other])",
        ),
        ("a: &a [1]\nb: {<<: *a}\n", "1:8: a merge key takes a mapping (<<: *name), or a list of them"),
        (
            "a: {<<: {b: 1}, <<: {c: 1}}\n",
            '1:17: "<<" is here a second time, the first is in line 1; name both',
        ),
        ("a: &a {<<: *a}\n", "1:12: this alias stands inside the very value that it repeats"),
        ("a: {<<: *nope}\n", '1:9: a value that begins with "*" must be in quotes'),
        (
            "a: {k: 1, <<: {k: 2}, k: 3}\n",
            '1:23: "k" is here a second time, the first is in line 1; keep one',
        ),
    ],
)
def test_what_cannot_be_merged_is_one_problem(text: str, message: str) -> None:
    (problem,) = messages(text)

    assert problem.startswith(message)


def test_no_file_can_make_merges_grow_without_bound() -> None:
    keys = ", ".join(f"k{number}: 1" for number in range(10))
    lines = [f"l0: &l0 {{{keys}}}"]
    for number in range(1, 30):
        inner = ", ".join(f"m{key}: {{<<: *l{number - 1}}}" for key in range(10))
        lines.append(f"l{number}: &l{number} {{{inner}}}")
    (problem,) = messages("\n".join(lines))

    assert "aliases repeat more than 10000 values; write fewer of them" in problem
