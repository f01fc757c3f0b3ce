"""The files of the catalog agree with each other and with what they say of themselves."""

import re
from datetime import UTC, datetime

import jsonschema
import pytest

from hub import catalog
from hub.catalog.event_types import FOLDER
from hub.catalog.paths import parse, values
from hub.catalog.summaries import FAMILIES
from hub.catalog.summaries.facts import Occurrence

NAMES = catalog.event_types()
AT = datetime(2026, 6, 12, tzinfo=UTC)
TEXTS_OF_EARLIER_EVENTS = (
    "before",
    "changed",
    "external_id",
    "new_email_addresses",
    "new_member_limit",
    "new_phone_number",
    "new_phone_numbers",
    "new_sign_in_methods",
    "new_username",
    "verb",
)


def test_there_are_fifty_event_types_sorted_by_name():
    assert len(NAMES) == 50
    assert list(NAMES) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_follows_its_schema(name):
    schema = catalog.find_event_type(name).schema
    jsonschema.Draft202012Validator.check_schema(schema)
    problems = [
        f"{'.'.join(map(str, error.path))}: {error.message}"
        for error in jsonschema.Draft202012Validator(schema).iter_errors(catalog.sample(name)["data"])
    ]

    assert problems == []


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_has_only_fields_that_its_schema_declares(name):
    declared = {field.path: field for field in catalog.fields_of(catalog.find_event_type(name))}
    paths = set(_paths_in(catalog.sample(name)["data"], "data", declared))

    assert paths - declared.keys() == set()


def _paths_in(value, path, declared):
    if isinstance(value, list):
        for item in value:
            yield from _paths_in(item, f"{path}[]", declared)
    elif isinstance(value, dict) and not (path in declared and declared[path].free_form):
        for key, item in value.items():
            yield f"{path}.{key}"
            yield from _paths_in(item, f"{path}.{key}", declared)


@pytest.mark.parametrize("name", NAMES)
def test_a_message_is_made_of_texts_that_its_family_has(name):
    event_type = catalog.find_event_type(name)
    occurrence = Occurrence(type=name, at=AT, data=catalog.sample(name)["data"], zone=UTC)
    texts = {**FAMILIES[event_type.group](occurrence).texts, **dict.fromkeys(TEXTS_OF_EARLIER_EVENTS, "x")}
    for wording in event_type.wordings.values():
        for pattern in (wording.headline, wording.about, *wording.fields.values()):
            names = re.findall(r"{(\w+)", pattern)

            assert set(names) <= texts.keys()
            assert len(names) == pattern.count("{") == pattern.count("}")


@pytest.mark.parametrize("name", [name for name in NAMES if catalog.find_event_type(name).secret])
def test_a_secret_path_leads_to_something_in_a_sample_of_its_schema(name):
    event_type = catalog.find_event_type(name)
    same_schema = [
        catalog.sample(other)["data"]
        for other in NAMES
        if catalog.find_event_type(other).schema_name == event_type.schema_name
    ]
    for path in event_type.secret:
        assert any(values(data, parse(path)) for data in same_schema), path


def test_every_schema_and_sample_is_used():
    schemas = {file.stem for file in (FOLDER / "schemas").glob("*.json")}
    samples = {file.stem for file in (FOLDER / "samples").glob("*.json")}
    text = "".join(file.read_text(encoding="utf-8") for file in FOLDER.glob("*/*.json"))
    unused_schemas = [
        name for name in schemas if f'"schema": "{name}"' not in text and f'"$ref": "{name}.json"' not in text
    ]
    unused_samples = [name for name in samples if f'"$base": "{name}"' not in text]

    assert unused_schemas == []
    assert unused_samples == ["Envelope"]


def test_a_schema_is_complete_in_itself():
    schema = catalog.find_event_type("session.created").schema

    assert schema["properties"]["user"] == {"$ref": "#/$defs/User"}
    assert schema["$defs"]["EmailAddress"]["properties"]["email_address"] == {"type": "string"}


def test_only_free_form_objects_take_any_key_by_declaration():
    user = catalog.find_event_type("user.created").schema

    assert user["properties"]["public_metadata"] == {"type": "object", "additionalProperties": True}
    assert "additionalProperties" not in user


@pytest.mark.parametrize("name", ["user.crated", "", "../samples/User", "*", "USER.CREATED"])
def test_what_the_catalog_does_not_have_is_none(name):
    assert catalog.find_event_type(name) is None


def test_an_unpublished_schema_says_so():
    published = {name: catalog.find_event_type(name).published for name in NAMES}

    assert [name for name, is_published in published.items() if not is_published] == [
        "invitation.accepted",
        "invitation.created",
        "invitation.revoked",
        "session.updated",
        "subscriptionItem.created",
    ]


@pytest.mark.parametrize(
    ("name", "path", "expected"),
    [
        ("invitation.accepted", "status", "accepted"),
        ("invitation.revoked", "status", "revoked"),
        ("organizationInvitation.accepted", "status", "accepted"),
        ("organizationInvitation.created", "status", "pending"),
        ("paymentAttempt.created", "status", "pending"),
        ("paymentAttempt.updated", "status", "failed"),
        ("paymentAttempt.updated", "charge_type", "recurring"),
        ("paymentAttempt.updated", "failed_reason.decline_code", "insufficient_funds"),
        ("session.ended", "status", "ended"),
        ("session.removed", "status", "removed"),
        ("session.revoked", "status", "revoked"),
        ("subscription.pastDue", "status", "past_due"),
        ("subscriptionItem.freeTrialEnding", "is_free_trial", True),
        ("user.deleted", "deleted", True),
        ("waitlistEntry.created", "status", "pending"),
        ("waitlistEntry.updated", "invitation.status", "pending"),
    ],
)
def test_a_sample_is_what_its_event_says(name, path, expected):
    assert values(catalog.sample(name)["data"], parse(path)) == [expected]


def test_the_first_email_of_the_sample_user_is_not_the_primary_one():
    user = catalog.sample("user.created")["data"]

    assert len(user["email_addresses"]) > 1
    assert user["email_addresses"][0]["id"] != user["primary_email_address_id"]


def fields(name):
    return {field.path: field for field in catalog.fields_of(catalog.find_event_type(name))}


def test_fields_carry_what_a_schema_says_of_them():
    entry = fields("waitlistEntry.updated")

    assert entry["data.status"].enum == ("pending", "invited", "rejected", "completed")
    assert entry["data.invitation"].nullable
    assert entry["data.invitation"].optional
    assert entry["data.invitation.public_metadata"].free_form
    assert entry["data.invitation.url"].secret
    assert not entry["data.email_address"].secret


def test_alternatives_of_a_field_are_told_as_one():
    user = fields("user.created")
    status = user["data.email_addresses[].verification.status"]

    assert set(status.enum) == {"unverified", "verified", "failed", "expired", "transferable"}
    assert user["data.email_addresses[].verification.strategy"].enum == ()


def test_a_secret_inside_a_free_form_object_is_listed():
    assert fields("email.created")["data.data.otp_code"].secret
