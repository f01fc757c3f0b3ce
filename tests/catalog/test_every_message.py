"""What holds for every built-in message, of whatever event."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from every_message import LONG, Scene, as_text, scenes
from summaries import data_of, of_data

from hub import catalog
from hub.catalog.event_types import Wording
from hub.catalog.summaries import reading
from hub.model.summary import Summary

WRITTEN = Path(__file__).parent / "messages.txt"

TOLD = [(f"{scene.type}, {scene.shape}", scene, scene.summary) for scene in scenes()]
every_message = pytest.mark.parametrize(
    ("scene", "summary"), [entry[1:] for entry in TOLD], ids=[entry[0] for entry in TOLD]
)


def test_the_messages_are_those_that_were_read() -> None:
    assert as_text() == WRITTEN.read_text("utf-8"), "make messages writes them anew: read the diff"


@every_message
def test_a_message_keeps_to_its_sizes(scene: Scene, summary: Summary) -> None:
    assert 0 < len(summary.headline) <= 120
    assert 0 < len(summary.about) <= 80
    assert len(summary.fields) <= 4
    assert all(0 < len(label) <= 20 and 0 < len(value) <= 120 for label, value in summary.fields)
    assert not re.search(r"[.!]$|[\n\t]|  ", summary.headline)


@every_message
def test_nothing_is_said_twice(scene: Scene, summary: Summary) -> None:
    labels = [label for label, _ in summary.fields]

    assert len(set(labels)) == len(labels)
    for _, value in summary.fields:
        assert not re.search(rf"(?<!\w){re.escape(value)}(?!\w)", summary.headline, re.IGNORECASE)


@every_message
def test_no_word_is_a_machines(scene: Scene, summary: Summary) -> None:
    texts = " ".join([summary.headline, summary.about, *(" ".join(field) for field in summary.fields)])

    assert not re.search(r"None|null|_|org:|oauth|https://img|unknown|\{|\}", texts)


HANDLE = re.compile(r"\b(?!https?)[a-z]+_\w{20,}")
NAMELESS = re.compile(
    r"\b(a user|an organization|a customer|somebody|a domain|a role|a permission|The role|The permission)\b",
    re.IGNORECASE,
)


@every_message
def test_an_id_is_told_where_there_is_no_name(scene: Scene, summary: Summary) -> None:
    texts = " ".join([summary.headline, summary.about, *(value for _, value in summary.fields)])
    is_deleted_and_known = scene.type.endswith(".deleted") and scene.shape == "known"

    assert not HANDLE.search(texts)
    if HANDLE.search(summary.details):
        assert NAMELESS.search(summary.headline) or is_deleted_and_known
    assert summary.details or scene.shape != "nothing"


NAMES = {
    "user": ("first_name", "last_name", "username", "email_addresses", "phone_numbers"),
    "session": ("user.first_name", "user.last_name", "user.username", "user.email_addresses"),
    "organization": ("name", "slug"),
    "organizationDomain": ("name",),
    "organizationInvitation": ("email_address",),
    "invitation": ("email_address",),
    "organizationMembership": tuple(f"public_user_data.{key}" for key in ("first_name", "identifier")),
    "waitlistEntry": ("email_address",),
    "paymentAttempt": ("payer.organization_name", "payer.first_name", "payer.email"),
    "subscription": ("payer.organization_name", "payer.first_name", "payer.email"),
    "subscriptionItem": ("payer.organization_name", "payer.first_name", "payer.email"),
    "role": ("name", "key"),
    "permission": ("name", "key"),
    "email": ("to_email_address",),
    "sms": ("to_phone_number",),
}
"""Where a subject of each kind may have its name, by the ladder."""


@every_message
def test_a_headline_has_its_subject(scene: Scene, summary: Summary) -> None:
    paths = NAMES.get(scene.type.partition(".")[0], ())
    names = [name for path in paths for name in _texts(reading.value(scene.data, *path.split(".")))]
    shown = [name for name in names if name[:20].rstrip() in summary.headline]

    assert bool(shown) == bool(names)


def _texts(value: Any) -> list[str]:
    """Return a text as it may be told, or those of entries."""
    if isinstance(value, list):
        return [text for entry in value for key in entry for text in _texts(entry[key]) if "_" in key]
    return [reading.line(value)] if isinstance(value, str) and value else []


def test_every_case_is_in_the_table() -> None:
    shown = {(scene.type, _case(scene)) for scene in scenes() if scene.type in catalog.event_types()}

    for name in catalog.event_types():
        assert {(name, case) for case in _wordings(name)} <= shown


def _wordings(name: str) -> dict[str, Wording]:
    event_type = catalog.find_event_type(name)
    assert event_type is not None
    return dict(event_type.wordings)


def _case(scene: Scene) -> str:
    """Return the case that an event is told as, by the words of its headline."""
    summary = scene.summary
    cases = {case for case, wording in _wordings(scene.type).items() if _fits(wording, summary.headline)}
    return max(cases, key=lambda case: len(_fixed(_wordings(scene.type)[case])), default="")


def _fits(wording: Wording, headline: str) -> bool:
    pattern = re.sub(r"\[(.*?)\]", r"\1", wording.headline)
    parts = [re.escape(part) for part in re.split(r"\{.*?\}", pattern)]
    return re.fullmatch(".+".join(parts), headline) is not None or _fixed(wording) in headline


def _fixed(wording: Wording) -> str:
    """Return the longest part of a headline that is the same for all."""
    return max(re.split(r"\{.*?\}|[\[\]]", wording.headline), key=len)


def test_no_two_messages_of_a_subject_have_one_headline() -> None:
    headlines = [
        (_with_one_subject(pattern), name, case)
        for name in catalog.event_types()
        for case, wording in _wordings(name).items()
        for pattern in {wording.headline, re.sub(r"\[.*?\]", "", wording.headline)}
    ]

    assert [pair for pair in pairwise(sorted(headlines)) if pair[0][0] == pair[1][0]] == []


def _with_one_subject(pattern: str) -> str:
    subject = re.sub(r"\{(person|payer|email|to|Message)\b.*?\}", "S", pattern)
    return re.sub(r"\{(\w+).*?\}", r"<\1>", subject)


SECRETS = {
    name: catalog.secret_values(name, {"data": {**data_of(name), "id": "a_real_one"}})
    for name in catalog.event_types()
}


@pytest.mark.parametrize("name", [name for name, secrets in SECRETS.items() if secrets])
def test_no_secret_is_told(name: str) -> None:
    summary = of_data(name, {**data_of(name), "id": "a_real_one"})

    assert not [secret for secret in SECRETS[name] if secret in repr(summary)]


def test_no_stranger_breaks_a_line() -> None:
    texts = json.dumps([repr(summary) for _, scene, summary in TOLD if LONG[:20] in repr(scene)])

    assert "evil.example" in texts
    assert not re.search(r"\\u202e|\\u2028|\\r|\\n|\\u0000", texts)
