"""One-time secrets are found, masked and blanked."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub import catalog
from hub.catalog import MASK
from hub.catalog.redaction import Redaction

WITH_SECRETS = [name for name in catalog.event_types() if catalog.find_event_type(name).secret]
URL = "https://accounts.example.com/accept?ticket=abc"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["url", "data", "x"]), inner),
    max_leaves=12,
)


def invitation(**data):
    return {"type": "invitation.created", "data": {"url": URL, **data}}


def real(name):
    """A body like the catalog's sample, of an event that really happened."""
    body = catalog.sample(name)
    return {**body, "data": {**body["data"], "id": "a_real_one"}}


@pytest.mark.parametrize("name", WITH_SECRETS)
def test_what_stands_in_the_catalogs_own_sample_is_no_secret(name):
    body = catalog.sample(name)
    payload = json.dumps(body).encode()

    assert catalog.secret_values(name, body) == ()
    assert catalog.mask_body(name, body) == body
    assert catalog.blank_secrets(name, payload) is payload


def test_what_somebody_put_into_a_sample_is_a_secret():
    body = catalog.sample("email.created")
    body["data"]["data"]["otp_code"] = "918273"

    assert catalog.secret_values("email.created", body) == ("918273",)
    assert catalog.mask_body("email.created", body)["data"]["data"]["otp_code"] == MASK


def test_the_samples_code_in_a_real_event_is_a_secret():
    assert "514982" in catalog.secret_values("email.created", real("email.created"))
    assert "514982" not in json.dumps(catalog.mask_body("email.created", real("email.created")))


def test_the_secrets_of_an_event_come_longest_first():
    values = catalog.secret_values("email.created", real("email.created"))

    assert len(values) == 4
    assert values[-1] == "514982"
    assert [len(value) for value in values] == sorted(map(len, values), reverse=True)


@pytest.mark.parametrize(
    ("name", "body", "expected"),
    [
        ("invitation.created", {"data": {"url": URL}}, (URL,)),
        ("invitation.created", {"data": {"url": 424242}}, ("424242",)),
        ("invitation.created", {"data": {"url": ""}}, ()),
        ("invitation.created", {"data": {"url": None}}, ()),
        ("invitation.created", {"data": {"url": False}}, ()),
        ("invitation.created", {"data": {"url": {"a": ["xyzzy", {"b": 12}]}}}, ("xyzzy", "12")),
        ("invitation.created", {"data": {}}, ()),
        ("invitation.created", {"data": [URL]}, ()),
        ("invitation.created", {"data": None}, ()),
        ("invitation.created", {}, ()),
        ("waitlistEntry.updated", {"data": {"invitation": {"url": URL}}}, (URL,)),
        ("sms.created", {"data": {"data": {"otp_code": "1"}, "message": "1 is it"}}, ("1 is it", "1")),
        ("user.created", {"data": {"url": URL}}, ()),
        ("thing.happened", {"data": {"url": URL}}, ()),
    ],
)
def test_secrets_are_what_stands_at_the_secret_paths(name, body, expected):
    assert catalog.secret_values(name, body) == expected


@pytest.mark.parametrize(
    ("text", "secrets", "expected"),
    [
        ("code 42 and 4242", ["42", "4242"], f"code {MASK} and {MASK}"),
        ("a.c abc", ["a.c"], f"{MASK} abc"),
        ("•", ["•", MASK], MASK),
        ("nothing", [], "nothing"),
        ("nothing", ["", "x"], "nothing"),
    ],
)
def test_a_mask_replaces_every_secret(text, secrets, expected):
    assert catalog.mask(text, secrets) == expected


def test_a_masked_body_shows_no_secret_anywhere():
    metadata = {"copy": f"open {URL} now", "list": [[URL]]}
    body = invitation(public_metadata=metadata, email_address="a@example.com")
    masked = catalog.mask_body("invitation.created", body)

    assert URL not in json.dumps(masked)
    assert masked["data"]["public_metadata"] == {"copy": f"open {MASK} now", "list": [[MASK]]}
    assert masked["data"]["email_address"] == "a@example.com"
    assert body["data"]["public_metadata"]["copy"] == f"open {URL} now"


def test_a_short_secret_is_masked_in_its_field_only():
    masked = catalog.mask_body("invitation.created", invitation(url="a", email_address="a@example.com"))

    assert masked["data"] == {"url": MASK, "email_address": "a@example.com"}


