"""`summary` is the built-in message in parts: made once, when a template first names one of them."""

from __future__ import annotations

import given
import pytest

from hub.delivery.render import RenderContext
from hub.ingest.route import match
from hub.model.summary import Summary, Tone
from hub.templating.escapes import Escape, as_json, html, plain
from hub.templating.lazy_summary import LazySummary
from hub.templating.sandbox import Sandbox

SUMMARY = Summary(
    headline="Ada <b> signed up",
    tone=Tone.GOOD,
    about="Ada <b>",
    fields=(("Email", "ada@example.com"), ("With", "Google")),
    details="user_1",
    time="12 Jun 2026",
)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{ summary.headline }} :tada:", "Ada <b> signed up :tada:"),
        ("{{ summary }}", "Ada <b> signed up"),
        ("{{ summary.about }}/{{ summary.tone }}/{{ summary.note }}", "Ada <b>/good/user_1 · 12 Jun 2026"),
        (
            "{% for field in summary.fields %}{{ field.label }}: {{ field['value'] }}, {% endfor %}",
            "Email: ada@example.com, With: Google, ",
        ),
        (
            "{% for label, value in summary.fields %}{{ label }}={{ value }};{% endfor %}",
            "Email=ada@example.com;With=Google;",
        ),
        ("{{ summary.fields | map(attribute='value') | join(', ') }}", "ada@example.com, Google"),
        ("{{ summary.fields[1].label }}{{ summary.nothing }}", "With"),
        ("{{ [summary] }}", "['Ada <b> signed up']"),
        ("{% if summary.tone == 'good' %}yes{% endif %}", "yes"),
    ],
)
def test_a_template_reads_its_parts(template: str, expected: str) -> None:
    variables = {"summary": LazySummary(lambda: SUMMARY)}

    assert Sandbox({}).text(template, variables, plain, name="text") == expected


@pytest.mark.parametrize(
    ("escape", "expected"),
    [(html, "Ada &lt;b&gt; signed up"), (as_json, '"Ada <b> signed up"')],
)
def test_it_is_escaped_like_all_that_strangers_wrote(escape: Escape, expected: str) -> None:
    variables = {"summary": LazySummary(lambda: SUMMARY)}

    assert Sandbox({}).text("{{ summary.headline }}", variables, escape, name="text") == expected


def test_as_json_it_is_an_object_and_each_field_one() -> None:
    variables = {"summary": LazySummary(lambda: SUMMARY)}
    value = {"all": "{{ summary }}", "fields": "{{ summary.fields }}"}

    rendered = Sandbox({}).structure(value, variables, as_json, name="json")

    fields = [{"label": "Email", "value": "ada@example.com"}, {"label": "With", "value": "Google"}]
    assert rendered["fields"] == fields
    assert rendered["all"] == {
        "headline": "Ada <b> signed up",
        "about": "Ada <b>",
        "tone": "good",
        "fields": fields,
        "note": "user_1 · 12 Jun 2026",
        "details": "user_1",
        "time": "12 Jun 2026",
        "at": None,
    }


def test_it_is_made_once_and_only_when_it_is_named() -> None:
    made = []

    def make() -> Summary:
        made.append(1)
        return SUMMARY

    variables = {"summary": LazySummary(make), "data": {}}
    sandbox = Sandbox({})

    assert sandbox.text("{{ data.x }}", variables, plain, name="text") == ""
    assert made == []
    for part in ("headline", "note", "fields"):
        sandbox.text("{{ summary." + part + " }}", variables, plain, name="text")
    assert made == [1]


def test_a_condition_sees_it() -> None:
    rules = given.rules(
        given.route("bad", ("*",), when=("summary.tone == 'nothing like it'",)),
        given.route("all", ("*",), when=("summary.headline", "summary.about is string")),
    )

    assert match(rules, given.event()).routes == ("all",)


def test_a_context_makes_the_summary_of_a_message_once() -> None:
    context = RenderContext(event=given.event(), route="all")

    assert context.summary is context.summary
