"""Templates and conditions: keys before attributes, escapes that hold, errors that point to their line."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import given
import pytest
from hypothesis import given as for_any
from hypothesis import strategies as st
from markupsafe import Markup

from hub.errors import TemplateError
from hub.templating.escapes import as_json, html, path_segment, plain
from hub.templating.sandbox import Sandbox, whole_expression

SANDBOX = Sandbox({})
HOSTILE = "<b>&'\"<!channel>"


def text(source: str, escape: Any = plain, /, **seen: Any) -> str:
    return SANDBOX.text(source, seen, escape, name="text")


def value(source: str, /, **seen: Any) -> Any:
    return SANDBOX.condition(source)(seen)


def shout(value: Any) -> str:
    return str(value).replace("<", "(").replace(">", ")")


@pytest.mark.parametrize(
    ("source", "seen", "expected"),
    [
        ("{{ data.items }}", {"data": {"items": 3}}, "3"),
        ("{{ data.keys }}", {"data": {"keys": "k"}}, "k"),
        ("{{ data['values'] }}", {"data": {"values": "v"}}, "v"),
        ("{{ data['items'] }}", {"data": {}}, ""),
        ("{{ data.items }}{{ data.keys.x }}", {"data": {}}, ""),
        ("{{ 'a' if data.items else 'b' }}", {"data": {}}, "b"),
        (
            "{{ data.x.title | default('none') }}{{ data.x.title | tojson }}",
            {"data": {"x": "ab"}},
            "nonenull",
        ),
        ("{% for k, v in data.items() %}{{ k }}{{ v }}{% endfor %}", {"data": {"items": 3}}, "items3"),
        ("{{ data.x.title }}{{ data.x['title'] }}{{ data.x.title() }}", {"data": {"x": "ab"}}, "Ab"),
        ("{{ data.x.append }}{{ data.x.count(1) }}{{ data.x.format }}", {"data": {"x": [1]}}, "1"),
        ("{{ data | map(attribute='title') | join }}", {"data": ["a", {"title": "b"}]}, "b"),
        (
            "{% for x in data %}{{ loop.index }}{{ loop.cycle('a', 'b') }}{% endfor %}",
            {"data": [1, 2]},
            "1a2b",
        ),
        ("{{ data.a.b.c }}", {"data": {}}, ""),
        ("{{ data.a.b.c }}", {"data": {"a": None}}, ""),
        ("{{ data.a[0].c }}", {"data": {"a": [{"c": 1}]}}, "1"),
        ("{{ data.a[5].c }}", {"data": {"a": []}}, ""),
        ("[{{ none_at_all }}]", {}, "[]"),
        ("[{{ data.a }}]", {"data": {"a": None}}, "[]"),
        ("{{ data.a }}", {"data": {"a": False}}, "False"),
        ("{{ data.a }}", {"data": {"a": 0}}, "0"),
        ("{% if data.a.b %}yes{% else %}no{% endif %}", {"data": {}}, "no"),
        ("{% for x in data.list %}{{ x }}{% endfor %}", {"data": {}}, ""),
        ("{{ data.a or 'nobody' }}", {"data": {}}, "nobody"),
        ("{{ data.a | default('x') }}", {"data": {}}, "x"),
        ("{{ 'it''s & <so>' }}", {}, "its & <so>"),
        ('{{ "it\'s & <so>" }}', {}, "it's & <so>"),
    ],
)
def test_what_is_printed(source: str, seen: dict[str, Any], expected: str) -> None:
    assert text(source, plain, **seen) == expected


@pytest.mark.parametrize(
    ("escape", "expected"),
    [
        (plain, HOSTILE),
        (html, "&lt;b&gt;&amp;&#39;&#34;&lt;!channel&gt;"),
        (as_json, json.dumps(HOSTILE)),
        (path_segment, "%3Cb%3E%26%27%22%3C%21channel%3E"),
        (shout, "(b)&'\"(!channel)"),
    ],
)
@pytest.mark.parametrize(
    "source",
    [
        "{{ data.name }}",
        "{% set x = data.name %}{{ x }}",
        "{{ data.name | trim }}",
        "{{ data.name ~ '' }}",
        "{{ [data.name] | join }}",
    ],
)
def test_every_printed_value_is_escaped_once(escape: Any, expected: str, source: str) -> None:
    assert text(source, escape, data={"name": HOSTILE}) == expected


@pytest.mark.parametrize("escape", [plain, html, shout])
@pytest.mark.parametrize(
    "source",
    [
        "{% macro m(x) %}<i>{{ x }}</i>{% endmacro %}{{ m(data.name) }}",
        "{% macro m() %}<i>{{ caller() }}</i>{% endmacro %}{% call m() %}{{ data.name }}{% endcall %}",
        "{% set block %}<i>{{ data.name }}</i>{% endset %}{{ block }}",
        "{% for x in [[[]]] recursive %}{{ loop(x) if x else data.html }}{% endfor %}",
    ],
)
def test_what_a_template_builds_itself_is_not_escaped_again(escape: Any, source: str) -> None:
    seen = {"name": HOSTILE, "html": Markup(f"<i>{escape(HOSTILE)}</i>")}

    assert text(source, escape, data=seen) == f"<i>{escape(HOSTILE)}</i>"


def test_a_block_can_be_taken_over_and_its_parents_text_kept() -> None:
    sandbox = Sandbox(
        {
            "layout.j2": "<p>{% block body %}<b>{{ data.name }}</b>{% endblock %}</p>",
            "child.j2": "{% extends 'layout.j2' %}{% block body %}{{ super() }}!{% endblock %}",
        }
    )

    assert sandbox.file("child.j2", {"data": {"name": "<"}}, html) == "<p><b>&lt;</b>!</p>"


def test_html_that_the_owner_marks_as_safe_stays() -> None:
    assert text("{{ '<hr>' | safe }}{{ data.x | e }}", html, data={"x": "<"}) == "<hr>&lt;"


def test_a_literal_is_escaped_like_any_value() -> None:
    assert text("{{ '<' }}", html) == "&lt;"
    assert text("{{ 'a & b' }}", shout) == "a & b"
    assert text("{{ 'a & b' }}", as_json) == '"a & b"'


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('{"a": {{ data.a }}}', {"a": "x\"'\n<\x00"}),
        ('{"a": {{ data.none }}, "b": {{ data.missing.deep }}}', {"a": None, "b": None}),
        ('{"a": {{ data.list }}, "b": {{ data }}}', {"a": [1, "é"], "b": None}),
        ('{"a": {{ data.a | tojson }}}', {"a": "x\"'\n<\x00"}),
        ('{"a": {{ data.list | tojson }}}', {"a": [1, "é"]}),
    ],
)
def test_json_prints_every_value_as_json_once(source: str, expected: dict[str, Any]) -> None:
    data = {"a": "x\"'\n<\x00", "none": None, "list": [1, "é"]}
    rendered = json.loads(text(source, as_json, data=data))
    if rendered.get("b") == data:
        rendered["b"] = None

    assert rendered == expected


def test_a_macro_may_build_a_json_value() -> None:
    source = '{% macro m(x) %}{"n": {{ x }}}{% endmacro %}[{{ m(data.name) }}, {{ m(none) }}]'

    assert json.loads(text(source, as_json, data={"name": HOSTILE})) == [{"n": HOSTILE}, {"n": None}]


@for_any(st.text())
def test_no_text_breaks_out_of_json_html_or_a_path(hostile: str) -> None:
    assert json.loads(text("{{ x }}", as_json, x=hostile)) == hostile
    assert Markup(text("{{ x }}", html, x=hostile)).unescape() == Markup(html(hostile)).unescape()
    assert not set(text("{{ x }}", html, x=hostile)) & set("<>\"'")


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ data.__class__.__subclasses__() }}",
        "{{ cycler.__init__.__globals__ }}",
        "{{ data | attr('__class__') }}",
        "{{ (data.x).__init__.__globals__['os'] }}",
        "{{ '{0.__class__}'.format(data) }}",
        "{{ self.__dict__ }}",
        "{{ event.timestamp.__reduce__() }}",
    ],
)
def test_pythons_internals_are_out_of_reach(source: str) -> None:
    try:
        rendered = text(source, plain, data={"x": "y"}, event={"timestamp": given.NOON})
    except TemplateError:
        return
    assert rendered == ""


@pytest.mark.parametrize(
    "source",
    [
        "{{ 'a' * 999999999 }}",
        "{{ [1] * 99999999 }}",
        "{{ 999999999 ** 999999999 }}",
        "{{ 9 ** 9 ** 9 }}",
        "{% for x in range(999999) %}x{% endfor %}",
        "{% for x in range(99999) %}long enough to be too long{% endfor %}",
        "{{ data.append(1) }}",
    ],
)
def test_what_would_grow_or_change_things_is_an_error(source: str) -> None:
    with pytest.raises(TemplateError):
        text(source, plain, data=[1])


def test_a_message_may_have_256_kib() -> None:
    assert len(text("{{ x }}", plain, x="a" * 262144)) == 262144
    with pytest.raises(TemplateError, match="renders to more than 256 KiB"):
        text("{{ x }}", plain, x="a" * 262145)


TEMPLATES = {
    "fine.j2": "fine",
    "third.j2": "one\n\n{{ data.a + 1 }}",
    "outer.j2": "one\ntwo\n{% include 'third.j2' %}",
    "macros.j2": "\n{% macro broken(x) %}\n\n{{ x + 1 }}{% endmacro %}",
    "caller.j2": "{% import 'macros.j2' as m %}\n{{ m.broken(data.a) }}",
    "missing.j2": "\n{% include 'nowhere.j2' %}",
    "wrong.j2": "one\n{% if %}",
    "layout.j2": "{% block body %}{% endblock %}",
    "child.j2": "{% extends 'layout.j2' %}\n{% block body %}\n{{ data.a + 1 }}{% endblock %}",
}


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("third.j2", ("third.j2", 3)),
        ("outer.j2", ("third.j2", 3)),
        ("caller.j2", ("macros.j2", 4)),
        ("child.j2", ("child.j2", 3)),
        ("wrong.j2", ("wrong.j2", 2)),
        ("missing.j2", ("nowhere.j2", None)),
        ("gone.j2", ("gone.j2", None)),
    ],
)
def test_an_error_names_the_file_and_the_line(name: str, where: tuple[str, int | None]) -> None:
    with pytest.raises(TemplateError) as failed:
        Sandbox(TEMPLATES).file(name, {"data": {"a": "x"}}, plain)

    assert (failed.value.template, failed.value.line) == where


def test_an_error_in_a_text_names_its_field_and_line() -> None:
    with pytest.raises(TemplateError) as failed:
        Sandbox({}).text("a\nb\n{{ x + 1 }}", {"x": "y"}, plain, name="subject")

    assert str(failed.value).startswith("subject:3: ")


def test_an_error_is_one_short_line() -> None:
    with pytest.raises(TemplateError) as failed:
        text("{{ x | int(default=y) + z }}", plain, x="1", y=0, z="\n\0" * 999)

    assert len(failed.value.message) <= 201
    assert "\n" not in failed.value.message


def structure(given_value: Any, escape: Any = as_json, /, **seen: Any) -> Any:
    return SANDBOX.structure(given_value, seen, escape, name="json")


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ({"n": 1, "b": True, "z": None, "f": 1.5}, {"n": 1, "b": True, "z": None, "f": 1.5}),
        ("{{ data.count }}", 3),
        ("{{ data.count > 2 }}", True),
        ("{{- data.list -}}", ["a", {"b": None}]),
        ("  {{ data.name }}  ", "<x>"),
        ("{{ data.missing }}", None),
        ("{{ data.missing.deeper }}", None),
        ("{{ data.count }} of {{ data.count }}", "3 of 3"),
        ("{{ data.count }}{{ data.count }}", "33"),
        ("name: {{ data.name }}", "name: <x>"),
        (
            {"{{ data.name }}": ["{{ data.count }}", {"deep": "{{ data.name }}"}]},
            {"<x>": [3, {"deep": "<x>"}]},
        ),
        ("{{ '}}' }}", "}}"),
        ("{{ data.count }} }}", "3 }}"),
        ("{{ {'a': (1, 2)} }}", {"a": [1, 2]}),
        ("plain", "plain"),
        ("", ""),
    ],
)
def test_a_structure_keeps_its_shape_and_whole_expressions_their_type(template: Any, expected: Any) -> None:
    data = {"count": 3, "name": "<x>", "list": ["a", {"b": None}]}

    assert structure(template, data=data) == expected


def test_elsewhere_a_structures_strings_are_escaped_text() -> None:
    template = {"text": "{{ data.name }}", "list": ["{{ data.count }}"], "n": 1}

    assert structure(template, html, data={"name": "<", "count": 3}) == {
        "text": "&lt;",
        "list": ["3"],
        "n": 1,
    }


@for_any(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.text(), x),
    )
)
def test_any_value_passes_a_structure_unchanged(value: Any) -> None:
    assert structure({"v": "{{ x }}"}, x=value) == {"v": value}


def test_a_structures_error_names_the_place() -> None:
    with pytest.raises(TemplateError, match=r"^json\.a\[1\]"):
        structure({"a": ["x", "it is {{ 1 // 0 }}"]})
    with pytest.raises(TemplateError):
        structure({"a": "{{ 1 // 0 }}"})


def test_a_structure_that_is_no_json_is_a_template_error() -> None:
    with pytest.raises(TemplateError):
        structure({"a": "{{ {(1, 2): 3} }}"})


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("data.a", {"b": 1}),
        ("data.a.b == 1", True),
        ("data.missing", None),
        ("data.missing.deeper", None),
        ("data.missing is defined", False),
        ("data.list | length > 1", True),
        ("'x' in data.list", True),
        ("type.endswith('.deleted')", True),
        ("data | primary_email", ""),
    ],
)
def test_a_condition_keeps_the_values_type(source: str, expected: Any) -> None:
    seen = {"data": {"a": {"b": 1}, "list": ["x", "y"]}, "type": "user.deleted"}

    assert value(source, **seen) == expected


@pytest.mark.parametrize(
    "source", ["data.a + 1", "1 // 0", "data.a | nothing", "data.", "(", "'a' * 9999999"]
)
def test_a_condition_that_fails_is_a_template_error(source: str) -> None:
    with pytest.raises(TemplateError):
        value(source, data={"a": "x"})


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ a }}", "a"),
        (" {{- a.b | f(1) -}} ", "a.b | f(1)"),
        ("{{ a }}{{ b }}", None),
        ("{{ a }} }}", None),
        ("{{ a }} {# c #}", None),
        ("x {{ a }}", None),
        ("{{ a", None),
        ("{% if a %}{% endif %}", None),
    ],
)
def test_a_whole_expression_is_recognised(source: str, expected: str | None) -> None:
    assert whole_expression(source) == expected


def test_templates_see_the_event() -> None:
    event = given.event(
        payload=b'{"type":"a.b","timestamp":1654012591514,"instance_id":"ins_1","data":{"x":1}}', type="a.b"
    )
    seen = given.seen(event)

    assert seen["event"]["timestamp"] == datetime(2022, 5, 31, 15, 56, 31, 514000, tzinfo=UTC)
    assert (seen["event"]["id"], seen["event"]["instance_id"]) == (event.id, "ins_1")
    assert (seen["type"], seen["data"], seen["route"]) == ("a.b", {"x": 1}, "welcome")


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        (
            {"http_request": {"client_ip": "203.0.113.24", "user_agent": "Firefox"}},
            ("203.0.113.24", "Firefox"),
        ),
        ({"http_request": {"client_ip": "", "user_agent": ["Firefox"]}}, ("", "")),
        ({"http_request": "odd"}, ("", "")),
        ({"http_request": None}, ("", "")),
        ("odd", ("", "")),
        (None, ("", "")),
    ],
)
def test_templates_see_the_request_behind_an_event(attributes: object, expected: tuple[str, str]) -> None:
    body = {"type": "user.created", "data": {}, "event_attributes": attributes, "client_ip": "elsewhere"}
    seen = given.seen(given.event(payload=json.dumps(body).encode()))["event"]

    assert (seen["client_ip"], seen["user_agent"]) == expected
