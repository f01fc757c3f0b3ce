"""Conditions and send blocks with the samples of their events; `tests/config/configs` has the messages."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from hub.config.files import read_files
from hub.delivery.render import RenderContext, compose
from hub.model.problem import Problem
from hub.model.routing import Send
from hub.rules import trial
from hub.rules.apart import apart
from hub.rules.load import check_files, load_config, read_config, tried, usable_config
from hub.rules.traced import traced
from hub.templating import limits

LOG = {"type": "console"}
SOURCE = {"type": "clerk", "path": "/a", "signing_secret": "${SECRET}", "allow": "unset-variable"}


def written(folder: Path, *routes: dict[str, Any], **more: Any) -> tuple[Path, Path]:
    (folder / "templates").mkdir(exist_ok=True)
    value = {
        "version": 1,
        "sources": {"clerk": SOURCE},
        "destinations": {"log": LOG},
        "routes": [{"name": f"r{number}", **route} for number, route in enumerate(routes)],
        **more,
    }
    path = folder / "routes.yaml"
    path.write_text(json.dumps(value, indent=1))
    return path, folder / "templates"


def problems(folder: Path, *routes: dict[str, Any], **more: Any) -> list[Problem]:
    return list(read_config(*written(folder, *routes, **more), {})[1])


def described(result: list[Problem]) -> list[tuple[str, str]]:
    return [(problem.severity.value, problem.message) for problem in result]


def route(text: str, events: Any = "user.created", **more: Any) -> dict[str, Any]:
    return {"events": events, "send": [{"to": "log", "text": text}], **more}


def test_a_failure_of_many_events_is_one_problem_that_names_them(tmp_path: Path) -> None:
    result = problems(tmp_path, route("{{ data.id + 1 }}", ["session.created", "user.created"]))

    reason = '"+" puts no number behind a text; write "~" to put texts together'
    assert described(result) == [
        ("error", f"fails with the sample of session.created, user.created: {reason}")
    ]


def test_a_template_of_many_routes_fails_once_at_its_line_and_column(tmp_path: Path) -> None:
    sends = {"send": [{"to": "log", "template": "t"}]}
    path, templates = written(
        tmp_path, {"events": "user.created", **sends}, {"events": "user.updated", **sends}
    )
    (templates / "t.j2").write_text(
        "one\n{{ data.id }} {% if data.id %}{{ data.id | replace('a') }}{% endif %}\n"
    )
    _, result = read_config(path, templates, {})

    assert [(problem.line, problem.column, problem.code) for problem in result] == [(2, 34, "template-fails")]
    assert "user.created, user.updated" in result[0].message


def test_what_only_a_variant_breaks_is_a_warning(tmp_path: Path) -> None:
    result = problems(tmp_path, route("{{ (data.primary_email_address_id or 1) + '' }}"))

    assert [problem.severity.value for problem in result] == ["warning"]
    assert "for user.created where data.primary_email_address_id is null" in result[0].message


def test_a_condition_that_the_sample_does_not_meet_hides_nothing_behind_it(tmp_path: Path) -> None:
    failing = "{{ data.id + 1 }}"
    when = ["data.status == 'failed'", "data.charge_type == 'recurring' and data.payer.user_id"]
    other = "data.public_metadata.plan == 'pro' and not data.banned"
    result = problems(
        tmp_path,
        route(failing, "paymentAttempt.updated", when=when),
        route(failing, when=other),
        route(failing, when="data.first_name is none"),
        route(failing, when="type == 'user.deleted'", allow=["never-true", "impossible-comparison"]),
    )

    assert [problem.line for problem in result if problem.severity.value == "error"] == [
        line
        for line, text in enumerate((tmp_path / "routes.yaml").read_text().splitlines(), 1)
        if "+ 1" in text
    ][:3]


def test_a_condition_that_fails_is_an_error_at_its_place(tmp_path: Path) -> None:
    result = problems(tmp_path, route("x", when=["data.id", "data.created_at + 'x'"]))

    assert [problem.message.partition(":")[0] for problem in result] == [
        "fails with the sample of user.created"
    ]


def test_what_free_form_objects_lack_is_no_error(tmp_path: Path) -> None:
    result = problems(tmp_path, route("{{ data.public_metadata.plan.startswith('pro') }}"))

    assert described(result) == [
        (
            "warning",
            'fails for user.created where data.public_metadata.plan is missing: an object has no "plan"',
        )
    ]


def test_a_mistake_that_is_told_already_is_not_told_again(tmp_path: Path) -> None:
    result = problems(
        tmp_path,
        route("{{ data.nothing | round('x', 2, 3) }}"),
        route("{{ data.id | nothing }}"),
        {"events": "user.created", "send": [{"to": "log", "template": "nothing"}]},
    )

    assert [problem.code for problem in result] == ["unknown-field", "template-syntax", "missing-template"]


def test_at_a_start_a_failure_is_a_warning_and_an_edit_is_not_tried(tmp_path: Path) -> None:
    paths = written(tmp_path, route("{{ data.id + 1 }}"))
    started = usable_config(read_files(*paths), {}, trial_seconds=60.0)

    assert [(str(problem.code), problem.severity.value) for problem in started.warnings] == [
        ("template-fails", "warning")
    ]
    assert load_config(*paths, {}).warnings == ()


def test_a_trial_in_a_child_leaves_nothing_behind_and_its_death_stops_nothing() -> None:
    loaded: list[int] = []

    assert apart(lambda: [loaded.append(1), "ö"]) == [None, "ö"]
    assert apart(lambda: os._exit(1)) is None
    assert loaded == []


def test_a_trial_ends_in_time_and_says_what_it_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "TIME_LIMIT_SECONDS", 0.2)
    slow = route("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", "user.*")
    files = read_files(*written(tmp_path, *[slow] * 20))
    result = tried(check_files(files, {}), files, 0.1).tolerated

    assert [problem.message for problem in result if "not tried" in problem.message] == [
        "not tried to the end in 0.1 s: 20 routes with all events, this one first"
    ]


def test_many_routes_with_the_same_message_are_tried_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    composed: list[str] = []

    def counted(send: Send, context: RenderContext, *rest: Any) -> Any:
        composed.append(context.route)
        return compose(send, context, *rest)

    monkeypatch.setattr(trial, "compose", counted)
    same = route("{{ data.id }} {{ data.first_name }}")
    files = read_files(*written(tmp_path, *[same] * 300))
    checked = check_files(files, {})

    assert tried(checked, files, 600.0).tolerated == checked.tolerated
    assert set(composed) == {"r0"}


@pytest.mark.parametrize(
    "read", ["{}['a']", "{}.get('a')", "'a' in {}", "list({}.items())", "list({}.values())"]
)
def test_a_payload_notes_what_is_read(read: str) -> None:
    reads: set[str] = set()
    value = traced({"x": [{"a": 1}], "y": {"a": 1}}, "data", reads)
    item = value["x"][0]
    eval(read.replace("{}", "item", 1), {"item": item})

    assert reads == {"data.x", "data.x[].a"}
    assert json.dumps(value) == '{"x": [{"a": 1}], "y": {"a": 1}}'
