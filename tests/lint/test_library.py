"""The type checker as a library: texts and event types in, diagnostics out; no file, no configuration."""

from __future__ import annotations

import jinja2
import pytest

from hub.lint import ANY_TYPE, Diagnostic, Scope, Text, WholeEvent, check_texts
from hub.model.problem import Code, Severity

SYNTAX = jinja2.Environment(autoescape=True)


def check(*scopes: Scope, **more: list[str]) -> list[Diagnostic]:
    return check_texts(scopes, SYNTAX, **more)


def messages(*scopes: Scope, **more: list[str]) -> list[str]:
    return [diagnostic.message.partition(";")[0] for diagnostic in check(*scopes, **more)]


def text(source: str, location: str = "here") -> Text:
    return Text(location=location, source=source)


def test_a_diagnostic_has_the_location_and_the_offset_of_the_mistake() -> None:
    source = "Hello,\r\n{{ data.emial_address }}"
    scope = Scope(event_types=("waitlistEntry.created",), texts=(text(source, "card"),))

    assert check(scope) == [
        Diagnostic(
            location="card",
            offset=source.index("data"),
            code=Code.UNKNOWN_FIELD,
            severity=Severity.ERROR,
            message="waitlistEntry.created has no data.emial_address; did you mean data.email_address?",
        )
    ]


def test_a_text_of_several_scopes_is_one_text() -> None:
    mistaken = text("{{ data.nickname }}")
    first = Scope(event_types=("user.created", "user.updated"), texts=(mistaken,))
    second = Scope(event_types=("user.deleted",), texts=(mistaken,))

    assert messages(first, second) == ["user.created, user.deleted, user.updated have no data.nickname"]


def test_a_scope_allows_codes_for_itself_alone() -> None:
    mistaken = text("{{ data.nickname }}")
    first = Scope(event_types=("user.created",), texts=(mistaken,), allow=(Code.UNKNOWN_FIELD,))
    second = Scope(event_types=("user.updated",), texts=(mistaken,))

    assert messages(first, second) == ["user.updated has no data.nickname"]


def test_texts_see_the_events_that_meet_all_conditions() -> None:
    types = ("user.created", "user.deleted")
    narrowed = (text("type != 'user.deleted'", "first"), text("data.first_name", "second"))
    printed = text("{{ data.deleted }}{{ data.first_name | upper }}")

    assert messages(Scope(event_types=types, texts=(printed,))) == [
        "user.created has no data.deleted",
        'data.first_name of user.created may be empty, and the filter "upper" writes None then',
        "user.deleted has no data.first_name",
    ]
    assert messages(Scope(event_types=types, conditions=narrowed, texts=(printed,))) == [
        "user.created has no data.deleted"
    ]


def test_a_condition_that_no_event_meets_is_reported_once() -> None:
    never = text("data.first_name is none and data.first_name", "when")
    scope = Scope(event_types=("user.created",), conditions=(never,), texts=(text("{{ data.idd }}"),))

    assert [(diagnostic.location, diagnostic.code) for diagnostic in check(scope)] == [
        ("when", Code.NEVER_TRUE),
        ("here", Code.UNKNOWN_FIELD),
    ]


def test_nothing_is_known_of_a_type_that_the_catalog_does_not_have() -> None:
    scope = Scope(event_types=(ANY_TYPE, "plan.changed"), texts=(text("{{ data.some.thing }}"),))

    assert messages(scope) == []


def test_types_beside_the_catalog_s_may_be_compared_with() -> None:
    scope = Scope(event_types=("plan.changed",), texts=(text("{% if type == 'plan.changd' %}x{% endif %}"),))

    assert [diagnostic.message for diagnostic in check(scope, extra_types=["plan.changed"])] == [
        'no event type is called "plan.changd"; did you mean "plan.changed"?'
    ]


@pytest.mark.parametrize(
    ("types", "expected"),
    [(("email.created",), 1), (("email.created", "user.created"), 0), (("user.created",), 0)],
)
def test_a_whole_event_is_reported_where_all_that_comes_holds_a_secret(
    types: tuple[str, ...], expected: int
) -> None:
    event = WholeEvent(location="crm", recipient="crm", advice="leave it out")

    assert len(check(Scope(event_types=types, texts=(event,)))) == expected


def test_a_template_knows_the_names_that_the_one_it_extends_sets() -> None:
    scope = Scope(
        event_types=("user.created",),
        texts=(text("{% extends 'layout' %}{% block body %}{{ brand }}{{ brnd }}{% endblock %}"),),
    )
    templates = {"layout": "{% set brand = 'x' %}{% block body %}{% endblock %}"}

    assert [diagnostic.message for diagnostic in check_texts([scope], SYNTAX, templates=templates)] == [
        'nothing is called "brnd" here; did you mean "brand"?'
    ]


def test_a_text_with_a_syntax_error_is_passed_over() -> None:
    scope = Scope(event_types=("user.created",), texts=(text("{{ data.idd"), text("{{ data.id }}", "good")))

    assert check(scope) == []
