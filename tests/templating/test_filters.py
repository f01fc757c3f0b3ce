"""The hub's own filters take whatever a payload holds."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from hub.templating.escapes import plain
from hub.templating.sandbox import Sandbox

USER = {
    "first_name": "Ada",
    "last_name": None,
    "primary_email_address_id": "b",
    "email_addresses": [{"id": "a", "email_address": "a@x"}, {"id": "b", "email_address": "b@x"}],
}


@pytest.mark.parametrize(
    ("source", "seen", "expected"),
    [
        ("{{ x | primary_email }}", USER, "b@x"),
        ("{{ x | primary_email }}", {**USER, "primary_email_address_id": None}, ""),
        ("{{ x | primary_email }}", {**USER, "email_addresses": []}, ""),
        ("{{ x | primary_email }}", {**USER, "email_addresses": "odd"}, ""),
        ("{{ x | primary_email }}", None, ""),
        ("{{ x | full_name }}", USER, "Ada"),
        ("{{ x | full_name }}", {"identifier": "ada"}, "ada"),
        ("{{ x | full_name }}", {"username": "ada"}, "ada"),
        ("{{ x | full_name }}", [], ""),
        ("{{ x | datetime }}", 1654012591514, "2022-05-31 15:56 UTC"),
        ("{{ x | datetime('%Y') }}", 1654012591, "2022"),
        ("{{ x | datetime }}", datetime(2026, 1, 2, 3, 4, tzinfo=UTC), "2026-01-02 03:04 UTC"),
        ("{{ x | datetime }}", "soon", ""),
        ("{{ x | datetime }}", True, ""),
        ("{{ x | datetime }}", float("nan"), ""),
        ("{{ x | datetime }}", 10**30, ""),
        ("{{ missing | datetime }}{{ missing | full_name }}{{ missing | primary_email }}", None, ""),
    ],
)
def test_filters(source: str, seen: Any, expected: str) -> None:
    assert Sandbox({}).text(source, {"x": seen}, plain, name="text") == expected
