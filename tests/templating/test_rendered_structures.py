"""Structures and the texts beside them, rendered; and their flaws as they are written."""

from __future__ import annotations

import pytest

from hub.errors import TemplateError
from hub.templating.escapes import html, plain
from hub.templating.flaws import Flaw, key_flaws, list_flaws
from hub.templating.sandbox import Sandbox
from hub.templating.structures import text_and_structure


class Renderer:
    """The templates of a send block, with one name in scope."""

    def __init__(self, **files: str) -> None:
        self.files = {name.replace("_", ".", 2): source for name, source in files.items()}
        self.sandbox = Sandbox(self.files)
        self.seen = {"name": "<Ada>"}

    def text(self, source, escape, *, name):
        return self.sandbox.text(source, self.seen, escape, name=name)

    def structure(self, value, escape, *, name):
        return self.sandbox.structure(value, self.seen, escape, name=name)

    def file(self, name, escape):
        return self.sandbox.file(name, self.seen, escape)

    def exists(self, name):
        return name in self.files

    def source(self, name):
        return self.files[name]


def escape_at(keys):
    return plain if keys[-1] == "url" else html


def composed(renderer: Renderer, **fields):
    return text_and_structure("cards", fields, renderer, html, escape_at)


def test_each_string_is_escaped_for_its_place() -> None:
    cards = [{"title": "{{ name }}", "url": "{{ name }}", "big": True, "items": [{"text": "{{ name }}"}]}]

    assert composed(Renderer(), text="{{ name }}!", cards=cards) == (
        "&lt;Ada&gt;!",
        [{"title": "&lt;Ada&gt;", "url": "<Ada>", "big": True, "items": [{"text": "&lt;Ada&gt;"}]}],
    )


@pytest.mark.parametrize("source", ["- title: '{{ name }}'\n", "cards:\n  - title: '{{ name }}'\n"])
def test_a_file_has_the_structure_alone_or_under_its_key(source: str) -> None:
    assert composed(Renderer(x_cards_yaml=source), template="x") == ("", [{"title": "&lt;Ada&gt;"}])


def test_a_text_file_goes_beside_the_structure_or_alone() -> None:
    both = Renderer(x_cards_yaml="[{title: Hi}]", x_j2="{{ name }}\n")

    assert composed(both, template="x") == ("&lt;Ada&gt;", [{"title": "Hi"}])
    assert composed(Renderer(x_j2="{{ name }}\n"), template="x") == ("&lt;Ada&gt;", None)
    assert composed(Renderer(), text="Hi") == ("Hi", None)


def test_a_file_that_is_no_yaml_fails_with_its_line() -> None:
    with pytest.raises(TemplateError) as raised:
        composed(Renderer(x_cards_yaml="a: b\n c: d"), template="x")

    assert (raised.value.template, raised.value.line) == ("x.cards.yaml", 2)


def test_keys_are_held_against_those_that_there_are() -> None:
    value = {"titel": "Hi", "shiny": 1}

    assert list(key_flaws(value, "Chat", "a card", ("title", "text"), ("title", "text"), (0,))) == [
        Flaw(path=(0,), message="a card needs text; add it"),
        Flaw(
            path=(0, "titel"),
            message='Chat has no key of a card called "titel"; did you mean "title"?',
            is_about_key=True,
        ),
        Flaw(
            path=(0, "shiny"),
            message='Chat has no key of a card called "shiny"; it may be newer than this hub, '
            "and goes out as it is",
            is_sure=False,
            is_about_key=True,
        ),
    ]
    assert [flaw.message for flaw in key_flaws("Hi", "Chat", "a card", (), (), ())] == [
        "a card must be a mapping, not text"
    ]


@pytest.mark.parametrize(
    ("value", "messages"),
    [
        ([1], []),
        ([], ["has 0 cards; Chat takes 1 to 2"]),
        ([1, 2, 3], ["has 3 cards; Chat takes 1 to 2"]),
        ("x", ["must be a list of cards, not text"]),
    ],
)
def test_a_list_is_held_against_its_limit(value: object, messages: list[str]) -> None:
    assert [flaw.message for flaw in list_flaws(value, "Chat", "cards", 2, ())] == messages
