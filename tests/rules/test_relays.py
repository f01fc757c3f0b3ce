"""A route that relays Clerk's own mail and text messages is no leak of their one-time secrets."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.rules.load import read_config

SECRET = {"SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
HEAD = """\
version: 1
sources: {clerk: {type: clerk, path: /api/webhooks, signing_secret: "${SECRET}"}}
destinations:
  log: {type: console}
  crm: {type: http, url: https://crm.test}
  brief: {type: console, max_age: 10m}
"""


def codes(tmp_path: Path, route: str) -> list[str]:
    path = tmp_path / "routes.yaml"
    path.write_text(f"{HEAD}routes:\n  - {{name: relay, {route}}}\nunmatched: {{send: [log, crm, brief]}}\n")
    _, problems = read_config(path, tmp_path / "templates", SECRET)
    return [problem.code for problem in problems]


TEXT = "send: [{to: log, text: '{{ data.subject }}'}]"
NOT_CLERKS = "when: not data.delivered_by_clerk"


@pytest.mark.parametrize(
    "route",
    [
        f"events: email.created, max_age: 10m, {NOT_CLERKS}, {TEXT}",
        f"events: email.created, max_age: 10m, when: data.delivered_by_clerk == false, {TEXT}",
        f"events: email.created, max_age: 10m, when: data.delivered_by_clerk is false, {TEXT}",
        f"events: email.created, max_age: 10m, when: not data.delivered_by_clerk and data.user_id, {TEXT}",
        f"events: email.created, max_age: 9m, when: [data.user_id, data.delivered_by_clerk == false], {TEXT}",
        f"events: email.created, {NOT_CLERKS}, send: [{{to: brief, text: '{{{{ data.body_plain }}}}'}}]",
        f"events: sms.created, send: [{{to: brief, {NOT_CLERKS}, text: '{{{{ data.message }}}}'}}]",
        f"events: [email.created, sms.created], max_age: 10m, {NOT_CLERKS}, send: crm",
    ],
)
def test_a_relay_that_sends_nothing_late_is_not_warned_of(tmp_path: Path, route: str) -> None:
    assert codes(tmp_path, route) == []


@pytest.mark.parametrize(
    "route",
    [
        f"events: email.created, {NOT_CLERKS}, {TEXT}",
        f"events: email.created, max_age: 10m, {TEXT}",
        f"events: email.created, max_age: 10m, when: data.delivered_by_clerk, {TEXT}",
        f"events: email.created, max_age: 10m, when: not data.delivered_by_clerk or data.user_id, {TEXT}",
        f"events: email.created, {NOT_CLERKS}, send: crm",
    ],
)
def test_whatever_else_takes_them_is(tmp_path: Path, route: str) -> None:
    assert codes(tmp_path, route) == ["one-time-secret"]


def test_a_block_is_a_relay_by_itself(tmp_path: Path) -> None:
    text = "text: '{{ data.subject }}'"
    route = f"events: email.created, send: [{{to: brief, {NOT_CLERKS}, {text}}}, {{to: log, {text}}}]"

    assert codes(tmp_path, route) == ["one-time-secret"]
