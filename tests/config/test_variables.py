"""`${NAME}` in a value."""

from __future__ import annotations

import pytest

from hub.config.variables import Replaced, replace, replace_all

ENVIRONMENT = {"A": "a", "EMPTY": "", "EVIL": "${A} $${ {{ x }}"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain $A {A} $ {A}", Replaced(text="plain $A {A} $ {A}")),
        ("x${A}y${A}", Replaced(text="xaya", set=("A",), needed=("A",))),
        ("${B}", Replaced(text="", unset=("B",), needed=("B",))),
        ("${EMPTY}", Replaced(text="", unset=("EMPTY",), needed=("EMPTY",))),
        ("${B:-b c}", Replaced(text="b c")),
        ("${EMPTY:-b}", Replaced(text="b")),
        ("${B:-}", Replaced(text="")),
        ("${A:-b}", Replaced(text="a", set=("A",))),
        ("${EVIL}", Replaced(text="${A} $${ {{ x }}", set=("EVIL",), needed=("EVIL",))),
        ("$${A}", Replaced(text="${A}")),
        ("$$${A}", Replaced(text="$${A}")),
        ("${{ data.amount }}", Replaced(text="${{ data.amount }}")),
        ("x ${A", Replaced(text="x ${A", malformed=2)),
        ("${1X}", Replaced(text="${1X}", malformed=0)),
        ("${}", Replaced(text="${}", malformed=0)),
        ("${A-b}", Replaced(text="${A-b}", malformed=0)),
        ("${A} ${ ${B", Replaced(text="a ${ ${B", set=("A",), needed=("A",), malformed=5)),
    ],
)
def test_a_variable_is_replaced_by_its_value(text: str, expected: Replaced) -> None:
    assert expected == replace(text, ENVIRONMENT)


def test_only_values_are_replaced_each_on_its_own() -> None:
    value, texts = replace_all({"${A}": ["${A}", 5, None, {"x": "a ${B}"}]}, ENVIRONMENT)

    assert value == {"${A}": ["a", 5, None, {"x": "a "}]}
    assert {path: text.set for path, text in texts.items()} == {("${A}", 0): ("A",), ("${A}", 3, "x"): ()}
    assert {path: text.unset for path, text in texts.items()} == {("${A}", 0): (), ("${A}", 3, "x"): ("B",)}
