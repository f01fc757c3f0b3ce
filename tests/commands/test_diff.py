"""Stored events, taken through another configuration."""

import json
import weakref
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import partial

import given
import pytest
from shell import ROUTES, bare_environment

from hub import catalog
from hub.commands.diff import _print_json, _print_page
from hub.ingest.fanout import fan_out
from hub.ingest.route import load_rules
from hub.model.event import Event, new_id
from hub.preview.diff import Change
from hub.preview.renderings import Rendering
from hub.rules.load import load_config
from hub.store.open import open_store

OTHER = """\
version: 1
sources:
  clerk: {type: clerk, path: /api/webhooks, signing_secret: "${CLERK_WEBHOOK_SIGNING_SECRET}"}
destinations:
  crm: {type: http, url: "${CRM_WEBHOOK_URL}/crm"}
  gone: {type: http, url: "${CRM_WEBHOOK_URL}/gone"}
  team: {type: slack, webhook_url: "${SLACK_WEBHOOK_URL}"}
routes:
  - {name: to-crm, events: user.created, send: {to: crm, json: {id: "{{ data.id }}"}}}
  - {name: to-team, events: "user.*", send: team}
"""


@pytest.fixture
def stored(tmp_path):
    """Return a local database: two new users, one that was deleted, and one event of eight days ago."""
    (tmp_path / "templates").mkdir()
    (tmp_path / "routes.yaml").write_text(ROUTES)
    (tmp_path / "other.yaml").write_text(OTHER)
    environment = bare_environment(
        HUB_CONFIG="routes.yaml",
        HUB_TEMPLATES="templates",
        DATABASE_URL=f"sqlite:///{tmp_path / 'hub.db'}",
        CLERK_WEBHOOK_SIGNING_SECRET=given.SECRET,
    )
    store = open_store(environment["DATABASE_URL"])
    store.migrate()
    rules = load_rules(load_config(tmp_path / "routes.yaml", tmp_path / "templates", environment))
    now = datetime.now(UTC)
    ids = []
    for type_, days in (
        ("user.created", 8),
        ("user.deleted", 2),
        ("user.created", 1),
        ("user.created", 0),
    ):
        at = now - timedelta(days=days)
        event = Event(
            id=new_id("evt", at),
            source="clerk",
            message_id=new_id("msg", at),
            type=type_,
            payload=catalog.sample_payload(type_, {}),
            received_at=at,
        )
        fan_out(event, rules, store)
        ids.append(event.id)
    store.close()
    return environment, ids


def test_deliveries_that_would_be_added_removed_and_changed_are_counted(run, stored):
    environment, ids = stored
    result = run("diff", "other.yaml", env=environment)

    assert result.stdout.splitlines() == [
        f"~2  to-crm → crm (http)  {ids[3]}, {ids[2]}",
        f"-1  to-gone → gone (http)  {ids[1]}",
        f"+3  to-team → team (slack)  {ids[3]}, {ids[2]}, {ids[1]}",
        "",
        "~2 http, -1 http, +3 slack: 3 events since 7d",
    ]
    assert result.exit_code == 0


def test_the_exit_code_says_whether_there_is_a_difference(run, stored):
    environment, _ = stored

    assert run("diff", "other.yaml", "--exit-code", env=environment).exit_code == 1
    same = run("diff", "routes.yaml", "--exit-code", env=environment)
    assert (same.exit_code, same.stdout) == (0, "no difference in 3 events since 7d\n")


def test_older_events_count_where_they_are_asked_for(run, stored):
    environment, _ = stored

    assert "4 events since 30d" in run("diff", "other.yaml", "--since", "30d", env=environment).stdout
    assert "1 event since 12h" in run("diff", "other.yaml", "--since", "12h", env=environment).stdout


def test_show_prints_what_would_be_another_message(run, stored, tmp_path):
    environment, _ = stored
    (tmp_path / "routes.yaml").write_text(OTHER)
    (tmp_path / "other.yaml").write_text(OTHER.replace('"{{ data.id }}"', '"{{ data.id }}", kind: user'))
    shown = run("diff", "other.yaml", "--since", "12h", "--show", env=environment).stdout

    assert '+    "kind": "user"' in shown
    assert "~1 http: 1 event since 12h" in shown