def test_a_secret_of_a_wrong_type_is_masked_whole():
    masked = catalog.mask_body("invitation.created", invitation(url={"deep": [URL]}))

    assert masked["data"]["url"] == MASK


@pytest.mark.parametrize("name", WITH_SECRETS)
def test_a_blanked_payload_holds_no_secret(name):
    body = real(name)
    payload = json.dumps(body).encode()
    blanked = catalog.blank_secrets(name, payload)
    secrets = catalog.secret_values(name, body)

    assert secrets or name == "waitlistEntry.created"
    for secret in secrets:
        assert secret not in blanked.decode()
    assert json.loads(blanked)["data"]["id"] == body["data"]["id"]
    assert blanked == catalog.blank_secrets(name, blanked) or secrets


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("user.created", b'{ "data": {"url": "x"} }'),
        ("thing.happened", b"not json"),
        ("invitation.created", b'{ "data": {"email_address": "a@example.com"} }'),
        ("invitation.created", b'{ "data": {"url": ""} }'),
        ("invitation.created", b'[ "a" ]'),
    ],
)
def test_a_payload_without_secrets_stays_byte_for_byte(name, payload):
    assert catalog.blank_secrets(name, payload) is payload


def test_a_blanked_payload_can_hold_half_a_character():
    payload = json.dumps(invitation(email_address="\ud800")).encode()

    assert json.loads(catalog.blank_secrets("invitation.created", payload))["data"] == {
        "url": MASK,
        "email_address": "\ud800",
    }


def test_what_cannot_be_searched_is_not_kept():
    assert catalog.blank_secrets("invitation.created", b'{"data": {"url": "x"') == b"{}"


def test_a_payload_nested_as_deep_as_json_can_be_read_is_masked():
    deep = json.loads("[" * 900 + json.dumps(URL) + "]" * 900)
    masked = catalog.mask_body("invitation.created", invitation(deep=deep))
    for _ in range(900):
        assert isinstance(masked, dict | list)
        masked = masked["data"]["deep"] if isinstance(masked, dict) else masked[0]

    assert masked == [MASK]


@given(data=JSON, name=st.sampled_from([*WITH_SECRETS, "user.created", "thing.happened"]))
def test_any_json_can_be_masked(data, name):
    body = {"data": data}
    masked = catalog.mask_body(name, body)
    telling = [secret for secret in catalog.secret_values(name, body) if len(secret) >= 4]

    assert not [secret for secret in telling if secret in _strings(masked)]
    json.loads(catalog.blank_secrets(name, json.dumps(body).encode()))


def _strings(value):
    if isinstance(value, dict):
        return [text for item in value.values() for text in _strings(item)]
    if isinstance(value, list):
        return [text for item in value for text in _strings(item)]
    return [value] if isinstance(value, str) else []


BACKUP = "sample-backup-3f9a"
"""A code for a second factor: sensitive, and not spent by being sent."""


def with_backup_code():
    body = catalog.sample("user.created")
    body["data"]["phone_numbers"][0]["backup_codes"] = [BACKUP]
    body["data"]["last_name"] = f"quotes {BACKUP}"
    return body


def test_what_is_sensitive_is_masked_where_it_is_shown():
    body = with_backup_code()

    assert catalog.hides("user.created")
    assert catalog.hidden_values("user.created", body) == (BACKUP,)
    assert BACKUP not in json.dumps(catalog.mask_body("user.created", body))
    assert BACKUP not in Redaction(named={}).of_body("user.created", body).text(f"code {BACKUP}")


def test_what_is_sensitive_is_kept_and_is_no_one_time_secret():
    body = with_backup_code()
    payload = json.dumps(body).encode()

    assert not catalog.has_secrets("user.created")
    assert catalog.secret_values("user.created", body) == ()
    assert catalog.blank_secrets("user.created", payload) is payload


@pytest.mark.parametrize("name", catalog.event_types())
def test_what_is_sensitive_is_declared(name):
    event_type = catalog.find_event_type(name)
    holders = {field.path.rpartition(".")[0] for field in catalog.fields_of(event_type)}

    assert {f"data.{path}".rpartition(".")[0] for path in event_type.sensitive} <= holders
