"""Mail by a service's HTTP API: one request for all recipients, or, where it refuses that, one for each."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace

from hub.destinations.email.mail import Mail, Parties, body_text
from hub.destinations.email.mailboxes import Mailbox
from hub.destinations.email.providers.base import Provider
from hub.errors import About, Reject, Retry, SendError, Unknown
from hub.model.delivery import Receipt, SendContext
from hub.transport.http import HttpClient
from hub.transport.judging import judge


class ApiMailer:
    """An account at a mail service."""

    def __init__(self, provider: Provider, client: HttpClient) -> None:
        self._provider = provider
        self._client = client

    def send(self, mail: Mail, context: SendContext) -> Receipt:
        recipients = mail.parties.recipients
        mail = _with_words(mail)
        handover = _Handover(
            provider=self._provider,
            client=self._client,
            context=context,
            ends_at=time.monotonic() + context.timeout_seconds,
            accepted=[address for address in recipients if address in context.accepted],
        )
        try:
            # Once some have it the rest is another request than the first: each of them gets its own.
            if handover.accepted or len(recipients) > self._provider.most_recipients:
                handover.to_each(mail)
            else:
                handover.to_all(mail)
        except SendError as error:
            error.accepted, error.answer = tuple(handover.accepted), handover.answer
            raise
        return handover.receipt()

    def close(self) -> None:
        self._client.close()


@dataclass(kw_only=True)
class _Handover:
    """One mail on its way to its recipients within one attempt; `refused` has why, by address."""

    provider: Provider
    client: HttpClient
    context: SendContext
    ends_at: float
    accepted: list[str]
    refused: dict[str, str] = field(default_factory=dict)
    answers: list[str] = field(default_factory=list)
    status: int | None = None

    @property
    def answer(self) -> str:
        return "; ".join(self.answers)

    def to_all(self, mail: Mail) -> None:
        """Hand the mail in for all recipients; where that is refused, for each."""
        recipients = mail.parties.recipients
        try:
            undelivered = self._hand_in(mail, self._key())
        except Reject:
            if len(recipients) == 1:
                raise
            self.to_each(mail)
            return
        for address in recipients:
            self._note(address, undelivered)

    def to_each(self, mail: Mail) -> None:
        """Hand the mail in for each recipient that has it not, by a request that names nobody else."""
        for place, box in enumerate(_boxes(mail.parties), 1):
            if box.address in self.accepted:
                continue
            try:
                undelivered = self._hand_in(_alone(mail, box), f"{self._key()}-{place}", f"{box.address}: ")
            except Reject as refusal:
                self.refused[box.address] = refusal.reason
            else:
                self._note(box.address, undelivered)

    def receipt(self) -> Receipt:
        """Return the receipt for a mail that all have; raises Reject where one was refused for good."""
        accepted, name = tuple(self.accepted), self.provider.name
        detail = f"taken by {name} for {', '.join(accepted)}"
        if not self.refused:
            return Receipt(detail=detail, status=self.status, accepted=accepted, answer=self.answer)
        by_reason: dict[str, list[str]] = {}
        for address, reason in self.refused.items():
            by_reason.setdefault(reason, []).append(address)
        refused = ", ".join(f"{', '.join(addresses)} ({reason})" for reason, addresses in by_reason.items())
        reason = f"refused for good: {refused}"
        if accepted:
            reason = f"{detail}; {reason}"
        raise Reject(reason, status=self.status, accepted=accepted, answer=self.answer)

    def _hand_in(self, mail: Mail, key: str, about: str = "") -> tuple[str, ...]:
        """Make one request; return the addresses that do not get the mail, in small letters.

        `about` goes before what is kept of the answer.
        """
        remaining_seconds = self._remaining_seconds()
        if remaining_seconds <= 0:
            reason = f"no time was left to mail to {mail.parties.recipients[0]}"
            raise Retry(reason, status=self.status, about=About.MESSAGE)
        request = self.provider.request(mail, self.context.delivery_id, key)
        response = self.client.send(request, remaining_seconds)
        self.status = response.status
        self.answers.append(about + response.text)
        try:
            judge(response, self.context.at, self.provider.ruling(response, self.context))
        except Unknown as error:
            error.key_used = self.provider.has_used_key(response)
            raise
        return self.provider.undelivered(response)

    def _remaining_seconds(self) -> float:
        """Return the time for the next request, in whole tenths: a reason may name it."""
        if not self.answers:
            return self.context.timeout_seconds
        return math.floor((self.ends_at - time.monotonic()) * 10) / 10

    def _key(self) -> str:
        return f"{self.context.delivery_id}-{self.context.rendering}"

    def _note(self, address: str, undelivered: tuple[str, ...]) -> None:
        if address.lower() in undelivered:
            self.refused[address] = f"{self.provider.name} does not deliver to it any more"
        else:
            self.accepted.append(address)


def _with_words(mail: Mail) -> Mail:
    """Return a mail as services take it: none takes one without words, so that the subject stands in."""
    text = body_text(mail.text)
    html = body_text(mail.html) if mail.html else None
    return replace(mail, text=text if text.strip() or html else mail.subject, html=html)


def _boxes(parties: Parties) -> list[Mailbox]:
    """Return the mailboxes of all recipients in their order, each address once."""
    boxes: dict[str, Mailbox] = {}
    for box in (*parties.to, *parties.cc, *parties.bcc):
        boxes.setdefault(box.address, box)
    return list(boxes.values())


def _alone(mail: Mail, box: Mailbox) -> Mail:
    return replace(mail, parties=replace(mail.parties, to=(box,), cc=(), bcc=()))
