"""Samples, and samples with something changed."""

import json

import pytest

from hub import catalog
from hub.errors import HubError, NotFound

EMAIL = "data.email_addresses[0].email_address"


def changed(name, assignments, **options):
    return json.loads(catalog.sample_payload(name, assignments, **options))


def test_a_sample_is_a_whole_envelope():
    body = catalog.sample("waitlistEntry.created")

    assert list(body) == ["object", "type", "timestamp", "instance_id", "event_attributes", "data"]
    assert body["object"] == "event"
    assert body["type"] == "waitlistEntry.created"
    assert body["timestamp"] > 1e11
    assert set(body["event_attributes"]["http_request"]) == {"client_ip", "user_agent"}


def test_a_sample_is_made_anew_each_time():
    catalog.sample("user.created")["data"]["email_addresses"].clear()

    assert catalog.sample("user.created")["data"]["email_addresses"] != []


def test_a_base_lends_its_keys_to_a_sample():
    session = catalog.sample("session.ended")["data"]

    assert session["status"] == "ended"
    assert session["user"]["object"] == "user"
    assert "$base" not in json.dumps([catalog.sample(name) for name in catalog.event_types()])


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("data.email_address", "ada@example.com"),
        ("data.email_address", None),
        ("data.public_metadata.deep.er", {"a": [1]}),
        ("data.public_metadata", []),
        ("data.new", "x"),
        ("type", "invitation.revoked"),
        ("event_attributes.http_request.client_ip", ""),
    ],
)
def test_an_assignment_sets_one_value(path, value):
    body = changed("invitation.created", {path: value})
    for key in path.split("."):
        body = body[key]

    assert body == value


def test_an_assignment_reaches_into_lists():
    body = changed("user.created", {EMAIL: "ada@example.com", "data.email_addresses": []})
    assert body["data"]["email_addresses"] == []

    body = changed("user.created", {"data.email_addresses": [], EMAIL: "ada@example.com"})
    assert body["data"]["email_addresses"] == [{"email_address": "ada@example.com"}]

    body = changed("user.created", {EMAIL: "ada@example.com"})
    assert body["data"]["email_addresses"][0]["email_address"] == "ada@example.com"
    assert body["data"]["email_addresses"][1]["email_address"] == "mara.lindqvist@example.com"


def test_an_assignment_makes_an_object_where_null_was():
    body = changed("waitlistEntry.created", {"data.invitation.status": "pending"})

    assert body["data"]["invitation"] == {"status": "pending"}


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("data..x", "is no path; write it like data.email_addresses[0].email_address"),
        ("", "is no path"),
        ("[0]", "is no path"),
        ("data.x[one]", "is no path"),
        ("email_address", 'an event has no "email_address"; write data.email_address'),
        ("data.id.x", "data.id is text with nothing inside; set data.id itself"),
        ("data.id[0]", "data.id is text"),
        ("data.banned.x", "data.banned is true or false"),
        ("data.created_at.x.y", "data.created_at is a number"),
        ("data[0]", "data is an object and has no [0]; write data.NAME"),
        ("data.email_addresses.x", "data.email_addresses is a list of 2; write data.email_addresses[0].x"),
        ("data.email_addresses[3]", "is a list of 2; write data.email_addresses[2] to add an item to it"),
        ("data.email_addresses[7].x", "is a list of 2"),
    ],
)
def test_a_path_that_leads_nowhere_says_what_to_write(path, message):
    with pytest.raises(HubError) as raised:
        catalog.sample_payload("user.created", {path: 1})

    assert message in str(raised.value)


def test_an_unknown_type_says_what_was_meant():
    with pytest.raises(NotFound, match=r'did you mean "user\.created"\?'):
        catalog.sample("user.crated")


def test_a_base_stands_in_for_the_sample():
    base = {"data": {"a": {"b": 1}}}
    body = changed("thing.happened", {"data.a.c": 2, "extra": 3}, base=base, timestamp_ms=1)

    assert body == {"type": "thing.happened", "data": {"a": {"b": 1, "c": 2}}, "extra": 3, "timestamp": 1}
    assert base == {"data": {"a": {"b": 1}}}


def test_a_value_given_is_not_shared_with_the_payload():
    value = {"a": []}
    changed("user.created", {"data.public_metadata": value, "data.public_metadata.a[0]": 1})

    assert value == {"a": []}


def test_a_payload_with_half_a_character_is_still_json():
    assert changed("user.created", {"data.first_name": "\ud800"})["data"]["first_name"] == "\ud800"


def test_the_timestamp_can_be_set():
    assert changed("user.created", {}, timestamp_ms=1700000000000)["timestamp"] == 1700000000000
