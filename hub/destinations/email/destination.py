"""Email. A delivery may have several recipients; one that has the mail is never mailed again."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from hub.destinations.base import Block, Destination, ShownContext
from hub.destinations.email.by_api import ApiMailer
from hub.destinations.email.by_smtp import SmtpMailer
from hub.destinations.email.compose import built_in, composed, finished
from hub.destinations.email.envelope import own_parties, recipients
from hub.destinations.email.mail import Mailer, mail_of
from hub.destinations.email.mailboxes import mailbox
from hub.destinations.email.options import EmailOptions, EmailSend, addresses, own_header_problems
from hub.destinations.email.shown import parts
from hub.destinations.email.threads import in_thread, kept_of
from hub.errors import SendError, Unknown
from hub.model.delivery import Message, Receipt, SendContext
from hub.model.parts import Part
from hub.model.summary import Summary
from hub.model.thread import THREAD
from hub.templating.entries import entry_problems
from hub.templating.renderer import Renderer
from hub.transport.deadline import Resolver, system_resolver

KEPT_CONNECTIONS = 16
"""As many connections to a mail service stay open."""

_EXPRESSION = re.compile(r"\{\{.*?\}\}|\$\{[^}]*\}", re.DOTALL)
_PARTIES = ("recipient", "cc", "bcc", "from", "reply_to")


class EmailDestination(Destination):
    """A mailbox or several, the same each time, or those that the send block names."""

    type: ClassVar[str] = "email"
    id_header: ClassVar[str] = "Message-ID"
    recipient_keys: ClassVar[tuple[str, ...]] = ("recipient", "cc", "bcc")
    Options = EmailOptions
    Send = EmailSend

    @classmethod
    def check(cls, options: Block | None, send: Block) -> Iterable[str]:
        assert isinstance(send, EmailSend)
        if send.template is not None and (send.text is not None or send.html is not None):
            yield "template excludes text and html: it is the whole body"
        for key in _PARTIES:
            value = send.sender if key == "from" else getattr(send, key)
            for text in [value] if isinstance(value, str) else value or ():
                yield from _party_problems(key, text)
        if send.recipient == []:
            yield "recipient must not be empty; leave it out for the destination's own"
        if isinstance(options, EmailOptions) and send.sender is not None:
            yield from _domain_problems(options, send.sender)
        if send.thread is not None and not send.thread.strip():
            yield "thread must not be empty: mails with the same key are tied together"
        yield from own_header_problems(send.headers or {})
        yield from entry_problems("headers", send.headers or {})

    @classmethod
    def compose(cls, options: Block | None, fields: Mapping[str, Any], renderer: Renderer) -> Message:
        return composed(options, fields, renderer)

    @classmethod
    def compose_builtin(
        cls, options: Block | None, summary: Summary, warning: str | None, link: str
    ) -> Message:
        return built_in(options, summary, warning, link)

    @classmethod
    def addressed(cls, fields: Mapping[str, Any], renderer: Renderer) -> Message:
        return recipients(fields, renderer)

    @classmethod
    def finished(cls, message: Message) -> Message:
        return finished(message)

    @classmethod
    def shown(cls, message: Message, context: ShownContext) -> Iterable[Part]:
        return parts(message)

    @classmethod
    def thread_place(cls, options: Block | None, message: Message) -> str | None:
        """Return those who get the mail: others have not read the first one's subject."""
        return ",".join(sorted(mailbox(text).address for text in message["to"]))

    def __init__(self, options: EmailOptions, name: str, *, resolver: Resolver = system_resolver) -> None:
        super().__init__(options, name)
        self._headers = {name: value.get_secret_value() for name, value in options.headers.items()}
        self._server = options.provider or options.server.host
        self._recipients = [box.address for box in options.recipients]
        self._mailer: Mailer
        if (service := options.service) is not None:
            self._mailer = ApiMailer(service, options.client(KEPT_CONNECTIONS, resolver))
        else:
            self._mailer = SmtpMailer(options.server, resolver)

    def send(self, message: Message, context: SendContext) -> Receipt:
        mail = mail_of({**own_parties(self.options), **message}, context, self._headers)
        if THREAD not in message:
            return self._mailer.send(mail, context)
        mail = in_thread(mail, self.name, message[THREAD], context)
        try:
            receipt = self._mailer.send(mail, context)
        except SendError as error:
            if error.accepted or isinstance(error, Unknown):
                error.thread = kept_of(mail, context)
            raise
        return replace(receipt, thread=kept_of(mail, context))

    def describe(self) -> str:
        return ", ".join(self._recipients)

    def server(self) -> str:
        return self._server

    def close(self) -> None:
        self._mailer.close()


def _party_problems(key: str, template: str) -> Iterable[str]:
    """Yield what keeps a text of a send block from ever being one mailbox, whatever its expressions are."""
    if not template.strip():
        yield f"{key} must not be empty; leave it out for the destination's own"
    elif not _may_be_mailbox(template):
        written = _EXPRESSION.sub("", template)
        if "," in written or ";" in written:
            several = "a list of several" if key in ("recipient", "cc", "bcc") else "the one that it is"
            yield f"{key} is one address with or without a name; write {several}"
        else:
            yield f"{key} is no address; write one, or an expression that gives one"


def _may_be_mailbox(template: str) -> bool:
    """Return whether a text may render to one mailbox, whatever its expressions stand for."""
    if "{%" in template:
        return True
    for stand_in in ("ada@example.com", "ada", "example.com"):
        try:
            mailbox(_EXPRESSION.sub(stand_in, template))
        except ValueError:
            continue
        return True
    return False


def _domain_problems(options: EmailOptions, template: str) -> Iterable[str]:
    """Yield the problem of a `from` whose domain is written out and is not the destination's own."""
    own = addresses(options.sender)[0].domain
    domain = template.strip().removesuffix(">").rpartition("@")[2]
    if domain and not re.search(r"[{}\s]", domain) and "@" in template and domain.lower() != own:
        yield f"from must have the domain of the destination's own, {own}; make a destination for another"
