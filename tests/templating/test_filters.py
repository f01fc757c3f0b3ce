"""The hub's own filters take whatever a payload holds."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from hub.destinations.slack.mrkdwn import escape
from hub.errors import TemplateError
from hub.templating.escapes import Escape, as_json, html, plain
from hub.templating.sandbox import Sandbox
from hub.templating.times import DEFAULT_ZONE, ZONE

USER = {
    "first_name": "Ada",
    "last_name": None,
    "primary_email_address_id": "b",
    "email_addresses": [{"id": "a", "email_address": "a@x"}, {"id": "b", "email_address": "b@x"}],
}


PHONE = {
    "primary_phone_number_id": "b",
    "phone_numbers": [{"id": "a", "phone_number": "+1"}, {"id": "b", "phone_number": "+46701740605"}],
}
WALLET = {
    "primary_web3_wallet_id": "a",
    "web3_wallets": [{"id": "a", "web3_wallet": "0x71C7656EC7ab88b098defB751B7401B5f6d8976F"}],
}
MARKED = "see https:\u2060/\u2060/\u2060evil.\u2060test/\u2060#\u2060a @\u2060ada"


@pytest.mark.parametrize(
    ("source", "seen", "expected"),
    [
        ("{{ x | primary_email }}", USER, "b@x"),
        ("{{ x | primary_email }}", {**USER, "primary_email_address_id": None}, ""),
        ("{{ x | primary_email }}", {**USER, "email_addresses": []}, ""),
        ("{{ x | primary_email }}", {**USER, "email_addresses": "odd"}, ""),
        ("{{ x | primary_email }}", None, ""),
        ("{{ x | primary_phone }}", PHONE, "+46701740605"),
        ("{{ x | primary_phone }}", USER, ""),
        ("{{ x | primary_wallet }}", WALLET, "0x71C7…976F"),
        ("{{ x | primary_wallet }}", {**WALLET, "web3_wallets": None}, ""),
        ("{{ x | plain }}", "see https://evil.test/#a @ada", MARKED),
        ("{{ x | plain | plain }}", "a.b", "a.\u2060b"),
        ("{{ x | plain(4) }}", "a.bcdef", "a.\u2060b…"),
        ("{{ x | plain }}", None, ""),
        ("{{ missing | plain or 'nobody' }}", None, "nobody"),
        ("{{ x | plain }}", 1.5, "1.\u20605"),
        ("{{ x | full_name }}", USER, "Ada"),
        ("{{ x | full_name }}", {"identifier": "ada"}, "ada"),
        ("{{ x | full_name }}", {"username": "ada"}, "ada"),
        ("{{ x | full_name }}", [], ""),
        ("{{ x | datetime }}", 1654012591514, "2022-05-31 15:56 UTC"),
        ("{{ x | datetime('%Y') }}", 1654012591, "2022"),
        ("{{ x | datetime }}", datetime(2026, 1, 2, 3, 4, tzinfo=UTC), "2026-01-02 03:04 UTC"),
        ("{{ x | datetime('%H:%M %Z', 'Europe/Berlin') }}", 1654012591514, "17:56 CEST"),
        ("{{ x | datetime('%H:%M', timezone='America/New_York') }}", 1654012591514, "11:56"),
        ("{{ x | datetime }}", "2026-01-02T03:04:05.678Z", "2026-01-02 03:04 UTC"),
        ("{{ x | datetime('%H:%M %Z', 'Europe/Berlin') }}", "2026-01-02T03:04:05+09:00", "19:04 CET"),
        ("{{ x | datetime }}", " 2026-01-02 03:04", "2026-01-02 03:04 UTC"),
        ("{{ x | datetime('%H', 'Europe/Berlin') }}", "0001-01-01T00:00:00+14:00", ""),
        ("{{ x | datetime('Europe/Berlin') }}", "soon", None),
        ("{{ x | datetime('%H', 'Europe/Berln') }}", 1, None),
        ("{{ x | datetime('%H', 7) }}", 1, None),
        ("{{ x | datetime('%H', '../../etc/passwd') }}", 1, None),
        ("{{ x | datetime }}", "soon", ""),
        ("{{ x | datetime }}", True, ""),
        ("{{ x | datetime }}", float("nan"), ""),
        ("{{ x | datetime }}", 10**30, ""),
        ("{{ missing | datetime }}{{ missing | full_name }}{{ missing | primary_email }}", None, ""),
    ],
)
def test_filters(source: str, seen: Any, expected: str | None) -> None:
    def rendered() -> str:
        return Sandbox({}).text(source, {"x": seen}, plain, name="text")

    if expected is None:
        with pytest.raises(TemplateError):
            rendered()
    else:
        assert expected == rendered()


def test_times_are_in_the_zone_of_whoever_reads_them_in_macros_too() -> None:
    sandbox = Sandbox({"m.j2": "{% macro at(t) %}{{ t | datetime('%H:%M') }}{% endmacro %}"})
    source = "{% import 'm.j2' as m %}{{ m.at(x) }} {{ x | datetime }}"
    texts = []
    for zone in ("Europe/Berlin", "Asia/Tokyo"):
        ZONE.set(zone)
        texts.append(sandbox.text(source, {"x": 1654012591514}, plain, name="text"))
    ZONE.set(DEFAULT_ZONE)

    assert texts == ["17:56 2022-05-31 17:56 CEST", "00:56 2022-06-01 00:56 JST"]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{{ x | datetime('%H', 'Europe/Berln') }}", 'there is no time zone "Europe/Berln"; did you mean'),
        (
            "{{ x | datetime('Asia/Tokyo') }}",
            "the form comes before the zone: datetime('%H:%M', 'Asia/Tokyo')",
        ),
        ("{{ 'a' + x }}", '"+" puts no number behind a text; write "~" to put texts together'),
        ("{{ x + 'a' }}", '"+" does not go with a number and a text; write "~" to put texts together'),
        ("{{ x - none }}", '"-" does not go with a number and null'),
        ("{{ x < 'a' }}", '"<" does not go with a number and a text'),
        ("{{ 'a' | replace('a') }}", '"replace" needs more in its brackets: "new"'),
        ("{{ 'a' | upper(1) }}", '"upper" takes at most 0 in its brackets'),
        ("{{ 'a' | truncate(size=3) }}", '"truncate" takes no "size"'),
        ("{{ 'a'.replace('b') }}", '"replace" needs 2 in its brackets'),
        ("{% for i in x %}{% endfor %}", "a number cannot be looped over"),
        ("{{ x | length }}", "a number has no length"),
        ("{{ x() }}", "a number cannot be called; leave the brackets out"),
        ("{{ {}.plan.startswith('p') }}", 'an object has no "plan"'),
    ],
)
def test_an_error_speaks_the_words_of_templates(source: str, message: str) -> None:
    with pytest.raises(TemplateError) as raised:
        Sandbox({}).text(source, {"x": 5}, plain, name="text")

    assert message in raised.value.message


@pytest.mark.parametrize(
    ("escape_of_place", "expected"),
    [
        (plain, '{"name": "O\'Brien <!here> München"}'),
        (escape, '{"name": "O\'Brien &lt;!here&gt; München"}'),
        (as_json, '{"name": "O\'Brien <!here> München"}'),
        (html, '{"name": "O\\u0027Brien \\u003c!here\\u003e München"}'),
    ],
    ids=["plain", "slack", "json", "html"],
)
def test_json_is_written_as_people_read_it_and_escaped_for_its_place(
    escape_of_place: Escape, expected: str
) -> None:
    seen = {"x": {"name": "O'Brien <!here> München"}}

    assert Sandbox({}).text("{{ x | tojson }}", seen, escape_of_place, name="text") == expected
    assert Sandbox({"a.j2": "{{ x | tojson }}"}).file("a.j2", seen, escape_of_place) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("evil.example joined", "evil.\u2060example joined"),
        (
            "go to https://evil.example/x now",
            "go to https:\u2060/\u2060/\u2060evil.\u2060example/\u2060x now",
        ),
        ("www.x", "www.\u2060x"),
        ("ada@example.com signed up", "ada@example.com signed up"),
        ("mailto:ada@example.com", "mailto:\u2060ada@\u2060example.\u2060com"),
        ("12.5 USD, v. 2 of A. B.", "12.5 USD, v. 2 of A. B."),
        ("+46701740605 #general @here", "+46701740605 #general @here"),
        ("", ""),
        (None, ""),
    ],
)
def test_a_word_that_looks_like_a_link_is_none_and_an_address_stays(text: str | None, expected: str) -> None:
    assert Sandbox({}).text("{{ x | no_links }}", {"x": text}, plain, name="text") == expected


def test_a_long_text_without_links_costs_little() -> None:
    """What looks again at all before, for each part, would take an hour."""
    text = Sandbox({}).text("{{ (x | no_links) | length }}", {"x": "a-" * 1_000_000}, plain, name="text")

    assert text == "2000000"
