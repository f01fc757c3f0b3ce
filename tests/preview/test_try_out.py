"""An event tried by rules that may be edited, as the page does."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from hub import catalog
from hub.config.files import Files
from hub.ingest.route import Rules, load_rules
from hub.preview.try_out import stand_in, try_out
from hub.rules.load import usable_config

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ENVIRONMENT = {"SECRET": SECRET, "CRM_URL": "https://crm.example.com/hooks/token-in-the-path"}
PAYLOAD = catalog.sample_payload("user.created").decode()
ROUTES = """\
version: 1
sources:
  clerk: {type: clerk, path: /hook, signing_secret: "${SECRET}"}
destinations:
  log: {type: console}
  crm: {type: http, url: "${CRM_URL}"}
routes:
  - {name: welcome, events: user.created, send: [{to: log, text: "hi {{ data.first_name }}"}, crm]}
"""


def files(text: str) -> Files:
    return Files(path=Path("routes.yaml"), templates_folder=Path("t"), content=text.encode(), templates={})


@pytest.fixture(scope="module")
def rules() -> Rules:
    return load_rules(usable_config(files(ROUTES), ENVIRONMENT))


def test_an_event_is_tried_by_the_rules_that_serve(rules: Rules) -> None:
    outcome = try_out(PAYLOAD, rules, NOW)

    assert outcome.run is not None
    assert outcome.run.renderings[0].message == {"text": "hi Mara"}
    assert (outcome.fault, outcome.run.routing.routes) == ("", ("welcome",))


def test_an_edited_copy_is_checked_and_tried(rules: Rules) -> None:
    edited = files(ROUTES.replace("hi {{ data.first_name }}", "{{ data.frist_name }}{{ data.last_name }}"))
    outcome = try_out(PAYLOAD, rules, NOW, edited=(edited, ENVIRONMENT))

    assert [(problem.line, problem.code) for problem in outcome.problems] == [(8, "unknown-field")]
    assert outcome.run is not None
    assert outcome.run.renderings[0].message == {"text": "Lindqvist"}


def test_routes_with_errors_say_so_and_nothing_is_tried(rules: Rules) -> None:
    outcome = try_out(PAYLOAD, rules, NOW, edited=(files(ROUTES.replace("to: log", "to: lgo")), ENVIRONMENT))

    assert [(problem.line, problem.code) for problem in outcome.problems] == [(8, "unknown-destination")]
    assert (outcome.run, outcome.fault) == (None, "These routes have errors, so nothing can be tried.")


@pytest.mark.parametrize("hidden", ["SECRET", "CRM_URL"])
def test_whoever_edits_rules_reads_no_variable_by_them(rules: Rules, hidden: str) -> None:
    condition = f"'${{{hidden}}}' == data.x"
    text = ROUTES.replace("events: user.created,", f'events: user.created, when: "{condition}",')
    outcome = try_out(PAYLOAD, rules, NOW, edited=(files(text), ENVIRONMENT))

    assert ENVIRONMENT[hidden] not in repr(outcome)
    assert "token-in-the-path" not in repr(outcome.run)


@pytest.mark.parametrize(
    ("payload", "fault", "line"),
    [
        ('{"type": "user.created",\n "data": {"a": 1,}}', "The payload is not JSON: ", 2),
        ("[1]", "The payload must hold one JSON object.", None),
        ("{}", 'The payload needs a "type", such as "user.created".', 1),
        ('{"type": 7}', 'The payload needs a "type", such as "user.created".', 1),
        ("\ud800", "The payload is not UTF-8 (byte 1); save it as UTF-8.", 1),
        ("[" * 100_000, "The payload is not JSON: ", None),
    ],
)
def test_a_payload_that_is_none_is_told_with_its_line(
    rules: Rules, payload: str, fault: str, line: int | None
) -> None:
    outcome = try_out(payload, rules, NOW)

    assert outcome.fault.startswith(fault)
    assert (outcome.run, outcome.fault_line) == (None, line)


@pytest.mark.parametrize(
    ("value", "stands"),
    [
        ("", ""),
        ("587", "1"),
        ("team@example.com", "my-name@stand-in.example"),
        ("http://crm.internal:8080/x?token=1", "https://stand-in.example/my_name"),
        ("smtp://user:secret@mail.example.com:587", "smtp://stand-in.example"),
        ("xoxb-1234", "stand-in-for-my-name"),
    ],
)
def test_a_stand_in_is_of_the_same_kind_and_says_nothing(value: str, stands: str) -> None:
    assert stand_in("MY_NAME", value) == stands
    assert stand_in("MY_NAME", SECRET) not in ("", SECRET)
