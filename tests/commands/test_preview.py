"""`hub preview` shows which routes take an event and every message as it would go out."""

import json
import re
import shutil

import given
import pytest
from servers.http_receiver import HttpReceiver
from servers.program import ROOT
from shell import bare_environment


def configured(tmp_path, routes, **templates):
    """A configuration of its own: CRM and a console, with these routes."""
    (tmp_path / "templates" / "http").mkdir(parents=True)
    for name, text in templates.items():
        (tmp_path / "templates" / "http" / f"{name}.j2").write_text(text)
    (tmp_path / "routes.yaml").write_text(
        f"""\
version: 1
sources:
  clerk: {{type: clerk, path: /api/webhooks, signing_secret: "${{CLERK_WEBHOOK_SIGNING_SECRET}}"}}
destinations:
  crm: {{type: http, url: "${{CRM_WEBHOOK_URL}}", headers: {{X-Team: growth}}}}
  log: {{type: console}}
routes:
{routes}
"""
    )
    return bare_environment(HUB_CONFIG="routes.yaml", HUB_TEMPLATES="templates")


def welcoming(tmp_path):
    """The environment of the shipped files with their route `welcome` switched on."""
    shipped = (ROOT / "config/routes.yaml").read_text(encoding="utf-8")
    (tmp_path / "welcoming.yaml").write_text(shipped.replace("    enabled: false\n", ""), encoding="utf-8")
    return bare_environment(HUB_CONFIG="welcoming.yaml", HUB_TEMPLATES=str(ROOT / "templates"))


def test_every_message_of_an_event_is_shown_without_any_secret_or_database(run, tmp_path):
    result = run("preview", "user.created", env=welcoming(tmp_path))

    assert result.exit_code == 0, result.output
    text = result.stdout
    assert "  ✓ new-user\n" in text
    assert "  not for this event: waitlist, " in text
    assert "new-user → team (slack)\n  not configured, so it would wait: SLACK_WEBHOOK_URL is not" in text
    assert "  in notifications\n    ✨ Mara Lindqvist signed up\n" in text
    assert "  POST ${CRM_WEBHOOK_URL}\n    Content-Type: application/json\n" in text
    assert "  To: mara.lindqvist@example.com\n  Subject: Welcome, Mara!\n" in text
    assert "  text/plain\n    Welcome, Mara!\n" in text
    assert "  text/html\n    <!DOCTYPE html>" in text
    assert [path.name for path in tmp_path.iterdir()] == ["welcoming.yaml"]


def test_nobody_is_welcomed_as_shipped(run):
    result = run("preview", "user.created")

    assert result.exit_code == 0, result.output
    assert "email" not in "".join(line for line in result.stdout.splitlines() if "→" in line)


def test_the_code_of_the_catalogs_own_sample_is_shown(run, tmp_path):
    env = configured(
        tmp_path, "  - {name: own, events: email.created, send: {to: log, text: '{{ data.data.otp_code }}'}}"
    )

    shown = run("preview", "email.created", env=env).stdout
    changed = run("preview", "email.created", "--set", "data.data.otp_code=918273", env=env).stdout

    assert "  514982" in shown
    assert "  ••••••" in changed


def test_a_route_that_does_not_match_says_what_its_condition_saw(run):
    result = run("preview", "paymentAttempt.updated", "--set", "data.status=paid")

    assert result.exit_code == 0
    assert """  ✗ payment-failed  data.status == 'failed': data.status is "paid"\n""" in result.stdout
    assert "  no route takes it; it goes to unmatched\n" in result.stdout
    assert "unmatched → log (console)\n  " in result.stdout


def test_a_route_behind_one_that_stops_is_not_tried(run, tmp_path):
    env = configured(
        tmp_path,
        "  - {name: first, events: user.created, send: log, stop: true}\n"
        "  - {name: second, events: user.*, send: log}",
    )

    result = run("preview", "user.created", env=env)

    assert "  · second is not tried: first stops before it\n" in result.stdout
    assert "second →" not in result.stdout


