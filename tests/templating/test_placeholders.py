"""`${NAME}` is a value for its place, whatever it holds, and never template source."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs

import given
import pytest

from hub.delivery.render import RenderContext, render
from hub.destinations.base import Destination, find_destination
from hub.errors import TemplateError, VariableNotSet
from hub.model.delivery import MARKS, Message
from hub.model.routing import Send
from hub.templating.escapes import BY_NAME
from hub.templating.placeholders import Placeholder, bind, filled, inside_at, malformed_at, shown, split
from hub.templating.sandbox import Sandbox

EVIL = """a"b\\c<&'>{{ data.id }}{% raw %} é/..\u202e"""
ENVIRONMENT = {"NAME": EVIL, "EMPTY": "", "PLAIN": "plain words"}


def kind(type_: str) -> type[Destination]:
    destination_class = find_destination(type_)
    assert destination_class is not None
    return destination_class


def kept(type_: str, fields: dict[str, Any], **templates: str) -> Message:
    """The message as it is kept."""
    event = given.event(data={"id": "user_1", "name": "<Ada>"})
    names = {name.replace("__", "."): text for name, text in templates.items()}
    rendered = render(
        Send(to="place", fields=fields),
        RenderContext(event=event, route="all"),
        kind(type_),
        None,
        Sandbox(names),
    )
    assert rendered.degraded is None
    return rendered.message


def sent(type_: str, fields: dict[str, Any], environment: dict[str, str] = ENVIRONMENT) -> Message:
    """The message as it is sent."""
    escapes = {**BY_NAME, **{escape.__name__: escape for escape in kind(type_).escapes}}
    return filled(kept(type_, fields), environment, escapes)


# -- the grammar ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a ${B} c", ["a ", Placeholder(name="B"), " c"]),
        ("${B:-x y}", ["", Placeholder(name="B", default="x y"), ""]),
        ("${B:-}", ["", Placeholder(name="B", default=""), ""]),
        ("$${B}", ["", "${", "B}"]),
        ("${{ x }} $ {", ["${{ x }} $ {"]),
        ("${1}", ["", "${", "1}"]),
    ],
)
def test_a_text_is_split_into_its_parts(text: str, parts: list[object]) -> None:
    assert list(split(text)) == parts


@pytest.mark.parametrize(
    ("text", "offset"), [("${A} ${", 5), ("x ${1}", 2), ("$${ ${A:-}", None), ("${A", 0), ("", None)]
)
def test_what_begins_no_variable_is_located(text: str, offset: int | None) -> None:
    assert malformed_at(text) == offset


@pytest.mark.parametrize(
    ("template", "offset"),
    [
        ("{{ data.id }} ${A}", None),
        ("${{ data.id }}", None),
        ("{{ ${A} }}", 3),
        ("x{{ '${A}' }}", 5),
        ("{% if '${A:-b}' %}", 7),
        ("${A:-{{ b }}}", 0),
        ("{{ a }}${A}{{ b }}", None),
    ],
)
def test_a_variable_inside_of_a_tag_is_located(template: str, offset: int | None) -> None:
    assert inside_at(template) == offset


@pytest.mark.parametrize(
    ("condition", "value"),
    [
        ("data.id == ${NAME}", True),
        ("data.id == '${NAME}'", True),
        ('data.id == "${NAME}"', True),
        ("data.id in ['x', ${NAME}]", True),
        ("'a${NAME}c' == 'a' ~ data.id ~ 'c'", True),
        ("${OTHER:-it's} == \"it's\"", True),
        ("'$${NAME}' == '$' ~ '{NAME}'", True),
        ("${NAME} | length", len(EVIL)),
        ("'\\'${NAME}' == '\\'' ~ data.id", True),
    ],
)
def test_in_a_condition_a_variable_is_a_value(condition: str, value: object) -> None:
    _, places = bind(condition)
    values = {place.identifier: place.value(ENVIRONMENT) for place in places}

    assert Sandbox({}).condition(condition)({"data": {"id": EVIL}, **values}) == value


