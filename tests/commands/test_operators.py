"""The operator's commands: the same answers on the local database and on a hub far away."""

import json
import re
import sqlite3
from contextlib import closing
from itertools import pairwise

import pytest
import requests
from servers.http_receiver import CannedResponse, HttpReceiver
from servers.program import PASSWORD, PATIENCE_SECONDS, wait_until
from shell import bare_environment, shipped_environment

ABSENT = "dlv_000000000000"


@pytest.fixture(params=["local", "far away"])
def operate(request, run, served):
    """Runs an operator's command against the served hub, in both ways."""

    def invoke(*arguments):
        if request.param == "local":
            return run(*arguments, env=served.environment)
        return run(*arguments, "--url", served.url, env=served.remote)

    return invoke


@pytest.fixture
def triggered(run, served):
    """Triggers an event and returns its id."""

    def trigger(event_type):
        result = run("trigger", event_type, "--url", served.url, env=served.environment)
        return result.stdout.split()[0]

    return trigger


@pytest.fixture
def delivery_of(operate, served):
    """The one delivery of an event, as soon as it is in a state."""

    def find(event_id, state):
        def items():
            return json.loads(operate("deliveries", "--event", event_id, "--json").stdout)["items"]

        served.arrival_of(event_id)
        wait_until(
            lambda: items()[0]["state"] == state, f"{event_id} to be {state}", explain=lambda: f"{items()}"
        )
        (item,) = items()
        return item

    return find


def test_deliveries_are_listed_and_shown(operate, triggered, delivery_of):
    item = delivery_of(triggered("user.created"), "delivered")

    listed = operate("deliveries", "--destination", "crm", "--state", "delivered")
    shown = operate("deliveries", item["id"])

    assert re.match(r"ID +STATE +DESTINATION +WHAT HAPPENED +ATTEMPTS +CREATED +REASON\n", listed.stdout)
    assert re.search(
        rf"^{item['id']}  delivered  crm +Mara Lindqvist signed up  1 ", listed.stdout, re.MULTILINE
    )
    assert shown.stdout.startswith("Mara Lindqvist signed up, to crm\n")
    assert re.search(r"^  1\.  \S+  delivered  200  after ", shown.stdout, re.MULTILINE)
    assert "\n     taken by the fake\n" in shown.stdout
    assert "\nMessage\n  method: POST\n" in shown.stdout


def test_only_messages_in_another_form_are_listed(operate, triggered, delivery_of):
    delivery_of(triggered("user.created"), "delivered")

    assert operate("deliveries", "--degraded").stdout == "no deliveries\n"


def test_a_limit_is_kept_and_what_follows_is_told(operate, triggered):
    triggered("user.created"), triggered("user.created")

    result = operate("deliveries", "--limit", "1")

    assert len(result.stdout.splitlines()) == 3
    assert result.stdout.splitlines()[-1].startswith("there are more than these 1")


def test_a_dead_delivery_is_retried_and_arrives(operate, triggered, delivery_of, served):
    served.statuses["/gone"] = 410
    first = delivery_of(triggered("user.deleted"), "dead")
    second = delivery_of(triggered("user.deleted"), "dead")
    del served.statuses["/gone"]

    one = operate("retry", first["id"])
    rest = operate("retry", "--state", "dead", "--destination", "gone", "--since", "2h")

    assert (one.exit_code, one.stdout) == (0, f"{first['id']} will be sent to gone again\n")
    assert (rest.exit_code, rest.stdout) == (0, "1 delivery will be sent again\n")
    assert delivery_of(first["event"], "delivered")["attempts"] == 2
    assert delivery_of(second["event"], "delivered")["attempts"] == 2


@pytest.fixture
def deliveries_in(operate, triggered, delivery_of, served):
    """Two deliveries to `gone` in a state, which somebody set by hand; no others are in it."""

    def make(state):
        made = [delivery_of(triggered("user.deleted"), "delivered")["id"] for _ in range(2)]
        path = served.environment["DATABASE_URL"].removeprefix("sqlite:///")
        with closing(sqlite3.connect(path, timeout=PATIENCE_SECONDS)) as database, database:
            marks = ",".join("?" * len(made))
            database.execute(f"UPDATE deliveries SET state = ? WHERE id IN ({marks})", [state, *made])
        return made

    return make


