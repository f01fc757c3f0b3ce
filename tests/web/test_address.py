"""The address of a client, however it is written."""

from __future__ import annotations

import pytest

from hub.web.address import address_of, network_of


@pytest.mark.parametrize(
    ("text", "address", "network"),
    [
        ("203.0.113.9", "203.0.113.9", "203.0.113.9"),
        ("203.0.113.9:51234", "203.0.113.9", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9", "203.0.113.9"),
        ("[::ffff:203.0.113.9]:443", "203.0.113.9", "203.0.113.9"),
        ("::FFFF:CB00:7109", "203.0.113.9", "203.0.113.9"),
        ("2001:db8::1", "2001:db8::1", "2001:db8::/64"),
        ("2001:DB8:0:0:ffff::1", "2001:db8::ffff:0:0:1", "2001:db8::/64"),
        ("[2001:db8::1]", "2001:db8::1", "2001:db8::/64"),
        ('"[2001:db8::1]:4711"', "2001:db8::1", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::1", "fe80::/64"),
        ("unknown", "unknown", "unknown"),
        ("_hidden", "unknown", "unknown"),
        ("203.0.113.9, 10.0.0.1", "unknown", "unknown"),
        ("<script>", "unknown", "unknown"),
        ("203.0.113.999", "unknown", "unknown"),
        (":443", "unknown", "unknown"),
        ("", "unknown", "unknown"),
        (None, "unknown", "unknown"),
    ],
)
def test_an_address_has_one_form(text: str | None, address: str, network: str) -> None:
    assert (address_of(text), network_of(text)) == (address, network)
