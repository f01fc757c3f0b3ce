"""`hub events` shows the catalog."""

import json

import pytest
from click.testing import CliRunner

from hub import catalog
from hub.commands.events import command


def run(*arguments):
    return CliRunner().invoke(command, arguments)


def test_the_list_names_every_event_type_with_its_meaning():
    result = run()

    assert result.exit_code == 0
    for name in catalog.event_types():
        assert f"  {name} " in result.stdout
        assert catalog.find_event_type(name).meaning in result.stdout


def test_the_list_says_where_a_schema_is_inferred():
    lines = run().stdout.splitlines()

    assert sum("(schema inferred)" in line for line in lines) == 5


def test_a_page_has_each_field_with_what_is_known_of_it():
    lines = [line.split("  ", 2)[1:] for line in run("waitlistEntry.updated").stdout.splitlines()]
    fields = {parts[0]: parts[1].strip() for parts in lines if len(parts) == 2}

    assert fields["data.email_address"] == "string"
    assert fields["data.status"] == "string, one of pending, invited, rejected, completed"
    assert fields["data.invitation"] == "object, optional, may be null"
    assert fields["data.invitation.url"] == "string, optional, SECRET"
    assert fields["data.invitation.public_metadata"] == "object, any key"


def test_a_page_ends_with_the_sample():
    text = run("user.created").stdout

    assert json.loads(text[text.index("\n{") :]) == catalog.sample("user.created")


@pytest.mark.parametrize("name", catalog.event_types())
def test_every_event_type_has_a_page(name):
    result = run(name)

    assert result.exit_code == 0
    assert catalog.find_event_type(name).meaning in result.stdout


@pytest.mark.parametrize(
    ("name", "message"),
    [("user.crated", 'did you mean "user.created"?'), ("USER.CREATED", 'did you mean "user.created"?')],
)
def test_an_unknown_type_is_wrong_usage_and_says_what_was_meant(name, message):
    result = run(name)

    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""


def test_json_is_for_tools():
    entries = json.loads(run("--json").stdout)
    assert [entry["name"] for entry in entries] == list(catalog.event_types())

    page = json.loads(run("email.created", "--json").stdout)
    assert page["secret"] == ["body", "body_plain", "data.otp_code", "subject"]
    assert page["sample"] == catalog.sample("email.created")
    assert {"path": "data.subject", "secret": True}.items() <= page["fields"][8].items()