def states_of(operate, ids):
    return {json.loads(operate("deliveries", id_, "--json").stdout)["state"] for id_ in ids}


def test_held_deliveries_are_resolved(operate, deliveries_in):
    first, second = deliveries_in("held")

    one = operate("resolve", first, "--as", "delivered")
    dry = operate("resolve", "--destination", "gone", "--as", "retry", "--dry-run")
    rest = operate("resolve", "--destination", "gone", "--as", "delivered", "--json")
    again = operate("resolve", second, "--as", "retry")

    assert (one.exit_code, one.stdout) == (0, f"{first} to gone is delivered\n")
    assert dry.stdout == ("1 delivery will be sent again, the same bytes (a dry run: nothing was changed)\n")
    assert (rest.exit_code, json.loads(rest.stdout)) == (0, {"changed": 1, "skipped": []})
    assert states_of(operate, [first, second]) == {"delivered"}
    assert (again.exit_code, again.stderr) == (
        1,
        f"hub: {second}: only held deliveries are resolved; it is delivered\n",
    )


@pytest.mark.parametrize(
    ("state", "command"), [("held", "hub resolve {} --as delivered, or --as retry"), ("dead", "hub retry {}")]
)
def test_a_delivery_names_the_command_that_it_needs(operate, deliveries_in, state, command):
    first, second = deliveries_in(state)
    shown = operate("deliveries", first).stdout
    operate("cancel", first, second)

    assert re.search(rf"^  to do      .* then {re.escape(command.format(first))}$", shown, re.MULTILINE)


def test_deliveries_are_cancelled(operate, deliveries_in):
    first, second = deliveries_in("dead")

    one = operate("cancel", first)
    rest = operate("cancel", "--state", "dead", "--type", "user.*")
    none = operate("cancel", "--destination", "gone")
    refused = operate("cancel", "--destination", "gone", "--state", "cancelled", "--since", "1h")

    assert (one.exit_code, one.stdout) == (0, f"{first} to gone is cancelled: it will not be sent\n")
    assert (rest.exit_code, rest.stdout) == (0, "1 delivery cancelled\n")
    assert (none.exit_code, none.stdout) == (0, "0 deliveries cancelled\n")
    assert states_of(operate, [first, second]) == {"cancelled"}
    assert (refused.exit_code, refused.stdout) == (1, "0 deliveries cancelled\n")
    assert re.fullmatch(r"hub: \d+ deliver\w+ not: it cannot be cancelled: it is cancelled\n", refused.stderr)


def test_what_is_owed_again_and_waits_says_why(operate, deliveries_in):
    first, second = deliveries_in("dead")
    operate("pause", "gone")

    retried = operate("retry", "--destination", "gone")
    operate("cancel", first, second)
    operate("resume", "gone")

    assert retried.stdout == (
        "2 deliveries will be sent again\n"
        "2 wait, to gone: gone is paused (paused by an operator); sent once it is resumed\n"
    )


@pytest.mark.parametrize("command", [("retry",), ("cancel",), ("resolve", "--as", "retry")])
@pytest.mark.parametrize("arguments", [(), (ABSENT, "--state", "dead"), (ABSENT, "--dry-run")])
def test_an_act_needs_either_ids_or_a_filter(run, command, arguments):
    assert run(*command, *arguments).exit_code == 2


def test_a_resolution_needs_a_decision(run):
    result = run("resolve", ABSENT)

    assert (result.exit_code, "--as" in result.stderr) == (2, True)


