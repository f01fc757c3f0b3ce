"""`hub templates` lists templates and who uses them, and writes the built-in message as one."""

import json

import pytest
from shell import bare_environment

ROUTES = """\
version: 1
sources:
  clerk: {type: clerk, path: /api/webhooks, signing_secret: "${CLERK_WEBHOOK_SIGNING_SECRET}"}
destinations:
  team: {type: slack, webhook_url: "${SLACK_WEBHOOK_URL}"}
  mail: {type: email, smtp_url: "${SMTP_URL}", from: hub@example.com, to: team@example.com}
  log: {type: console}
routes:
  - name: users
    events: user.created
    send: [{to: team, template: slack/user}, {to: mail, template: email/user}]
  - {name: again, events: user.created, send: [{to: team, template: slack/user}]}
  - {name: inline, events: user.created, send: [{to: log, text: "{% include 'part.j2' %}"}, log]}
unmatched: {send: [{to: log, template: text/any}]}
problems: {send: [{to: team, template: slack/user}]}
"""


def configured(tmp_path):
    (tmp_path / "routes.yaml").write_text(ROUTES)
    files = {
        "slack/user.j2": "{{ summary.headline }}",
        "slack/user.blocks.yaml": "- {type: divider}",
        "email/user.html.j2": "{% extends 'email/layout.html.j2' %}",
        "email/layout.html.j2": "{% block body %}{% endblock %}",
        "text/any.j2": "{{ type }}",
        "part.j2": "x",
        "old.j2": "{{ data.x }}",
    }
    for name, text in files.items():
        path = tmp_path / "templates" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return bare_environment(HUB_CONFIG="routes.yaml", HUB_TEMPLATES="templates")


def test_each_template_is_listed_with_those_who_use_it(run, tmp_path):
    result = run("templates", env=configured(tmp_path))

    assert result.exit_code == 0, result.output
    lines = [line.split("  ", 1) for line in result.stdout.splitlines()]
    users = {line[0]: line[1].strip() for line in lines if len(line) == 2}
    assert users == {
        "TEMPLATE": "USED BY",
        "email/layout.html.j2": "email/user.html.j2",
        "email/user.html.j2": "users → mail",
        "old.j2": "nothing",
        "part.j2": "inline → log",
        "slack/user.blocks.yaml": "users → team, again → team, problems → team",
        "slack/user.j2": "users → team, again → team, problems → team",
        "text/any.j2": "unmatched → log",
    }


def test_the_list_is_json_for_tools(run, tmp_path):
    result = run("templates", "--json", env=configured(tmp_path))

    entries = {entry["file"]: entry for entry in json.loads(result.stdout)}
    assert entries["email/user.html.j2"] == {
        "file": "email/user.html.j2",
        "used_by": [{"route": "users", "destination": "mail"}],
        "included_by": [],
    }
    assert entries["email/layout.html.j2"]["included_by"] == ["email/user.html.j2"]
    assert entries["old.j2"] == {"file": "old.j2", "used_by": [], "included_by": []}


def test_a_broken_configuration_is_told_instead(run, tmp_path):
    environment = configured(tmp_path)
    (tmp_path / "routes.yaml").write_text(ROUTES.replace("template: text/any", "template: text/gone"))

    result = run("templates", env=environment)

    assert result.exit_code == 1
    assert "missing-template" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "files"),
    [
        (("slack",), ["slack/message.blocks.yaml", "slack/message.j2"]),
        (("email", "news"), ["email/news.html.j2", "email/news.txt.j2"]),
        (("text", "my-words"), ["text/my-words.j2"]),
    ],
)
def test_the_built_in_message_is_written_as_templates(run, tmp_path, arguments, files):
    result = run("templates", "copy", *arguments, env=bare_environment(HUB_TEMPLATES="own/templates"))

    folder = tmp_path / "own/templates"
    assert result.exit_code == 0, result.output
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*")) == files
    assert [line for line in result.stdout.splitlines() if line.startswith("wrote")] == [
        f"wrote own/templates/{file}" for file in sorted(files, key=lambda file: file.endswith("blocks.yaml"))
    ]
    assert f"template: {files[0].split('.')[0]}" in result.stdout


def test_a_template_that_is_there_stays_and_its_like_is_not_written(run, tmp_path):
    own = tmp_path / "templates/slack/message.blocks.yaml"
    own.parent.mkdir(parents=True)
    own.write_text("- {type: divider}")

    result = run("templates", "copy", "slack", env=bare_environment(HUB_TEMPLATES="templates"))

    assert result.exit_code == 1
    assert result.stderr == (
        "hub: templates/slack/message.blocks.yaml is there already and not overwritten; "
        "give another NAME: hub templates copy slack NAME\n"
    )
    assert [path.name for path in own.parent.iterdir()] == [own.name]
    assert own.read_text() == "- {type: divider}"


@pytest.mark.parametrize("name", ["../../x", "/x", "a/b", ".hidden", "-x", "a b", "é", "x" * 81, ""])
def test_a_name_that_leads_elsewhere_is_wrong_usage(run, tmp_path, name):
    result = run("templates", "copy", "text", "--", name, env=bare_environment(HUB_TEMPLATES="templates"))

    assert result.exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_kind_is_wrong_usage(run):
    result = run("templates", "copy", "slak", env=bare_environment())

    assert result.exit_code == 2
    assert "'slack', 'email', 'text'" in result.stderr
