"""`hub trigger` plays the sender, and says in words what the hub answers."""

import json
import re

import given
import pytest
from servers.http_receiver import CannedResponse, HttpReceiver
from shell import bare_environment

OTHER_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"


def test_a_signed_sample_arrives_with_what_was_changed(run, served):
    result = run(
        "trigger", "user.created", "--url", served.url, "--set", "data.first_name=Ada",
        "--set", "data.public_metadata.plan=7", env=served.environment,
    )  # fmt: skip

    assert result.exit_code == 0, result.output
    event_id = re.fullmatch(r"(evt_\w+)  routes: to-crm; 1 delivery\n", result.stdout)[1]
    data = json.loads(served.arrival_of(event_id).body)["data"]
    assert (data["first_name"], data["public_metadata"]["plan"]) == ("Ada", 7)


def test_each_of_a_count_is_a_message_of_its_own(run, served):
    result = run("trigger", "user.created", "--url", served.url, "--count", "3", env=served.environment)

    assert len(set(result.stdout.splitlines())) == 3


def test_an_event_that_is_ignored_or_that_no_route_takes_says_so(run, served):
    ignored = run("trigger", "session.created", "--url", served.url, env=served.environment)
    unmatched = run("trigger", "role.created", "--url", served.url, env=served.environment)

    assert ignored.stdout == "session.created was ignored: the source's ignore list names it\n"
    assert unmatched.stdout.endswith("  no route took it; 0 deliveries\n")


def test_another_secret_than_the_hubs_is_one_clear_line(run, served):
    env = {**served.environment, "CLERK_WEBHOOK_SIGNING_SECRET": OTHER_SECRET}

    result = run("trigger", "user.created", "--url", served.url, env=env)

    assert result.exit_code == 1
    assert result.stderr.startswith("hub: the hub refused it (400 invalid_signature): the signing secret of")
    assert result.stderr.count("\n") == 1
    assert OTHER_SECRET not in result.output


def test_a_source_that_the_hub_has_no_secret_for_is_one_clear_line(run, served):
    env = {**served.environment, "PARTNER_SECRET": given.SECRET}

    result = run("trigger", "user.created", "--source", "partner", "--url", served.url, env=env)

    assert result.exit_code == 1
    assert result.stderr.startswith(
        "hub: the hub cannot take it yet (503 not_configured): set PARTNER_SECRET"
    )


def test_a_secret_that_is_missing_here_is_named(run, served):
    result = run("trigger", "user.created", "--source", "partner", env=served.environment)

    assert result.exit_code == 1
    assert "set PARTNER_SECRET to what the running hub has" in result.stderr


def test_no_hub_there_is_one_clear_line(run, served):
    result = run("trigger", "user.created", "--url", "http://127.0.0.1:9", env=served.environment)

    assert result.exit_code == 1
    assert result.stderr == (
        "hub: no hub answers at http://127.0.0.1:9: start hub serve, or give its --url\n"
    )


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://x", "http://[", "http://x:99999", ""])
def test_a_url_that_is_none_is_no_traceback(run, served, url):
    result = run("trigger", "user.created", "--url", url, env={**served.environment, "PORT": "9"})

    assert result.exit_code == 1
    assert result.stderr.startswith("hub: ")


@pytest.mark.parametrize(
    ("response", "message"),
    [
        (
            CannedResponse(status=200, body=b"<html>"),
            "answered 200, but not as a hub does; is the --url right?",
        ),
        (CannedResponse(status=301, headers={"Location": "https://x"}), "redirects elsewhere (301)"),
        (CannedResponse(status=200, body=b'{"ok": true}'), "answered 200, but not as a hub does"),
    ],
)
def test_something_else_than_a_hub_is_one_clear_line(run, served, response, message):
    with HttpReceiver([response]) as other:
        result = run("trigger", "user.created", "--url", other.url, env=served.environment)

    assert result.exit_code == 1
    assert message in result.stderr


def test_an_unknown_event_is_wrong_usage(run, served):
    result = run("trigger", "user.creatd", env=served.environment)

    assert result.exit_code == 2
    assert 'did you mean "user.created"?' in result.stderr


def test_no_configuration_is_one_clear_line(run):
    result = run("trigger", "user.created", env=bare_environment())

    assert result.exit_code == 1
    assert result.stderr.startswith("config/routes.yaml:1:1: error[")