def test_a_template_that_fails_shows_what_would_happen_instead(run, tmp_path):
    (tmp_path / "own").mkdir()
    shutil.copytree(ROOT / "templates", tmp_path / "own" / "templates")
    for name in ("email/welcome.txt.j2", "http/contact.j2"):
        (tmp_path / "own" / "templates" / name).write_text("{{ 1 / 0 }}")
    env = welcoming(tmp_path) | {"HUB_LOG_LEVEL": "info", "HUB_TEMPLATES": "own/templates"}

    result = run("preview", "user.created", env=env)

    assert result.exit_code == 1
    message = "template failed: http/contact.j2:1: division by zero; nothing would be sent"
    assert f"  {message}, the delivery would be dead\n" in result.stdout
    message = "template failed: email/welcome.txt.j2:1: division by zero"
    assert f"  {message}; the built-in message would go out instead:\n" in result.stdout
    assert "  Subject: Mara Lindqvist signed up\n" in result.stdout


def test_an_unknown_event_is_wrong_usage_and_says_what_was_meant(run):
    result = run("preview", "user.crated")

    assert result.exit_code == 2
    assert 'did you mean "user.created"?' in result.stderr
    assert result.stdout == ""


def test_a_payload_file_stands_for_an_event_of_ones_own(run, tmp_path):
    env = configured(tmp_path, "  - {name: own, events: order.paid, send: crm}")
    (tmp_path / "order.json").write_text('{"data": {"id": 7, "note": "caf\\u00e9 \\ud800"}}')

    result = run("preview", "order.paid", "--payload", "order.json", "--set", "data.id=8", env=env)

    assert result.exit_code == 0, result.output
    assert '"id": 8' in result.stdout
    assert "hub-event-type: order.paid" in result.stdout


def test_a_payload_file_says_itself_of_what_type_it_is(run, tmp_path):
    env = configured(tmp_path, "  - {name: own, events: order.paid, send: crm}")
    (tmp_path / "order.json").write_text('{"type": "order.paid", "data": {"id": 7}}')

    result = run("preview", "--payload", "order.json", env=env)
    nothing = run("preview", env=env)

    assert "hub-event-type: order.paid" in result.stdout
    assert nothing.exit_code == 2
    assert "name an EVENT such as user.created (hub events lists them all)" in nothing.stderr


@pytest.mark.parametrize("command", ["preview", "trigger"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            '{"data": {}}',
            'bare.json has no "type": add one, such as "type": "user.created", or name',
        ),
        ('{"type": 7}', 'bare.json has a "type" that is a number, not a name'),
        ('{"type": null}', 'bare.json has a "type" that is nothing, not a name'),
        ('{"type": ""}', 'bare.json has a "type" that is empty, not a name'),
    ],
)
def test_a_payload_file_that_says_no_type_is_told_what_it_lacks(run, tmp_path, command, content, message):
    env = configured(tmp_path, "  - {name: own, events: order.paid, send: crm}")
    (tmp_path / "bare.json").write_text(content)

    result = run(command, "--payload", "bare.json", env={**env, "CLERK_WEBHOOK_SIGNING_SECRET": given.SECRET})

    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())