def test_an_event_is_replayed(operate, triggered, delivery_of):
    event_id = triggered("user.created")
    delivery_of(event_id, "delivered")

    result = operate("replay", event_id)

    assert (result.exit_code, result.stdout) == (0, f"{event_id}: 1 new delivery by to-crm\n")
    items = json.loads(operate("deliveries", "--event", event_id, "--json").stdout)["items"]
    assert len(items) == 2


def test_an_event_is_replayed_to_some_destinations(operate, triggered):
    event_id = triggered("user.created")

    one = operate("replay", event_id, "--destination", "crm", "--destination", "gone")
    other = operate("replay", event_id, "--destination", "gone")
    unknown = operate("replay", event_id, "--destination", "crn")

    assert (one.exit_code, one.stdout) == (0, f"{event_id}: 1 new delivery by to-crm\n")
    assert other.stderr == f"hub: {event_id}: today's rules send it to crm only\n"
    assert unknown.stderr == f'hub: {event_id}: there is no destination "crn"; did you mean "crm"?\n'


def test_a_paused_destination_waits_until_it_is_resumed(operate, triggered, run, served, delivery_of):
    paused = operate("pause", "crm")
    tested = run("send-test", "crm", env=served.environment)
    event_id = triggered("user.created")
    waiting = json.loads(operate("deliveries", "--event", event_id, "--json").stdout)["items"][0]
    listed, shown = operate("deliveries", "--event", event_id), operate("deliveries", waiting["id"])
    retried = operate("retry", waiting["id"])
    resumed = operate("resume", "crm")

    assert (paused.exit_code, paused.stdout) == (0, "crm is paused: what it is owed waits\n")
    assert tested.exit_code == 1
    words = "crm is paused (paused by an operator); sent once it is resumed"
    assert tested.stderr == f"hub: not delivered yet: {words}\n"
    assert (waiting["state"], waiting["why"]["text"]) == ("pending", words)
    assert words in listed.stdout
    assert f"  waits      {words}\n  to do      hub resume crm, once it may go on\n" in shown.stdout
    assert retried.stdout == f"{waiting['id']} will be sent to crm again; it waits: {words}\n"
    assert (resumed.exit_code, resumed.stdout) == (0, "crm goes on: what waited is sent now\n")
    delivery_of(event_id, "delivered")


def test_destinations_are_listed_with_what_is_the_matter(operate):
    operate("pause", "gone")
    listed = operate("destinations")
    items = {item["name"]: item for item in json.loads(operate("destinations", "--json").stdout)["items"]}
    operate("resume", "gone")

    heading, *lines = listed.stdout.splitlines()
    assert heading.split() == ["DESTINATION", "TYPE", "STATE", "WAITING", "HELD", "DEAD", "DELIVERED"]
    assert [line.split()[0] for line in lines if not line.startswith(" ")] == ["crm", "gone", "team"]
    below = {above.split()[0]: line for above, line in pairwise(lines) if line.startswith(" ")}
    assert re.fullmatch(r"  gone is paused by an operator, for .+", below["gone"])
    assert below["team"] == "  SLACK_WEBHOOK_URL is not set"
    assert {name: item["state"] for name, item in items.items()} == {
        "crm": "ok",
        "gone": "paused",
        "team": "not_configured",
    }


def test_a_resume_says_what_else_keeps_it_waiting(operate):
    result = operate("resume", "team")

    assert result.exit_code == 0
    assert result.stdout == ("team is not paused any more; it waits: SLACK_WEBHOOK_URL is not set\n")


