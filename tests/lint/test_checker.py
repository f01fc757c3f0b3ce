"""Templates against the catalog: a table of what is said of each, and that nothing can break the checker.

`templates.txt` has the table: `--- EVENTS`, the template, and every message about it behind `>>>`.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2.filters import FILTERS as JINJA_FILTERS

from hub.errors import TemplateError
from hub.lint.filters import FAIL_ON_MISSING, FAIL_ON_NULL, PRINT_NONE
from hub.model.problem import Problem, Severity
from hub.rules.load import load_config, read_config
from hub.templating.escapes import html
from hub.templating.filters import FILTERS
from hub.templating.sandbox import Sandbox

TABLE = Path(__file__).parent / "templates.txt"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BESIDE = {
    "m.j2": "{{ whatever.it.is }}",
    "layout.j2": "{% set brand = 'x' %}{% block body %}{% endblock %}",
}


CARD = """\
- type: section
  text: {type: mrkdwn, text: "*{{ data.email_address }}* {{ data.emial_address }}"}
- type: section
  text:
    type: mrkdwn
    text: |-
      {% for word in data.words %}
      {{ word }}
      {% endfor %}
"""


def problems_of(folder: Path, events: str, template: str, *, when: str = "") -> tuple[Problem, ...]:
    return read_config(*written(folder, events, template, when), {})[1]


def written(folder: Path, events: str, template: str, when: str = "") -> tuple[Path, Path]:
    templates = folder / "templates"
    templates.mkdir(exist_ok=True)
    for name, text in {**BESIDE, "t.j2": template}.items():
        (templates / name).write_text(text, encoding="utf-8", newline="")
    route = {"name": "r", "events": events.split(", "), "send": [{"to": "log", "template": "t"}]}
    routes = {
        "version": 1,
        "sources": {
            "clerk": {"type": "clerk", "path": "/a", "signing_secret": SECRET, "allow": "secret-in-file"}
        },
        "destinations": {"log": {"type": "console", "allow": "template-fails"}},
        "routes": [{**route, "when": when} if when else route],
    }
    path = folder / "routes.yaml"
    path.write_text(json.dumps(routes))
    return path, templates


def described(problem: Problem) -> str:
    position = f"{problem.line}:{problem.column}"
    return f"{position} {problem.severity}[{problem.code}] {problem.message}"


def rows() -> Iterator[tuple[str, str, list[str]]]:
    for row in re.split(r"^--- ", TABLE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        events, _, rest = row.partition("\n")
        template, _, messages = rest.partition("\n>>> ")
        expected = messages.partition("\n\n")[0].strip().split("\n>>> ")
        yield events, template, [] if expected == ["fine"] else expected


def test_the_table_is_long() -> None:
    assert len(list(rows())) >= 100


@pytest.mark.parametrize(("events", "template", "expected"), list(rows()))
def test_a_template_gets_exactly_these_messages(
    tmp_path: Path, events: str, template: str, expected: list[str]
) -> None:
    assert [described(problem) for problem in problems_of(tmp_path, events, template)] == expected


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_the_place_is_right_whatever_ends_a_line(tmp_path: Path, newline: str) -> None:
    template = newline.join(["one", "{% if data.id %}", "  {{ data.idd }}{{ data.ids }}", "{% endif %}", ""])
    problems = problems_of(tmp_path, "user.created", template)

    assert [(problem.line, problem.column) for problem in problems] == [(3, 6), (3, 20)]


def test_what_only_the_catalog_finds_is_a_warning_at_a_start(tmp_path: Path) -> None:
    config = load_config(*written(tmp_path, "user.created", "{{ data.idd }}{{ dta }}"), {})

    assert [(problem.code, problem.severity) for problem in config.warnings] == [
        ("unknown-field", Severity.WARNING),
        ("unknown-variable", Severity.WARNING),
    ]


def test_a_template_of_two_routes_is_checked_for_both(tmp_path: Path) -> None:
    path, templates = written(tmp_path, "user.created", "{{ data.first_name }}{{ data.email_address }}")
    routes = json.loads(path.read_text())
    second = {"name": "s", "events": "waitlistEntry.created", "send": [{"to": "log", "template": "t"}]}
    path.write_text(json.dumps({**routes, "routes": [*routes["routes"], second]}))
    both = read_config(path, templates, {})[1]
    path.write_text(
        json.dumps({**routes, "routes": [*routes["routes"], {**second, "allow": "unknown-field"}]})
    )
    one = read_config(path, templates, {})[1]

    first = "1:4 error[unknown-field] waitlistEntry.created has no data.first_name"
    other = "1:25 error[unknown-field] user.created has no data.email_address"
    assert [described(problem).partition(";")[0] for problem in both] == [first, other]
    assert [described(problem).partition(";")[0] for problem in one] == [other]


def test_a_text_that_an_alias_repeats_is_told_once_for_all_its_events(tmp_path: Path) -> None:
    path, templates = written(tmp_path, "user.created", "x")
    head = path.read_text().partition(', "routes"')[0]
    created = (
        '{"name": "a", "events": "user.created", "send": {"to": "log", "text": &text "{{ data.frist }}"}}'
    )
    updated = '{"name": "b", "events": "user.updated", "send": {"to": "log", "text": *text}}'
    path.write_text(f'{head}, "routes": [{created}, {updated}]}}')

    assert [described(problem).partition("] ")[2] for problem in read_config(path, templates, {})[1]] == [
        'user.created, user.updated have no data.frist; "hub events user.created" lists what it has'
    ]


def test_the_texts_of_a_structure_in_a_file_are_templates(tmp_path: Path) -> None:
    path, templates = written(tmp_path, "waitlistEntry.created", "x")
    routes = json.loads(path.read_text())
    routes["destinations"]["team"] = {
        "type": "slack",
        "webhook_url": "https://hooks.slack.com/services/T/B/X",
        "allow": ["secret-in-file", "template-fails"],
    }
    routes["routes"][0]["send"].append({"to": "team", "template": "card"})
    path.write_text(json.dumps(routes))
    (templates / "card.blocks.yaml").write_text(CARD)

    assert [described(problem).partition(";")[0] for problem in read_config(path, templates, {})[1]] == [
        "2:61 error[unknown-field] waitlistEntry.created has no data.emial_address",
        "7:22 error[unknown-field] waitlistEntry.created has no data.words",
    ]


def test_a_condition_narrows_what_the_template_sees(tmp_path: Path) -> None:
    template = "{{ data.first_name | upper }}{{ data.deleted }}"
    problems = problems_of(
        tmp_path, "user.*", template, when="type != 'user.deleted' and data.first_name is string"
    )
    narrowed = problems_of(tmp_path, "user.*", template, when="type == 'user.created' and data.first_name")

    assert [problem.code for problem in problems] == ["empty-value", "unknown-field"]
    assert [described(problem).partition(";")[0] for problem in narrowed] == [
        "1:33 error[unknown-field] user.created has no data.deleted"
    ]


# -- filters --------------------------------------------------------------------------------------

ARGUMENTS = {
    "attr": "('a')",
    "batch": "(2)",
    "default": "('x')",
    "d": "('x')",
    "format": "('a')",
    "groupby": "('a')",
    "map": "(attribute='a')",
    "rejectattr": "('a')",
    "replace": "('a', 'b')",
    "selectattr": "('a')",
    "slice": "(2)",
}
LAZY = {"batch", "items", "map", "reject", "rejectattr", "reverse", "select", "selectattr", "slice", "unique"}


def outcome(name: str, data: dict[str, None]) -> str:
    more = " | list" if name in LAZY else ""
    try:
        shown = Sandbox({}).text(
            f"{{{{ data.x | {name}{ARGUMENTS.get(name, '')}{more} }}}}", {"data": data}, html, name="text"
        )
    except TemplateError:
        return "fails"
    return "prints None" if shown.strip().lower() == "none" else "is fine"


@pytest.mark.parametrize("name", sorted({*JINJA_FILTERS, *FILTERS} - {"pprint"}))
def test_what_a_filter_makes_of_what_is_empty_is_known(name: str) -> None:
    null = "fails" if name in FAIL_ON_NULL else "prints None" if name in PRINT_NONE else "is fine"

    assert outcome(name, {"x": None}) == null
    assert outcome(name, {}) == ("fails" if name in FAIL_ON_MISSING else "is fine")


# -- any template ---------------------------------------------------------------------------------

NAMES = st.sampled_from(
    [
        "data",
        "data.id",
        "data.email_addresses",
        "data.scim",
        "data.nothing",
        "type",
        "event",
        "x",
        "loop.index",
    ]
)
EXPRESSIONS = st.recursive(
    NAMES | st.sampled_from(["'user.created'", "none", "1", "[]", "true", "{}"]),
    lambda inner: st.one_of(
        st.builds("({}).{}".format, inner, st.sampled_from(["id", "items", "x", "first_name", "get"])),
        st.builds("({})[{}]".format, inner, inner),
        st.builds("({})({})".format, inner, inner),
        st.builds(
            "({} {} {})".format,
            inner,
            st.sampled_from(["and", "or", "==", "!=", "in", "not in", "<", "~", "+", "%", "if x else"]),
            inner,
        ),
        st.builds("(not {})".format, inner),
        st.builds(
            "({} is {})".format, inner, st.sampled_from(["defined", "none", "in [1]", "eq 'x'", "odd"])
        ),
        st.builds(
            "({} | {})".format,
            inner,
            st.sampled_from(
                [
                    "first",
                    "list",
                    "default(data)",
                    "map(attribute='id')",
                    "items",
                    "dictsort",
                    "full_name",
                    "join",
                ]
            ),
        ),
        st.builds("[{}, {}]".format, inner, inner),
        st.builds("({}, {})".format, inner, inner),
        st.builds("{{'a': {}}}".format, inner),
    ),
    max_leaves=6,
)
TEMPLATES = st.recursive(
    st.builds("{{{{ {} }}}}".format, EXPRESSIONS),
    lambda inner: st.one_of(
        st.builds("{}{}".format, inner, inner),
        st.builds("{{% if {} %}}{}{{% else %}}{}{{% endif %}}".format, EXPRESSIONS, inner, inner),
        st.builds("{{% for x in {} %}}{}{{% else %}}{}{{% endfor %}}".format, EXPRESSIONS, inner, inner),
        st.builds("{{% for x, y in {} if y %}}{}{{% endfor %}}".format, EXPRESSIONS, inner),
        st.builds("{{% set x = {} %}}{}".format, EXPRESSIONS, inner),
        st.builds("{{% set x %}}{}{{% endset %}}".format, inner),
        st.builds("{{% with x = {} %}}{}{{% endwith %}}".format, EXPRESSIONS, inner),
        st.builds("{{% macro m(x) %}}{}{{% endmacro %}}{{{{ m({}) }}}}".format, inner, EXPRESSIONS),
        st.builds("{{% filter upper %}}{}{{% endfilter %}}".format, inner),
    ),
    max_leaves=6,
)


@given(template=TEMPLATES, condition=EXPRESSIONS)
def test_any_template_is_read_and_every_place_is_in_it(template: str, condition: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        problems = problems_of(Path(folder), "user.created, user.deleted, plan.x", template, when=condition)

    for problem in problems:
        if problem.file.endswith("t.j2") and problem.code != "template-syntax":
            assert re.match(r"[\w('\"\[{]", template.split("\n")[problem.line - 1][problem.column - 1 :])


@pytest.mark.parametrize(
    "template",
    [
        "{{ " + "(" * 60 + "data.idd" + ")" * 60 + " }}",
        "{{ data" + ".a" * 60 + " }}",
        "{{ " + " and ".join(["data.idd"] * 150) + " }}",
        "{{ " + "(data.id and (data.banned or " * 25 + "data.id" + "))" * 25 + " }}",
        "{% if " + "not (data.id and " * 30 + "data.id" + ")" * 30 + " %}x{% endif %}",
        "{% if data.id %}" * 15 + "x" + "{% endif %}" * 15,
        "{% for a in data.email_addresses %}" * 15 + "x" + "{% endfor %}" * 15,
        "{{ " + "[" * 80 + "]" * 80 + " }}",
        "{{ data.id }}" * 2000,
    ],
)
def test_deep_and_long_templates_are_read_in_bounded_steps(tmp_path: Path, template: str) -> None:
    problems = problems_of(tmp_path, "user.*", template)

    assert {problem.code for problem in problems} <= {"unknown-field", "template-syntax"}