def test_an_event_that_its_source_ignores_says_so(run):
    result = run("preview", "session.created")

    assert result.exit_code == 0
    assert "  the source clerk ignores it: such an event is neither kept nor routed\n" in result.stdout
    assert result.stdout.endswith("\nNothing would be sent.\n")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "order.json is not JSON"),
        ("[]", "order.json must hold one JSON object"),
        ("[" * 200_000, "order.json is not JSON"),
        ('"' + "x" * 10_000_000 + '"', "order.json is larger than 1 MiB"),
        ('{"type": "user.created"}', 'holds an event of type "user.created"'),
        ('{"data": NaN}', "order.json is not JSON: NaN is no JSON"),
        ('{"data": 1e999}', "order.json is not JSON: 1e999 is too large a number"),
        ('{"type": null}', 'order.json has a "type" that is nothing, not a name'),
    ],
)
def test_a_payload_that_is_no_such_event_is_wrong_usage(run, tmp_path, content, message):
    (tmp_path / "order.json").write_text(content)

    result = run("preview", "order.paid", "--payload", "order.json")

    assert result.exit_code == 2
    assert message in result.stderr


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("data.first_name", "must be a path"),
        ("first_name=Ada", "write data.first_name"),
        ("data.first_name.x=1", "set data.first_name itself"),
        ("data.frist_name=Ada", "user.created has no data.frist_name; did you mean data.first_name?"),
    ],
)
def test_a_change_that_leads_nowhere_is_wrong_usage(run, change, message):
    result = run("preview", "user.created", "--set", change)

    assert result.exit_code == 2
    assert message in result.stderr


def test_one_time_secrets_and_secrets_of_the_environment_are_not_shown(run, tmp_path):
    env = configured(
        tmp_path,
        "  - name: all\n    events: invitation.created\n    send:\n"
        "      - {to: log, text: 'go to {{ data.url }} with ${API_TOKEN}'}\n      - crm",
    )
    url = "https://accounts.example.com/ticket?t=hush-hush"

    result = run(
        "preview", "invitation.created", "--set", f"data.url={url}", env={**env, "API_TOKEN": "hush-token"}
    )

    assert result.exit_code == 0, result.output
    assert "  go to •••••• with ${API_TOKEN}" in result.stdout
    assert "hush" not in result.stdout
    assert "growth" not in result.stdout


def test_control_characters_of_strangers_do_not_reach_the_terminal(run):
    result = run("preview", "user.created", "--set", r'data.first_name="\u001b[31m\u202eevil"')

    assert "evil" in result.stdout
    assert not [char for char in result.stdout if not char.isprintable() and char != "\n"]


def test_json_is_for_tools(run, tmp_path):
    document = json.loads(run("preview", "user.created", "--json", env=welcoming(tmp_path)).stdout)

    assert document["event"] == {
        "type": "user.created",
        "source": "clerk",
        "about": "Mara Lindqvist, mara.lindqvist@example.com",
        "headline": "Mara Lindqvist signed up",
        "tone": "good",
    }
    assert [verdict["matched"] for verdict in document["verdicts"]] == [True, True]
    assert [message["destination"] for message in document["messages"]] == ["team", "crm", "mail"]
    assert document["messages"][2]["message"]["subject"] == "Welcome, Mara!"
    assert document["messages"][2]["missing"] == ["SMTP_URL", "EMAIL_FROM", "EMAIL_TO"]


def test_every_message_can_be_written_to_a_page_to_look_at(run, tmp_path):
    result = run("preview", "user.created", "--html", "look.html", env=welcoming(tmp_path))
    page = (tmp_path / "look.html").read_text()

    assert result.exit_code == 0
    assert page.startswith("<!doctype html>")
    assert '<iframe class="msg-frame" sandbox title="The mail" srcdoc="&lt;!DOCTYPE html&gt;' in page
    assert "<script" not in page


def test_without_a_message_no_page_is_written(run, tmp_path):
    result = run("preview", "session.created", "--html", "look.html")

    assert result.exit_code == 1
    assert result.stderr.startswith("hub: no message would be sent for this event")
    assert not (tmp_path / "look.html").exists()


def test_the_headers_shown_are_those_that_arrive(run, tmp_path, served):
    """The request that `preview` shows is compared with one that a real hub has sent."""
    shown = run("preview", "user.created", env=served.environment).stdout
    shown_names = set(re.findall(r"^    ([A-Za-z-]+): ", shown.partition("→ crm")[2], re.MULTILINE))

    triggered = run("trigger", "user.created", "--url", served.url, env=served.environment)
    request = served.arrival_of(triggered.stdout.split()[0])

    own = {"accept-encoding", "accept", "connection", "content-length", "host"}
    assert {name.lower() for name in shown_names} == set(request.headers) - own