def test_a_message_that_goes_elsewhere_is_another(run, stored, tmp_path):
    environment, _ = stored
    (tmp_path / "other.yaml").write_text(
        ROUTES.replace("${CRM_WEBHOOK_URL}/crm", "https://a.example.com/new")
    )
    (tmp_path / "routes.yaml").write_text(
        ROUTES.replace("${CRM_WEBHOOK_URL}/crm", "https://a.example.com/old")
    )
    result = run("diff", "other.yaml", "--since", "12h", "--show", env=environment)

    assert "the same message, sent elsewhere" in result.stdout


def test_a_template_edit_is_a_difference(run, stored, tmp_path):
    environment, _ = stored
    for folder in ("templates", "edited"):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "a.j2").write_text(f"{folder}: {{{{ data.id }}}}")
    routes = ROUTES.replace("send: crm}", "send: {to: crm, template: a, content_type: text/plain}}")
    for name in ("routes.yaml", "other.yaml"):
        (tmp_path / name).write_text(routes)

    assert "no difference" in run("diff", "other.yaml", env=environment).stdout
    assert "~2 http" in run("diff", "other.yaml", "--templates", "edited", env=environment).stdout


def test_one_time_secrets_stay_masked(run, stored, tmp_path):
    environment, _ = stored
    store = open_store(environment["DATABASE_URL"])
    rules = load_rules(load_config(tmp_path / "routes.yaml", tmp_path / "templates", environment))
    now = datetime.now(UTC)
    fan_out(
        Event(
            id=new_id("evt", now),
            source="clerk",
            message_id="msg_secret",
            type="invitation.created",
            payload=catalog.sample_payload(
                "invitation.created", {"data.url": "https://x.example/?t=s3cr3t-token"}
            ),
            received_at=now,
        ),
        rules,
        store,
    )
    store.close()
    (tmp_path / "other.yaml").write_text(OTHER.replace('"user.*"', '"*"').replace("send: team", "send: crm"))
    for form in ("--show", "--json"):
        result = run("diff", "other.yaml", form, "--show", env=environment)

        assert "s3cr3t-token" not in result.output
        assert "to-team" in result.output


def test_a_bad_configuration_is_told_with_its_problems(run, stored, tmp_path):
    environment, _ = stored
    (tmp_path / "other.yaml").write_text(OTHER.replace("send: team", "send: taem"))
    result = run("diff", "other.yaml", env=environment)

    assert result.exit_code == 1
    assert "other.yaml:10:45: error[unknown-destination]" in result.stderr


def test_a_hub_far_away_gives_its_events(run, served, tmp_path):
    sent = run("trigger", "user.created", "--url", served.url, env=served.environment).stdout.split()[0]
    (tmp_path / "other.yaml").write_text(OTHER)
    environment = {
        **served.remote,
        "HUB_CONFIG": served.environment["HUB_CONFIG"],
        "HUB_TEMPLATES": "templates",
    }
    result = run("diff", "other.yaml", "--url", served.url, "--since", "1h", "--json", env=environment)
    changes = [change for change in json.loads(result.stdout)["changes"] if change["event"] == sent]

    assert [(change["change"], change["route"], change["destination"]) for change in changes] == [
        ("changed", "to-crm", "crm"),
        ("added", "to-team", "team"),
    ]


def test_more_events_than_one_page_has_are_all_read(run, stored, tmp_path):
    environment, _ = stored
    store = open_store(environment["DATABASE_URL"])
    rules = load_rules(load_config(tmp_path / "routes.yaml", tmp_path / "templates", environment))
    now = datetime.now(UTC)
    for number in range(230):
        fan_out(
            Event(
                id=new_id("evt", now),
                source="clerk",
                message_id=f"msg_{number}",
                type="user.updated",
                payload=catalog.sample_payload("user.updated", {}),
                received_at=now,
            ),
            rules,
            store,
        )
    store.close()

    assert "233 events since 7d" in run("diff", "other.yaml", env=environment).stdout


@pytest.mark.parametrize("print_all", [_print_json, partial(_print_page, since="7d")])
def test_what_is_not_shown_is_let_go(capsys, print_all):
    alive = []

    def differing():
        destination = given.destination("log")
        for number in range(200):
            rendering = Rendering(route=f"r{number % 3}", destination=destination)
            alive.append(weakref.ref(change := Change(event=given.event(), before=None, after=rendering)))
            yield change
            del change, rendering
            assert sum(ref() is not None for ref in alive) <= 2

    assert print_all(differing(), Counter(), redaction=None)
    assert "r2" in capsys.readouterr().out