def test_json_is_what_the_api_says(operate):
    state = json.loads(operate("resume", "crm", "--json").stdout)

    assert (state["name"], state["paused_at"]) == ("crm", None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("deliveries", ABSENT), f"hub: there is no delivery {ABSENT}\n"),
        (("deliveries", "../stats"), "hub: there is nothing"),
        (("retry", ABSENT), f"hub: {ABSENT}: there is no delivery {ABSENT}\n"),
        (("replay", "evt_000000000000"), "hub: evt_000000000000: there is no event evt_000000000000\n"),
        (("pause", "crn"), 'hub: there is no destination "crn"; did you mean "crm"?\n'),
        (("resume", "crn"), 'hub: there is no destination "crn"; did you mean "crm"?\n'),
        (("deliveries", "--destination", "crn"), 'hub: there is no destination "crn"; did you mean "crm"?\n'),
        (
            ("deliveries", "--destination", "nope"),
            'hub: there is no destination "nope"; there are crm, gone, team\n',
        ),
        (
            ("deliveries", "--event", "evt_000000000000"),
            "hub: there is no event 'evt_000000000000'\n",
        ),
        (
            ("retry", "--state", "dead", "--destination", "crn"),
            'hub: there is no destination "crn"; did you mean "crm"?\n',
        ),
        (("cancel", ABSENT), f"hub: {ABSENT}: there is no delivery {ABSENT}\n"),
        (("resolve", ABSENT, "--as", "retry"), f"hub: {ABSENT}: there is no delivery {ABSENT}\n"),
        (("retry", "--state", "dead", "--since", "soon"), "hub: since is 'soon'; say a time such as"),
    ],
)
def test_what_is_not_there_is_one_clear_line(operate, arguments, message):
    result = operate(*arguments)

    assert result.exit_code == 1
    assert result.stderr.startswith(message)
    assert result.stderr.count("\n") == 1


def test_one_id_that_is_wrong_does_not_keep_the_others_from_theirs(operate, triggered, delivery_of):
    event_id = triggered("user.created")
    delivery_of(event_id, "delivered")

    result = operate("replay", "evt_000000000000", event_id)

    assert result.exit_code == 1
    assert f"{event_id}: 1 new delivery" in result.stdout


# -- a hub far away ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("env", "message"),
    [
        ({"HUB_PASSWORD": "wrong"}, "hub: HUB_PASSWORD is not the password of the hub at http://127.0.0.1:"),
        (
            {"HUB_PASSWORD": "wr\u00f6ng \u2713"},
            "hub: HUB_PASSWORD is not the password of the hub at http://",
        ),
        ({}, "hub: set HUB_PASSWORD to the password of that hub\n"),
    ],
)
def test_a_wrong_password_is_one_clear_line(run, served, env, message):
    result = run("deliveries", "--url", served.url, env=bare_environment(**env))

    assert result.exit_code == 1
    assert result.stderr.startswith(message)
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://127.0.0.1:9", "no hub answers at http://127.0.0.1:9; is the --url right, and the hub up?"),
        ("127.0.0.1:8000", "--url must begin with https:// or http://"),
        ("http://hub.example.com", "HUB_PASSWORD would go to http://hub.example.com in clear"),
        ("http://127.0.0.1@hub.example.com/x", "HUB_PASSWORD would go to http://hub.example.com in clear"),
        ("http://[", "no hub answers at that --url"),
    ],
)
def test_no_hub_there_is_one_clear_line(run, url, message):
    result = run("pause", "crm", "--url", url, env=bare_environment(HUB_PASSWORD=PASSWORD))

    assert result.exit_code == 1
    assert result.stderr.startswith(f"hub: {message}")
    assert result.stderr.count("\n") == 1


def test_a_password_goes_in_clear_only_where_that_was_asked_for(run):
    url = "http://192.0.2.1:9"
    environment = bare_environment(HUB_PASSWORD=PASSWORD, http_proxy="http://127.0.0.1:9")
    refused = run("deliveries", "--url", url, env=environment)
    tried = run("deliveries", "--url", url, "--insecure", env=environment)

    assert (refused.exit_code, tried.exit_code) == (1, 1)
    assert "--insecure" in refused.stderr
    assert tried.stderr.startswith("hub: no hub answers at http://192.0.2.1:9")


def test_no_proxy_of_the_environment_gets_the_password(run):
    with HttpReceiver([CannedResponse(body=b"<html>")]) as proxy, HttpReceiver([CannedResponse()]) as other:
        environment = bare_environment(HUB_PASSWORD=PASSWORD, http_proxy=proxy.url)
        run("deliveries", "--url", other.url, env=environment)

        assert (len(proxy.received), len(other.received)) == (0, 1)


