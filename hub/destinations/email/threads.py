"""Mails of one thread: headers that tie them, the first one's subject, the new one on top of the words.

Programs put mails into one conversation by the ids in References, and part them where the subject changes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any

from markupsafe import Markup

from hub.destinations.email.mail import SUBJECT_LIMIT, Mail, identifier
from hub.destinations.email.mailboxes import header_text
from hub.destinations.email.plain_text import plain_text
from hub.model.delivery import SendContext

_BODY = re.compile(r"<body\b[^>]*>", re.IGNORECASE)
_FIRST_LINE = Markup(
    "<p style=\"margin:0;padding:16px 12px 0;text-align:center;font-family:-apple-system,'Segoe UI',Roboto,"
    'Helvetica,Arial,sans-serif;font-size:15px;line-height:22px;font-weight:600">{subject}</p>\n'
)
_FIRST_LINES = 4
"""So many lines of a body may stand above its headline: a preheader, a kicker."""


def in_thread(mail: Mail, destination: str, key: str, context: SendContext) -> Mail:
    """Return a mail as it stands in its thread; `key` is untrusted text of any length.

    The id that ties its mails is made of the destination's name and the key, so all have the same.
    """
    unique = sha256(json.dumps([destination, key]).encode()).hexdigest()[:24]
    root = identifier(f"thread-{unique}", mail.parties.sender.domain)
    tied = replace(mail, headers=(*mail.headers, ("In-Reply-To", root), ("References", root)))
    kept = context.thread.kept if context.thread else {}
    first = kept.get("subject")
    if not first or kept.get("delivery") == context.delivery_id:
        return tied
    return replace(
        tied,
        subject=header_text(f"Re: {first}", SUBJECT_LIMIT),
        text=_headed_text(mail.text, mail.subject),
        html=mail.html and _headed_html(mail.html, mail.subject),
    )


def kept_of(mail: Mail, context: SendContext) -> Mapping[str, Any] | None:
    """Return what is kept of the first mail of a thread; None where one is kept, or there is no thread."""
    if context.thread is None or context.thread.kept:
        return None
    return {"subject": mail.subject, "delivery": context.delivery_id}


def _headed_text(text: str, headline: str) -> str:
    return text if _begins_with(text, headline) else f"{headline}\n\n{text}"


def _headed_html(html: str, headline: str) -> str:
    if _begins_with(plain_text(html), headline):
        return html
    line = str(_FIRST_LINE.format(subject=headline))
    body = _BODY.search(html)
    return html[: body.end()] + "\n" + line + html[body.end() :] if body else line + html


def _begins_with(text: str, headline: str) -> bool:
    lines = [line for line in map(str.strip, text.splitlines()) if line][:_FIRST_LINES]
    return any(line.startswith(headline) for line in lines)
