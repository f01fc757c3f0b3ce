"""Amounts in minor units (cents), with their currency, as people read them."""

from __future__ import annotations

import re
from typing import Any

_NO_MINOR_UNIT = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
_THREE_DIGITS = "BHD IQD JOD KWD LYD OMR TND"


def money(amount: Any, currency: Any) -> str:
    """Return 4900 and "USD" as "49.00 USD", empty where either is none. Digits as in ISO 4217."""
    if isinstance(amount, bool) or not isinstance(amount, int):
        return ""
    if not isinstance(currency, str) or not re.fullmatch("[A-Za-z]{3}", currency):
        return ""
    code = currency.upper()
    digits = 0 if code in _NO_MINOR_UNIT else 3 if code in _THREE_DIGITS else 2
    whole, part = divmod(abs(amount), 10**digits)
    fraction = f".{part:0{digits}d}" if digits else ""
    return f"{'-' if amount < 0 else ''}{whole:,}{fraction} {code}"