@pytest.mark.parametrize(
    ("response", "message"),
    [
        (CannedResponse(body=b"<html>"), "answered 200, but not as a hub does; is the --url right?"),
        (
            CannedResponse(status=302, headers={"Location": "/x"}),
            "redirects elsewhere; give the final address",
        ),
        (
            CannedResponse(status=503, body=b'{"error": "x", "message": "try \\u001b[2Jagain"}'),
            "try [2Jagain",
        ),
    ],
)
def test_what_another_server_says_is_one_clear_line(run, response, message):
    with HttpReceiver([response]) as other:
        result = run("deliveries", "--url", other.url, env=bare_environment(HUB_PASSWORD=PASSWORD))

    assert result.exit_code == 1
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


# -- the local database -----------------------------------------------------------------------------


def test_an_act_on_the_command_line_is_in_the_audit(operate, served):
    operate("pause", "gone")
    operate("resume", "gone")
    answer = requests.get(
        f"{served.url}/api/audit?subject=gone&limit=2",
        headers={"Authorization": f"Bearer {PASSWORD}"},
        timeout=PATIENCE_SECONDS,
    )
    items = answer.json()["items"]

    assert [item["act"] for item in items] == ["resume", "pause"]
    assert {(item["by"], item["address"]) for item in items} <= {("command line", None), ("key", "127.0.0.1")}


def test_a_bad_edit_on_disk_is_a_line_of_warning(run, served, tmp_path):
    (tmp_path / "broken.yaml").write_text("version: 2\n")
    result = run("pause", "crm", env={**served.environment, "HUB_CONFIG": str(tmp_path / "broken.yaml")})
    run("resume", "crm", env=served.environment)

    assert (result.exit_code, result.stdout) == (0, "crm is paused: what it is owed waits\n")
    warning = r"hub: the last edit has \d errors? and does not serve \(hub check prints all\)\n"
    assert re.fullmatch(warning, result.stderr)


@pytest.mark.parametrize("broken", ["version: 2\n", "routes: [\n", None])
def test_while_the_file_on_disk_is_broken_every_command_goes_by_what_serves(
    run, served, triggered, delivery_of, tmp_path, broken
):
    event = triggered("user.created")
    delivery = delivery_of(event, "delivered")["id"]
    path = tmp_path / "broken.yaml"
    if broken is not None:
        path.write_text(broken)
    environment = {**served.environment, "HUB_CONFIG": str(path)}
    commands = {
        ("pause", "crm"): "crm is paused",
        ("resume", "crm"): "crm goes on",
        ("deliveries", "--limit", "1"): "dlv_",
        ("deliveries", delivery): "Mara Lindqvist signed up, to crm",
        ("replay", event): "1 new delivery",
        ("retry", "--state", "dead", "--since", "1s"): "will be sent again",
        ("send-test", "crm"): "delivered to crm",
        ("trigger", "user.created", "--url", served.url): "1 delivery",
    }
    results = {arguments: run(*arguments, env=environment) for arguments in commands}

    for arguments, words in commands.items():
        result = results[arguments]
        assert (result.exit_code, result.stderr.count("\n")) == (0, 1), (arguments, result.output)
        assert words in result.stdout
        assert "the last edit has" in result.stderr


@pytest.mark.parametrize("arguments", [("deliveries",), ("prune",), ("pause", "crm"), ("send-test", "log")])
def test_a_database_that_is_not_there_is_one_clear_line(run, tmp_path, arguments):
    result = run(*arguments)

    assert result.exit_code == 1
    assert result.stderr.startswith(f"hub: there is no database at {tmp_path / 'hub.db'}; ")
    assert list(tmp_path.iterdir()) == []


def test_no_deliveries_are_said_in_words(run, sqlite_url):
    result = run("deliveries", env=shipped_environment(DATABASE_URL=sqlite_url))

    assert (result.exit_code, result.stdout) == (0, "no deliveries\n")