def test_nothing_is_sent(run, tmp_path):
    env = configured(tmp_path, "  - {name: all, events: user.created, send: [crm, log]}")
    with HttpReceiver() as receiver:
        result = run("preview", "user.created", env={**env, "CRM_WEBHOOK_URL": receiver.url})

        assert "→ crm (http)" in result.stdout
        assert receiver.connections == 0


def test_a_request_is_shown_with_its_query_headers_and_form(run, tmp_path):
    env = configured(
        tmp_path,
        """\
  - name: sms
    events: user.created
    send:
      - to: crm
        query: {source: clerk}
        headers: {x-team: mine, X-Tag: [a, b]}
        form: {To: "+4930", Body: "{{ data.first_name }} & all"}
""",
    )
    result = run("preview", "user.created", env=env)

    assert "  POST ${CRM_WEBHOOK_URL}?source=clerk\n" in result.stdout
    assert "    x-team: mine\n    X-Tag: a\n    X-Tag: b\n" in result.stdout
    assert "X-Team" not in result.stdout
    assert "  form\n    To: +4930\n    Body: Mara & all\n" in result.stdout


@pytest.mark.parametrize("token", ["", "t0ken-of-the-crm"])
def test_a_variable_is_shown_by_its_name_and_where_it_stands(run, tmp_path, token):
    env = configured(
        tmp_path,
        "  - name: own\n    events: user.created\n    send: {to: crm, path: '/x/${TEAM}',"
        " json: {a: '${KEY}'}, query: {k: '${KEY}'}, headers: {X-Key: '${KEY}'}}",
    )
    routes = (tmp_path / "routes.yaml").read_text()
    with_token = routes.replace("{X-Team: growth}", '{Authorization: "Bearer ${TOKEN}"}, method: PUT')
    (tmp_path / "routes.yaml").write_text(with_token)
    env |= {"CRM_WEBHOOK_URL": "https://crm.test/hooks/s3cret", "TOKEN": token, "KEY": "k3y-of-the-crm"}
    result = run("preview", "user.created", env=env)
    as_json = json.loads(run("preview", "user.created", "--json", env=env).stdout)

    assert result.exit_code == 0, result.output
    assert "  PUT ${CRM_WEBHOOK_URL}/x/${TEAM}?k=${KEY}\n" in result.stdout
    assert "    X-Key: ${KEY}\n" in result.stdout
    assert '"a": "${KEY}"' in result.stdout
    assert "k3y-of" not in result.output + str(as_json)
    waits = [line for line in result.stdout.splitlines() if "not configured" in line]
    assert waits == [
        f"  not configured, so it would wait: {'TEAM is not set' if token else 'TOKEN is not set'}"
    ]
    assert as_json["messages"][0]["missing"] == (["TEAM"] if token else ["TOKEN", "TEAM"])


def test_an_earlier_event_that_is_given_along_names_who_was_deleted(run, tmp_path):
    (tmp_path / "ada.json").write_text('{"data": {"first_name": "Ada", "last_name": "Lovelace"}}')

    alone = run("preview", "user.deleted")
    named = run("preview", "user.deleted", "--previous", "ada.json")

    assert (alone.exit_code, named.exit_code) == (0, 0), named.output
    assert "A user was deleted" in alone.stdout
    assert "Ada Lovelace's account was deleted" in named.stdout


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", "ada.json must hold one JSON object"),
        ("{", "ada.json is not JSON"),
        ('{"type": 7}', 'ada.json has a "type" that is a number, not a name'),
    ],
)
def test_an_earlier_event_that_is_none_is_wrong_usage(run, tmp_path, content, message):
    (tmp_path / "ada.json").write_text(content)

    result = run("preview", "user.deleted", "--previous", "ada.json")

    assert result.exit_code == 2
    assert f"Invalid value for '--previous': {message}" in " ".join(result.stderr.split())
