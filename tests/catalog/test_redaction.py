"""Secrets are not shown, in whatever form a message holds them."""

from __future__ import annotations

import json
import re
from base64 import b64encode

import pytest

from hub.catalog.redaction import Redaction, redaction_of

URL = "https://x.example/?a=1&ticket=abcdefghijklmnop/\"q'"


def of_invitation(url: str) -> Redaction:
    body = {"type": "invitation.created", "data": {"url": url}}
    return redaction_of({}, ()).of_event("invitation.created", json.dumps(body).encode())


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


ENVIRONMENT = {
    "CRM_TOKEN": 't0p"secret/é',
    "HOME": "/home/hub",
    "SHORT_KEY": "whsec_",
    "SMTP_URL": "smtp://hub%40example.com:swordf%2Fish@mail.example.com",
    "HOOK": "https://hooks.example.com/services/T0/B0/x?y=z",
}
MASKS = redaction_of(ENVIRONMENT, ("CRM_TOKEN", "SHORT_KEY", "SMTP_URL", "HOOK", "UNSET"))


def test_values_of_the_environment_show_as_their_names() -> None:
    text = ENVIRONMENT["CRM_TOKEN"]

    assert MASKS.anything({"a": [f"x {text}", {"b": "/home/hub whsec_"}], "n": 1}) == {
        "a": ["x ${CRM_TOKEN}", {"b": "/home/hub whsec_"}],
        "n": 1,
    }


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (json.dumps(ENVIRONMENT["CRM_TOKEN"]), "CRM_TOKEN"),
        (json.dumps(ENVIRONMENT["CRM_TOKEN"], ensure_ascii=False), "CRM_TOKEN"),
        ("t0p%22secret%2F%C3%A9", "CRM_TOKEN"),
        ("t0p&#34;secret/é", "CRM_TOKEN"),
        (b64encode(ENVIRONMENT["CRM_TOKEN"].encode()).decode(), "CRM_TOKEN"),
        ("535 5.7.8 swordf/ish is wrong", "SMTP_URL"),
        ("535 5.7.8 swordf%2Fish is wrong", "SMTP_URL"),
        ("Basic " + b64encode(b"hub@example.com:swordf/ish").decode(), "SMTP_URL"),
        ("Basic " + b64encode(b"h:swordf/ish").decode(), "SMTP_URL"),
        ("AUTH PLAIN " + b64encode(b"\0hub\0swordf/ish").decode(), "SMTP_URL"),
        ("no such path: /services/T0/B0/x?y=z", "HOOK"),
    ],
)
def test_a_value_of_the_environment_is_masked_in_every_form(text: str, name: str) -> None:
    shown = MASKS.text(text)

    assert f"${{{name}}}" in shown
    assert "ecret" not in shown
    assert "ish" not in shown.replace("is wrong", "")
    assert len(re.sub(r"\$\{\w+\}", "", shown)) < 40


def test_the_hubs_own_words_are_never_masked() -> None:
    masks = redaction_of({"TOKEN": "answered 500"}, ("TOKEN",))

    assert masks.own_text("answered 500 Internal Server Error") == "answered 500 Internal Server Error"
    assert masks.text("answered 500") == "${TOKEN}"


@pytest.mark.parametrize(
    ("url", "token"),
    [
        ("https://discord.com/api/webhooks/123/Zx9-token_of_a_webhook", "Zx9-token_of_a_webhook"),
        (
            "https://chat.example/v1/spaces/A/messages?key=AIza0123456789abcdefgh&token=b",
            "AIza0123456789abcdefgh",
        ),
        ("https://flows.example/run?sv=1.0&sig=a1%2Bb2c3d4e5f6g7h8i9j0k1", "a1+b2c3d4e5f6g7h8i9j0k1"),
    ],
)
def test_the_token_in_a_webhooks_url_is_masked_alone(url: str, token: str) -> None:
    shown = redaction_of({"HOOK": url}, ("HOOK",)).text(f"no {token} here, 123 messages")

    assert shown == "no ${HOOK} here, 123 messages"