# -- messages -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("type_", "fields", "key", "expected"),
    [
        ("console", {"text": "x ${NAME} {{ data.id }}"}, "text", f"x {EVIL} user_1".replace("\u202e", "")),
        (
            "slack",
            {"text": "${NAME}{{ data.name }}"},
            "text",
            EVIL.replace("&", "&amp;").replace("<", "&lt;"),
        ),
        ("email", {"subject": "${NAME}"}, "subject", EVIL),
        ("email", {"text": "${NAME}"}, "text", EVIL),
        (
            "http",
            {"path": "/a/${NAME}"},
            "path",
            "/a/a%22b%5Cc%3C%26%27%3E%7B%7B%20data.id%20%7D%7D%7B%25%20raw",
        ),
        ("http", {"body": "${NAME}", "content_type": "text/plain"}, "body", EVIL),
    ],
)
def test_a_value_is_escaped_for_its_place(
    type_: str, fields: dict[str, Any], key: str, expected: str
) -> None:
    text = sent(type_, fields)[key]

    if type_ == "slack":
        assert text == expected.replace(">", "&gt;") + "&lt;Ada&gt;"
    elif type_ == "console":
        assert kind("console").finished({"text": text})["text"] == expected
    else:
        assert text.startswith(expected)


@pytest.mark.parametrize("where", ["json", "body", "quoted"])
def test_json_stays_json_whatever_a_variable_holds(where: str) -> None:
    fields: dict[str, Any] = {
        "json": {"json": {"a": "${NAME}", "b": ["x ${NAME}"], "id": "{{ data.id }}"}},
        "body": {"body": '{"a": ${NAME}, "b": ["x ${NAME}"], "id": {{ data.id }}}'},
        "quoted": {"body": '{"a": "${NAME}", "b": ["x ${NAME}"], "id": {{ data.id }}}'},
    }[where]

    assert json.loads(sent("http", fields)["body"]) == {"a": EVIL, "b": [f"x {EVIL}"], "id": "user_1"}


def test_html_is_escaped_and_the_text_made_of_it_is_not() -> None:
    message = sent("email", {"html": "<p title='${NAME}'>${NAME}</p>"})

    assert "a&#34;b\\c&lt;&amp;&#39;&gt;{{ data.id }}" in message["html"]
    assert "<&" not in message["html"]
    assert EVIL in message["text"]


def test_a_structure_takes_variables_in_its_texts_and_not_in_its_keys() -> None:
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": "*${PLAIN}*"}}]
    message = sent("slack", {"text": "x", "blocks": blocks})
    body = sent("http", {"json": {"${PLAIN}": "${PLAIN}"}})["body"]

    assert message["blocks"][0]["text"]["text"] == "*plain words*"
    assert json.loads(body) == {"${PLAIN}": "plain words"}


def test_a_form_and_a_query_are_encoded_once_when_they_are_sent() -> None:
    message = sent(
        "http", {"form": {"a": "x ${NAME}"}, "query": {"b": "${NAME}"}, "headers": {"X": "${NAME}"}}
    )

    assert (message["form"], message["query"]) == ([["a", f"x {EVIL}"]], [["b", EVIL]])
    assert message["headers"] == [["X", EVIL]]


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("application/x-www-form-urlencoded", "k=a%22b%5Cc%3C%26%27%3E%7B%7B+data.id"),
        ("application/xml", "k=a&#34;b\\c&lt;&amp;&#39;&gt;{{ data.id"),
        ("text/html", "k=a&#34;b\\c&lt;&amp;&#39;&gt;{{ data.id"),
    ],
)
def test_a_body_of_another_type_has_its_escape(content_type: str, expected: str) -> None:
    fields = {"body": "k=${NAME}", "content_type": content_type}

    assert sent("http", fields)["body"].startswith(expected)


def test_words_taken_out_of_blocks_are_escaped_where_they_go() -> None:
    section = {"type": "rich_text_section", "elements": [{"type": "text", "text": "a ${NAME}"}]}
    message = sent("slack", {"blocks": [{"type": "rich_text", "elements": [section]}]})
    (rendered,) = message["blocks"][0]["elements"][0]["elements"]

    assert rendered["text"].startswith('a a"b\\c<&')
    assert message["text"].startswith('a a"b\\c&lt;&amp;')


