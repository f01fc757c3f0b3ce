"""The escapes of Discord's Markdown.

https://support.discord.com/hc/articles/210298617. A backslash takes its meaning from a sign that is no letter
in content and in the texts of embeds; in names and footers nothing is read, and it would be seen.
"""

from __future__ import annotations

import re
from typing import Any

from hub.strings import printable_lines
from hub.templating.escapes import OwnLink
from hub.templating.markdown import BREAKER

_SIGN = re.compile(r"[\\*_~`|>#\[\]()<@:-]")


def escape(value: Any) -> str:
    """Return the value as text in which no mention, link, emoji or mark-up can begin."""
    if isinstance(value, OwnLink):
        return str(value)
    return _broken(_SIGN.sub(r"\\\g<0>", printable_lines(str(value))))


def unpinged(value: Any) -> str:
    """Return the value as text where no Markdown is read: without a backslash, and still no mention."""
    return _broken(printable_lines(str(value)))


def _broken(text: str) -> str:
    return text.replace("@", f"@{BREAKER}")
