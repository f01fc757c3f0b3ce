"""Amounts in words."""

import pytest

from hub.catalog.money import money


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [
        (4900, "USD", "49.00 USD"),
        (5, "eur", "0.05 EUR"),
        (0, "USD", "0.00 USD"),
        (-1250, "USD", "-12.50 USD"),
        (123456789, "USD", "1,234,567.89 USD"),
        (500, "JPY", "500 JPY"),
        (1500, "KWD", "1.500 KWD"),
        (10**400, "USD", "100" + ",000" * 132 + ".00 USD"),
        (True, "USD", ""),
        (49.5, "USD", ""),
        ("4900", "USD", ""),
        (None, "USD", ""),
        (4900, None, ""),
        (4900, "DOLLARS", ""),
        (4900, "US\n", ""),
    ],
)
def test_an_amount_reads_like_money(amount, currency, expected):
    assert money(amount, currency) == expected
