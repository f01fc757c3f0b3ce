"""Email by SMTP. A delivery may have several recipients; one that has the mail is never mailed again."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from hub.destinations.base import Block, Destination, Renderer, ShownContext
from hub.destinations.email.card import card, lines
from hub.destinations.email.mime import (
    Mailbox,
    build_mail,
    composed_at,
    header_text,
    mailboxes,
    needs_utf8,
    valid_address,
)
from hub.destinations.email.options import EmailOptions, EmailSend
from hub.destinations.email.plain_text import plain_text
from hub.errors import About, Reject, Retry, TemplateError
from hub.model.delivery import Message, Receipt, SendContext
from hub.model.parts import Part, PartKind
from hub.model.summary import Summary
from hub.templating.escapes import html as html_escape
from hub.templating.escapes import plain
from hub.transport.deadline import Resolver, deadline_after, system_resolver
from hub.transport.smtp import Refusal, Submission

_EXPRESSION = re.compile(r"\{\{.*?\}\}|\$\{[^}]*\}", re.DOTALL)


class EmailDestination(Destination):
    """A mailbox or several, the same each time, or the one that the send block names."""

    type: ClassVar[str] = "email"
    Options = EmailOptions
    Send = EmailSend

    @classmethod
    def check(cls, options: Block | None, send: Block) -> Iterable[str]:
        assert isinstance(send, EmailSend)
        if send.template is not None and (send.text is not None or send.html is not None):
            yield "template excludes text and html: it is the whole body"
        if send.recipient is not None and not send.recipient.strip():
            yield "recipient must not be empty; leave it out to mail to the destination's addresses"
        elif send.recipient is not None and not _may_be_address(send.recipient):
            yield _no_address(send.recipient)

    @classmethod
    def compose(cls, options: Block | None, fields: Mapping[str, Any], renderer: Renderer) -> Message:
        message = {**_envelope(options), "subject": _subject(fields, renderer)}
        if fields.get("recipient") is not None:
            recipient = renderer.text(fields["recipient"], plain, name="recipient")
            message["to"] = [recipient if renderer.is_open(recipient) else _recipient(recipient)]
        text, html = _bodies(fields, renderer)
        if text is None and html is None:
            text, html = _builtin_bodies(
                renderer.summary(), None, renderer.text("{{ link }}", plain, name="link")
            )
        if html is not None:
            html = _inlined(html)
        message["text"] = text if text is not None else renderer.within(plain_text(html or ""), plain)
        return message if html is None else {**message, "html": html}

    @classmethod
    def compose_builtin(
        cls, options: Block | None, summary: Summary, warning: str | None, link: str
    ) -> Message:
        text, html = _builtin_bodies(summary, warning, link)
        return {**_envelope(options), "subject": header_text(summary.headline), "text": text, "html": html}

    @classmethod
    def finished(cls, message: Message) -> Message:
        return {**message, "to": [_recipient(address) for address in message["to"]]}

    @classmethod
    def shown(cls, message: Message, context: ShownContext) -> Iterable[Part]:
        headers = {
            "From": message.get("from") or "(not configured)",
            "To": ", ".join(message.get("to") or ()) or "(not configured)",
            "Subject": message.get("subject", ""),
            "Date": "(when it is sent)",
            "Message-ID": "(the delivery's id)",
            "Auto-Submitted": "auto-generated",
        }
        yield Part(kind=PartKind.HEADERS, pairs=tuple(headers.items()))
        yield Part(label="text/plain", text=message.get("text", ""))
        yield Part(kind=PartKind.HTML, label="text/html", text=message.get("html", ""))

    def __init__(self, options: EmailOptions, name: str, *, resolver: Resolver = system_resolver) -> None:
        super().__init__(options, name)
        self._server = options.server
        self._sender = options.sender
        self._recipients = options.recipients
        self._resolver = resolver

    def send(self, message: Message, context: SendContext) -> Receipt:
        recipients = [str(address) for address in message.get("to") or self._recipients]
        sender = mailboxes(message.get("from") or self._sender)[0]
        submission = Submission(
            server=self._server,
            sender=sender.address,
            mail=_mail(message, sender, recipients, context),
            utf8=needs_utf8(sender.address, *recipients),
            accepted=list(context.accepted),
            mask=context.mask,
        )
        missing = [address for address in recipients if address not in context.accepted]
        if missing:
            with deadline_after(context.timeout_seconds, self._resolver) as deadline:
                submission.send(missing, deadline)
        return _receipt(submission)

    def describe(self) -> str:
        return ", ".join(self._recipients)


def _envelope(options: Block | None) -> Message:
    """Return from and to as they are today, kept with the message; in previews those that are known."""
    if not isinstance(options, EmailOptions):
        return {}
    known = options.model_fields_set
    envelope: Message = {"from": options.sender} if "sender" in known else {}
    return {**envelope, "to": options.recipients} if "to" in known else envelope


def _subject(fields: Mapping[str, Any], renderer: Renderer) -> str:
    if fields.get("subject") is None:
        return header_text(renderer.summary().headline)
    subject = header_text(renderer.text(fields["subject"], plain, name="subject"))
    if not subject:
        raise TemplateError("subject", None, "renders to nothing")
    return subject


def _recipient(rendered: str) -> str:
    try:
        return valid_address(rendered)
    except ValueError as error:
        message = f"does not render to exactly one valid address: {error}"
        raise TemplateError("recipient", None, message) from error


def _may_be_address(template: str) -> bool:
    """Return whether a recipient may render to one address, whatever its expressions stand for."""
    if "{%" in template:
        return True
    for stand_in in ("ada@example.com", "ada", "example.com"):
        try:
            valid_address(_EXPRESSION.sub(stand_in, template))
        except ValueError:
            continue
        return True
    return False


def _no_address(template: str) -> str:
    written = _EXPRESSION.sub("", template)
    if "," in written or ";" in written:
        return "recipient is one address; write a send block for each of several"
    if "<" in written:
        return "recipient is the address alone, without a name and without < >"
    return "recipient is no address; write one, or an expression that gives one"


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


def _builtin_bodies(summary: Summary, warning: str | None, link: str) -> tuple[str, str]:
    return lines(summary, warning, link), card(summary, warning, link)


def _inlined(html: str) -> str:
    """Return the HTML with its style sheets moved into the elements, as mail clients need them."""
    import css_inline

    try:
        return css_inline.inline(html, load_remote_stylesheets=False)
    except (css_inline.InlineError, ValueError) as error:
        raise TemplateError("html", None, "has a style sheet that cannot be used") from error


def _mail(message: Message, sender: Mailbox, recipients: list[str], context: SendContext) -> bytes:
    return build_mail(
        sender=sender,
        recipients=[Mailbox(name="", address=address) for address in recipients],
        subject=header_text(message["subject"]),
        text=message["text"],
        html=message.get("html"),
        delivery_id=context.delivery_id,
        at=composed_at(context.delivery_id, context.at),
    )


def _receipt(submission: Submission) -> Receipt:
    """Return the receipt for a mail that all have; raises SendError where one has been refused.

    Refusals for now come first: the mail is tried again for those, and those for good are reported last.
    """
    accepted, answer = tuple(submission.accepted), submission.answer
    temporary = [refusal for refusal in submission.refused if not refusal.is_final]
    if temporary:
        reason = f"refused for now: {_listed(temporary)}"
        is_endpoint = any(refusal.about is About.ENDPOINT for refusal in temporary)
        about = About.ENDPOINT if is_endpoint else About.MESSAGE
        raise Retry(reason, status=temporary[0].code, about=about, accepted=accepted, answer=answer)
    if not submission.refused:
        detail = f"accepted for {', '.join(accepted)}"
        return Receipt(detail=detail, status=250, accepted=accepted, answer=answer)
    reason = f"refused for good: {_listed(submission.refused)}"
    if accepted:
        reason = f"delivered to {', '.join(accepted)}; {reason}"
    raise Reject(reason, status=submission.refused[0].code, accepted=accepted, answer=answer)


def _listed(refusals: list[Refusal]) -> str:
    return ", ".join(str(refusal) for refusal in refusals)
