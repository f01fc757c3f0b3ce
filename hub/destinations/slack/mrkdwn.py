"""Slack's text formats: escaping, unescaping and cutting them.

https://docs.slack.dev/messaging/formatting-message-text has mrkdwn and its escapes, which hold for text
objects, `plain_text` ones too. What is no text object is taken as it is (`url`, `value`, `action_id`,
`alt_text`, the words of rich text): no page names an escape for those, Slack's example of a `video_url` has a
bare `&`, and `&amp;` in a URL leads elsewhere.
"""

from __future__ import annotations

import re
from typing import Any

_FENCE = "```"


def escape(value: Any) -> str:
    """Return the value as text with exactly `&`, `<` and `>` escaped.

    No value can mention a channel or disguise a link then; `*`, `_` and `~` have no escape.
    """
    return str(value).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def escape_markdown(value: Any) -> str:
    """Return the value as text for a `markdown` block, in which no link and no code can begin.

    Its page names no escapes: these are those of standard Markdown, and those of mrkdwn against `<!channel>`,
    which Slack reads there too.
    """
    return re.sub(r"([\\`\[\]])", r"\\\1", escape(value))


def unescape(text: str) -> str:
    """Return the text as its readers see it: the opposite of `escape`."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def cut(text: str, limit: int, *, has_code: bool = True) -> str:
    """Return the escaped text with at most `limit` characters; no entity and no link is cut in two.

    Where it `has_code`, a fence (three backticks) that is open at the cut is closed behind it.
    """
    if len(text) <= limit:
        return text
    kept = _beginning(text, limit - 1)
    if not has_code or kept.count(_FENCE) % 2 == 0:
        return kept + "…"
    closing = f"…\n{_FENCE}"
    kept = _beginning(text, limit - len(closing))
    return kept + (closing if kept.count(_FENCE) % 2 else "…")


def _beginning(text: str, length: int) -> str:
    """Return about as many characters of a text as fit, without half an entity, link or fence at the end."""
    kept = re.sub(r"&[a-z]{0,3}$", "", text[: max(length, 0)])
    if kept.endswith("`") and text[len(kept) :].startswith("`"):
        kept = kept.rstrip("`")
    opened = kept.rfind("<")
    if opened > kept.rfind(">"):
        kept = kept[:opened]
    return kept.rstrip()
