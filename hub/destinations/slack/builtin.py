"""Slack's built-in message: the headline in bold, then fields and small print beside a bar in its tone.

The bar is that of an attachment, which the copies of broadcast replies lack: only colour may be lost with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hub.destinations.slack.mrkdwn import cut, escape
from hub.model.delivery import Message
from hub.model.summary import COLOURS, Summary
from hub.strings import one_line

HEADLINE_LIMIT = 150
LABEL_LIMIT = 40
VALUE_LIMIT = 200
DETAILS_LIMIT = 500
FALLBACK_LIMIT = 500


def builtin(summary: Summary, warning: str | None, link: str) -> Message:
    """Return the built-in message; `text`, which notifications show, is the headline alone."""
    headline = escape(one_line(summary.headline, HEADLINE_LIMIT) or "An event")
    # Names are written by strangers, and * _ ~ have no escape in mrkdwn: plain text shows them as they are.
    header = {"type": "header", "text": {"type": "plain_text", "text": headline, "emoji": False}}
    message: Message = {"text": headline, "blocks": [header]}
    beside = [*_fields(summary), *_small_print(summary, warning, link)]
    if not beside:
        return message
    words = [f"{label}: {value}" for label, value in _pairs(summary)]
    words += filter(None, (one_line(summary.note, VALUE_LIMIT), warning and one_line(warning, VALUE_LIMIT)))
    bar = {"color": COLOURS[summary.tone], "blocks": beside}
    # Without words of its own an attachment is announced as one that cannot be shown.
    return {**message, "attachments": [bar | {"fallback": cut(escape("\n".join(words)), FALLBACK_LIMIT)}]}


def _pairs(summary: Summary) -> list[tuple[str, str]]:
    pairs = ((one_line(label, LABEL_LIMIT), one_line(value, VALUE_LIMIT)) for label, value in summary.fields)
    return [(label, value) for label, value in pairs if value]


def _fields(summary: Summary) -> Iterator[dict[str, Any]]:
    """Yield the fields in two columns."""
    fields = [_mrkdwn(f"*{escape(label)}*\n{escape(value)}") for label, value in _pairs(summary)]
    if fields:
        yield {"type": "section", "fields": fields}


def _small_print(summary: Summary, warning: str | None, link: str) -> Iterator[dict[str, Any]]:
    """Yield the note with the way to the hub, and the reason why a template was not used."""
    parts = [escape(one_line(summary.details, DETAILS_LIMIT)), _moment(summary)]
    parts += [f"<{escape(link)}|Open in the hub>"] if link else []
    note = " · ".join(part for part in parts if part)
    elements = [note] if note else []
    elements += [f":warning: {escape(one_line(warning, VALUE_LIMIT))}"] if warning else []
    if elements:
        yield {"type": "context", "elements": [_mrkdwn(element) for element in elements]}


def _moment(summary: Summary) -> str:
    """Return the moment as each reader's Slack writes it, in their own time zone; ours where it cannot."""
    time = escape(one_line(summary.time, VALUE_LIMIT))
    if summary.at is None or not time:
        return time
    return f"<!date^{int(summary.at.timestamp())}^{{date_short}}, {{time}}|{time}>"


def _mrkdwn(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text, "verbatim": True}
