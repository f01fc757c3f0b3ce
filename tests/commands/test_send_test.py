"""`hub send-test` sends one marked message through the real way and waits for the outcome."""

import json
import re

import pytest
from servers.program import ROOT
from shell import bare_environment, shipped_environment


def test_a_marked_message_arrives(run, served):
    result = run("send-test", "crm", env=served.environment)

    assert result.exit_code == 0, result.output
    delivery_id = re.fullmatch(r"(dlv_\w+)\ndelivered to crm\n", result.stdout)[1]
    request = next(
        request for request in served.receiver.received if request.headers["webhook-id"] == delivery_id
    )
    assert json.loads(request.body)["type"] == "hub.test"


def test_a_message_that_is_refused_says_why(run, served):
    served.statuses["/gone"] = 410
    result = run("send-test", "gone", env=served.environment)
    del served.statuses["/gone"]
    # Others count what is dead in this hub.
    run("cancel", "--state", "dead", "--destination", "gone", env=served.environment)

    assert result.exit_code == 1
    assert re.fullmatch(r"hub: not delivered: it is dead: .*410.*\n", result.stderr)


def test_a_destination_that_is_not_configured_names_the_variable(run, served):
    result = run("send-test", "team", env=served.environment)

    assert result.exit_code == 1
    assert result.stderr == "hub: not delivered yet: SLACK_WEBHOOK_URL is not set\n"


def test_a_shell_need_not_have_the_variables_of_the_hub(run, served):
    result = run("send-test", "crm", env={**served.environment, "CRM_WEBHOOK_URL": ""})

    assert result.exit_code == 0, result.output
    assert result.stdout.endswith("delivered to crm\n")


def test_a_sample_goes_the_way_that_the_routes_send_it(run, served):
    result = run("send-test", "crm", "--event", "user.created", env=served.environment)

    assert result.exit_code == 0, result.output
    delivery_id = re.fullmatch(r"(dlv_\w+)\ndelivered to crm\n", result.stdout)[1]
    request = next(
        request for request in served.receiver.received if request.headers["webhook-id"] == delivery_id
    )
    body = json.loads(request.body)
    assert (body["type"], body["data"]["first_name"]) == ("user.created", "Mara")


def test_a_sample_that_no_route_sends_there_is_not_sent(run, served):
    result = run("send-test", "crm", "--event", "user.deleted", env=served.environment)

    assert result.exit_code == 1
    assert result.stderr == "hub: no route sends the sample of user.deleted to crm\n"


def test_a_sample_that_a_condition_keeps_says_which(run, tmp_path, sqlite_url):
    shipped = (ROOT / "config/routes.yaml").read_text(encoding="utf-8")
    (tmp_path / "own.yaml").write_text(shipped.replace("data.status == 'failed'", "data.status == 'paid'"))
    environment = shipped_environment(DATABASE_URL=sqlite_url) | {"HUB_CONFIG": "own.yaml"}
    result = run("send-test", "team", "--event", "paymentAttempt.updated", env=environment)

    assert result.exit_code == 1
    assert result.stderr.endswith(
        "hub: no route sends the sample of paymentAttempt.updated to team; "
        "payment-failed does not take it: data.status == 'paid': data.status is \"failed\"\n"
    )


def test_an_unknown_type_is_wrong_usage(run, served):
    result = run("send-test", "crm", "--event", "user.creatd", env=served.environment)

    assert result.exit_code == 2
    assert 'did you mean "user.created"?' in result.stderr


def test_without_a_worker_it_does_not_wait(run, sqlite_url):
    result = run("send-test", "log", env=shipped_environment(DATABASE_URL=sqlite_url))

    assert result.exit_code == 1
    assert result.stderr.startswith("hub: not delivered yet: no worker has run yet")


def test_it_need_not_wait(run, sqlite_url):
    result = run("send-test", "log", "--no-wait", env=shipped_environment(DATABASE_URL=sqlite_url))

    assert (result.exit_code, result.stderr) == (0, "")
    assert re.fullmatch(r"dlv_\w+\n", result.stdout)


@pytest.mark.parametrize("more", [(), ("--event", "user.created")])
def test_an_unknown_destination_is_one_clear_line(run, sqlite_url, more):
    result = run("send-test", "tem", *more, env=shipped_environment(DATABASE_URL=sqlite_url))

    assert result.exit_code == 1
    assert result.stderr == 'hub: there is no destination "tem"; did you mean "team"?\n'


def test_no_configuration_is_one_clear_line(run, sqlite_url):
    result = run("send-test", "log", env=bare_environment(DATABASE_URL=sqlite_url))

    assert result.exit_code == 1
    assert result.stderr.startswith("config/routes.yaml:1:1: error[")