def test_in_the_file_of_a_template_it_is_text_like_any_other() -> None:
    files = {
        "slack/x.j2": "${PLAIN}",
        "slack/x.blocks.yaml": "- {type: section, text: {type: mrkdwn, text: 'a ${PLAIN}'}}",
    }
    event = given.event()
    send = Send(to="place", fields={"template": "slack/x"})
    message = render(
        send, RenderContext(event=event, route="all"), kind("slack"), None, Sandbox(files)
    ).message

    assert MARKS not in message
    assert (message["text"], message["blocks"][0]["text"]["text"]) == ("${PLAIN}", "a ${PLAIN}")


def test_raw_text_and_comments_are_read_as_jinja_reads_them() -> None:
    text = "{# ${PLAIN} #}{% raw %}{{ ${PLAIN} }}{% endraw %}{% for x in [1, 2] %}${PLAIN},{% endfor %}"

    assert sent("console", {"text": text})["text"] == "{{ plain words }}plain words,plain words,"


def test_a_macro_that_prints_a_variable_is_no_source_either() -> None:
    text = "{% macro m() %}<p>${NAME}</p>{% endmacro %}{{ m() }}"

    assert sent("email", {"subject": "s", "html": text})["html"].count("&lt;&amp;") == 1


def test_what_is_kept_and_shown_holds_no_value() -> None:
    message = kept("http", {"json": {"a": "x ${NAME}", "b": "${OTHER:-default}"}})

    assert EVIL[:5] not in json.dumps(message)
    assert json.loads(shown(message)["body"]) == {"a": "x ${NAME}", "b": "${OTHER}"}
    assert MARKS not in shown(message)
    assert shown({"text": "x"}) == {"text": "x"}


def test_no_event_can_hold_a_mark() -> None:
    first, second = (kept("console", {"text": "${NAME}"})["text"] for _ in range(2))

    assert first != second
    assert first.isalnum()
    assert first.islower()
    assert len(first) > 20


def test_a_mark_that_was_cut_short_leaves_nothing_behind() -> None:
    message = kept("slack", {"text": "{{ 'x' * 3990 }}${NAME}"})

    assert message["text"] == "x" * 3990 + "…"


def test_a_default_holds_where_a_variable_is_empty() -> None:
    assert sent("console", {"text": "${EMPTY:-d}|${NONE:-}|"})["text"] == "d||"


def test_a_message_lacks_every_variable_that_is_not_set() -> None:
    with pytest.raises(VariableNotSet) as lacking:
        sent("console", {"text": "${EMPTY} ${NONE} ${PLAIN} ${NONE}"})

    assert lacking.value.names == ("EMPTY", "NONE")


@pytest.mark.parametrize("value", ["..", "."])
def test_a_value_that_leads_elsewhere_is_no_part_of_a_path(value: str) -> None:
    message = sent("http", {"path": "/a/${NAME}"}, {"NAME": value})

    with pytest.raises(TemplateError, match="segment that is"):
        kind("http").finished(message)


def test_a_recipient_is_known_when_it_is_sent() -> None:
    fields = {"recipient": "${WHO}", "text": "x"}

    assert kind("email").finished(sent("email", fields, {"WHO": "ada@bücher.example"}))["to"] == [
        "ada@xn--bcher-kva.example"
    ]
    with pytest.raises(TemplateError, match="exactly one valid address"):
        kind("email").finished(sent("email", fields, {"WHO": "a@b.example, c@d.example"}))


def test_a_form_a_query_and_headers_have_their_variables_before_they_are_encoded() -> None:
    fields = {
        "form": {"To": "${NAME} & {{ data.name }}"},
        "query": {"key": "${NAME}"},
        "headers": {"Authorization": "Bearer ${PLAIN}"},
    }
    message = sent("http", fields)

    assert message["form"] == [["To", f"{EVIL} & <Ada>"]]
    assert message["query"] == [["key", EVIL]]
    assert message["headers"] == [["Authorization", "Bearer plain words"]]


def test_a_body_of_a_form_has_them_encoded() -> None:
    fields = {"body": "To=${NAME}&x=1", "content_type": "application/x-www-form-urlencoded"}

    assert parse_qs(sent("http", fields)["body"]) == {"To": [EVIL], "x": ["1"]}
