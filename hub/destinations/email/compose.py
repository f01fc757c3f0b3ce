"""A send block and an event -> the message of a mail, as it is kept: whom it goes to and its words.

Its keys: `from`, `to`, `cc`, `bcc`, `reply_to` (mailboxes as texts), `subject`, `text`, `html`, `headers`
(pairs of name and value) and `thread`; what is not there is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.destinations.base import Block
from hub.destinations.email.card import card, lines
from hub.destinations.email.envelope import finished_parties, headers, own_parties, recipients, senders
from hub.destinations.email.mail import SUBJECT_LIMIT
from hub.destinations.email.mailboxes import header_text
from hub.destinations.email.plain_text import plain_text
from hub.errors import TemplateError
from hub.model.delivery import Message
from hub.model.summary import Summary
from hub.templating.escapes import html as html_escape
from hub.templating.escapes import plain
from hub.templating.renderer import Renderer


def composed(options: Block | None, fields: Mapping[str, Any], renderer: Renderer) -> Message:
    """Return the message that a send block asks for; raises TemplateError."""
    message = {
        **own_parties(options),
        **recipients(fields, renderer),
        **senders(options, fields, renderer),
        "subject": _subject(fields, renderer),
    }
    text, html = _bodies(fields, renderer)
    if text is None and html is None:
        text, html = _built_in_bodies(renderer.summary(), None, renderer.link)
    if html is not None:
        html = _inlined(html)
        message["html"] = html
    message["text"] = text if text is not None else renderer.within(plain_text(html or ""), plain)
    if own_headers := headers(fields, renderer):
        message["headers"] = own_headers
    return message


def built_in(options: Block | None, summary: Summary, warning: str | None, link: str) -> Message:
    """Return the message for an event in the built-in words."""
    text, html = _built_in_bodies(summary, warning, link)
    subject = header_text(summary.headline, SUBJECT_LIMIT)
    return {**own_parties(options), "subject": subject, "text": text, "html": html}


def finished(message: Message) -> Message:
    """Return a message as it is sent, the values of variables in it; raises TemplateError."""
    return finished_parties(message)


def _subject(fields: Mapping[str, Any], renderer: Renderer) -> str:
    if fields.get("subject") is None:
        return header_text(renderer.summary().headline, SUBJECT_LIMIT)
    subject = header_text(renderer.text(fields["subject"], plain, name="subject"), SUBJECT_LIMIT)
    if not subject:
        raise TemplateError("subject", None, "renders to nothing")
    return subject


def _bodies(fields: Mapping[str, Any], renderer: Renderer) -> tuple[str | None, str | None]:
    """Return the text and the HTML that a send block asks for, None for what it leaves out."""
    template = fields.get("template")
    if template is None:
        text, html = fields.get("text"), fields.get("html")
        return (
            None if text is None else renderer.text(text, plain, name="text"),
            None if html is None else renderer.text(html, html_escape, name="html"),
        )
    names = f"{template}.txt.j2", f"{template}.html.j2"
    if not any(renderer.exists(name) for name in names):
        raise TemplateError(names[1], None, "there is no such file under templates/, nor one for .txt.j2")
    return (
        renderer.file(names[0], plain) if renderer.exists(names[0]) else None,
        renderer.file(names[1], html_escape) if renderer.exists(names[1]) else None,
    )


def _built_in_bodies(summary: Summary, warning: str | None, link: str) -> tuple[str, str]:
    return lines(summary, warning, link), card(summary, warning, link)


def _inlined(html: str) -> str:
    """Return the HTML with its style sheets moved into the elements, as mail clients need them.

    What holds for some screens alone, such as dark ones, stays in a style sheet.
    """
    import css_inline

    try:
        return css_inline.inline(html, load_remote_stylesheets=False, keep_at_rules=True)
    except (css_inline.InlineError, ValueError) as error:
        raise TemplateError("html", None, "has a style sheet that cannot be used") from error
