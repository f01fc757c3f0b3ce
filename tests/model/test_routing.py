"""Relays: routes that send on what Clerk leaves to the application to send."""

from __future__ import annotations

from typing import Any

import given
import pytest

from hub.model.routing import Send, is_relayed

TO_THEM = {"recipient": "{{ data.to_email_address }}"}


@pytest.mark.parametrize(
    ("event_type", "events", "fields", "enabled", "expected"),
    [
        ("email.created", "email.created", TO_THEM, True, True),
        (
            "email.created",
            "email.*",
            {"recipient": ["x@example.com", "{{ data.to_email_address }}"]},
            True,
            True,
        ),
        ("sms.created", "*", {"recipient": "{{ data.to_phone_number }}"}, True, True),
        ("sms.created", "*", TO_THEM, True, False),
        ("email.created", "sms.created", TO_THEM, True, False),
        ("email.created", "email.created", TO_THEM, False, False),
        ("email.created", "email.created", {"text": "{{ data.to_email_address }}"}, True, False),
        ("user.created", "*", TO_THEM, True, False),
    ],
)
def test_a_route_relays_what_it_sends_to_whom_it_is_for(
    event_type: str, events: str, fields: Any, enabled: bool, expected: bool
) -> None:
    route = given.route("relay", (events,), Send(to="mail", fields=fields), enabled=enabled)

    assert is_relayed(event_type, [route]) is expected
