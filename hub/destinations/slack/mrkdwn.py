"""Slack's text format, mrkdwn: escaping, unescaping and cutting it.

https://docs.slack.dev/messaging/formatting-message-text
"""

from __future__ import annotations

import re
from typing import Any


def escape(value: Any) -> str:
    """Return the value as text with exactly `&`, `<` and `>` escaped.

    No value can mention a channel or disguise a link then; `*`, `_` and `~` have no escape.
    """
    return str(value).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def unescape(text: str) -> str:
    """Return the text as its readers see it: the opposite of `escape`."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def cut(text: str, limit: int) -> str:
    """Return the escaped text with at most `limit` characters; no entity and no link is cut in two."""
    if len(text) <= limit:
        return text
    kept = re.sub(r"&[a-z]{0,3}$", "", text[: max(limit - 1, 0)])
    opened = kept.rfind("<")
    if opened > kept.rfind(">"):
        kept = kept[:opened]
    return kept.rstrip() + "…"
