"""The alphabet of SMS, and what a message costs: one with a sign that it lacks has room for half as much.

GSM 03.38: https://www.unicode.org/Public/MAPPINGS/ETSI/GSM0338.TXT
"""

from __future__ import annotations

from hub.strings import utf16_length

SEGMENT, WIDE_SEGMENT = 160, 70
"""So many signs of GSM-7, or units of UCS-2, are paid for as one message."""

_ALPHABET = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = frozenset("^{}\\[~]|€\f")
"""Each of these counts twice."""

_SIMPLER = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u02bc", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb", '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2022\u00b7", "-"),
        **dict.fromkeys("\u00a0\u2002\u2003\u2007\u2009\u202f", " "),
        "\u2026": "...",
    }
)


def simpler(text: str) -> str:
    """Return a text with signs of the alphabet for the quotes, dashes and spaces that it lacks."""
    return text.translate(_SIMPLER)


def is_one_segment(text: str) -> bool:
    """Return True for a text that is paid for as one message."""
    if all(char in _ALPHABET or char in _EXTENSION for char in text):
        return len(text) + sum(char in _EXTENSION for char in text) <= SEGMENT
    return utf16_length(text) <= WIDE_SEGMENT
