"""Blocks in routes.yaml and in files are checked, each problem at its own place."""

from __future__ import annotations

import re
from pathlib import Path

from hub.model.problem import Severity
from hub.rules.load import load_config, read_config

HEAD = """\
version: 1
sources:
  clerk: {type: clerk, path: /api/webhooks, signing_secret: "${S:-whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw}"}
destinations:
  team: {type: slack, webhook_url: "${H:-https://hooks.slack.com/services/a/b/c}", allow: template-fails}
routes:
"""


def written(folder: Path, routes: str, templates: dict[str, str], head: str = HEAD) -> tuple[Path, Path]:
    for name, text in templates.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "routes.yaml").write_text(head + routes, encoding="utf-8")
    return folder / "routes.yaml", folder


def problems(folder: Path, routes: str, templates: dict[str, str] | None = None) -> list[str]:
    _, all_problems = read_config(*written(folder, routes, templates or {}), {})
    return [str(problem).removeprefix(f"{folder.as_posix()}/") for problem in all_problems]


INLINE = """\
  - name: a
    events: user.created
    send:
      - to: team
        text: hello
      - to: team
        blocks:
          - type: header
            text: {type: plain_text, text: "{{ data.id }}"}
          - type: section
            txt: {type: mrkdwn, text: hi}
"""


def test_a_problem_of_blocks_in_routes_stands_at_its_key(tmp_path: Path) -> None:
    message = 'Slack has no key of a section block called "txt"; did you mean "text"?'

    assert problems(tmp_path, INLINE) == [f"routes.yaml:17:13: error[bad-blocks]: {message}"]


def test_a_problem_of_a_file_of_blocks_stands_there_once(tmp_path: Path) -> None:
    routes = "".join(
        f"  - {{name: r{number}, events: user.created, send: [{{to: team, template: slack/card}}]}}\n"
        for number in range(2)
    )
    card = "blocks:\n  - type: header\n    text: {type: mrkdwn, text: '{{ data.id }}'}\n  - type: hologram\n"

    kind = '"text" of a header block can be plain_text, not mrkdwn'
    unknown = 'Slack has no block "hologram"; it may be newer than this hub, and goes out as it is'

    assert problems(tmp_path, routes, {"slack/card.blocks.yaml": card}) == [
        f"slack/card.blocks.yaml:3:18: error[bad-blocks]: {kind}",
        f"slack/card.blocks.yaml:4:11: warning[bad-blocks]: {unknown}",
    ]


def test_a_route_may_allow_them(tmp_path: Path) -> None:
    assert problems(tmp_path, INLINE + "    allow: [bad-blocks]\n") == []


def test_sends_without_a_route_are_checked_too(tmp_path: Path) -> None:
    routes = (
        "  - {name: a, events: user.created, send: team}\n"
        "unmatched: {send: {to: team, blocks: [{type: sektion}]}}\n"
    )

    assert [problem.partition("[")[2].partition("]")[0] for problem in problems(tmp_path, routes)] == [
        "bad-blocks"
    ]


def test_blocks_that_are_no_list_are_one_problem(tmp_path: Path) -> None:
    routes = "  - {name: a, events: user.created, send: [{to: team, blocks: text}]}\n"

    assert len(problems(tmp_path, routes)) == 1


def test_a_hub_starts_in_spite_of_them(tmp_path: Path) -> None:
    config = load_config(*written(tmp_path, INLINE, {}), {})

    assert [(problem.code, problem.severity) for problem in config.warnings] == [
        ("bad-blocks", Severity.WARNING)
    ]


def test_a_problem_of_a_text_stands_at_its_place_in_routes_and_in_files(tmp_path: Path) -> None:
    routes = """\
  - name: a
    events: user.created
    send:
      - {to: team, text: "<b>Hi</b> <br>"}
      - {to: team, template: telegram/hi}
"""
    team = '{type: telegram, bot_token: "${T:-1:a}", chat_id: 1, allow: template-fails}'
    head = re.sub("team: .*", f"team: {team}", HEAD)
    path, folder = written(tmp_path, routes, {"telegram/hi.j2": "Hi\n{{ data.id }}<p>"}, head)
    _, all_problems = read_config(path, folder, {})

    message = "Telegram knows no <%s>, and would refuse the message; write a line break as it is"
    assert [str(problem).removeprefix(f"{folder.as_posix()}/") for problem in all_problems] == [
        f"routes.yaml:10:37: error[bad-blocks]: {message % 'br'}",
        f"telegram/hi.j2:2:14: error[bad-blocks]: {message % 'p'}",
    ]
