"""Secrets are not shown, in whatever form a message holds them."""

from __future__ import annotations

import json

import pytest

from hub.catalog.redaction import Redaction, redaction_of

URL = "https://x.example/?a=1&ticket=abcdefghijklmnop/\"q'"


def of_invitation(url: str) -> Redaction:
    body = {"type": "invitation.created", "data": {"url": url}}
    return redaction_of({}).of_event("invitation.created", json.dumps(body).encode())


@pytest.mark.parametrize(
    "text",
    [
        URL,
        "https://x.example/?a=1&amp;ticket=abcdefghijklmnop/&#34;q&#39;",
        "https://x.example/?a=1&amp;ticket=abcdefghijklmnop/\"q'",
        json.dumps(URL),
        "https%3A%2F%2Fx.example%2F%3Fa%3D1%26ticket%3Dabcdefghijklmnop%2F%22q%27",
    ],
)
def test_a_secret_is_masked_in_every_form(text: str) -> None:
    shown = of_invitation(URL).text(f"before {text} after")

    assert "ticket" not in shown
    assert shown.startswith("before ")
    assert shown.endswith(" after")


def test_a_secret_that_was_cut_short_is_masked() -> None:
    assert of_invitation(URL).text(f'data.url is "{URL[:40]}…') == 'data.url is "••••••…'


def test_text_that_only_ends_in_dots_stays() -> None:
    assert of_invitation(URL).text("see https://x… and more…") == "see https://x… and more…"


def test_values_of_the_environment_show_as_their_names() -> None:
    masks = redaction_of({"CRM_TOKEN": "t0psecret", "HOME": "/home/hub", "SHORT_KEY": "abc"})

    assert masks.anything({"a": ["x t0psecret", {"b": "/home/hub abc"}], "n": 1}) == {
        "a": ["x ${CRM_TOKEN}", {"b": "/home/hub abc"}],
        "n": 1,
    }
