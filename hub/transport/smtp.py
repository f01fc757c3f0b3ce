"""SMTP within the deadline of an attempt: one recipient per transaction, over one connection.

With several recipients in one transaction a refusal after the final dot would not say whom it concerns.
RFC 5321 section 4.2.1: a reply 4yz means later, 5yz never.
"""

from __future__ import annotations

import contextlib
import re
import smtplib
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from hub.errors import About, Pause, Reject, Retry, SendError, Unknown
from hub.strings import is_loopback, one_line
from hub.transport.deadline import Deadline
from hub.transport.failures import connection_reason, root_cause
from hub.transport.smtp_replies import is_about_mail, sender_error
from hub.transport.smtp_sessions import Client, Sessions, expect
from hub.transport.smtp_url import MailServer

REPLY_LIMIT = 160
BLOCKED_PORTS = frozenset({25, 465, 587})
"""Ports of SMTP that many platforms leave closed to what runs on them."""
BLOCKED = "this platform may block SMTP: try port 2525 in smtp_url, or provider and api_key instead of it"


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """The server's negative reply for one recipient."""

    address: str
    code: int
    reply: str

    @property
    def is_final(self) -> bool:
        return self.code >= 500

    @property
    def about(self) -> About:
        """The recipient or the mail where the reply speaks of those: the server lives."""
        return About.MESSAGE if is_about_mail(self.code, self.reply) else About.ENDPOINT

    def __str__(self) -> str:
        return f"{self.address} ({self.code} {self.reply})"


def envelope_address(address: str) -> str:
    """Return an address as SMTP and headers take it.

    Some phone carriers gave out addresses with dots side by side or before the @, such as a..b@docomo.ne.jp,
    which RFC 5321 takes in quotes only.
    """
    local, _, domain = address.rpartition("@")
    return f'"{local}"@{domain}' if ".." in local or local.endswith(".") else address


@dataclass(kw_only=True)
class Submission:
    """One mail on its way to its recipients: `accepted` have it by now, the others were `refused`.

    `mask` takes secrets out of what the server says. `answers` are its replies that decided, each with whom
    it concerned.
    """

    server: MailServer
    sender: str
    mail: bytes
    utf8: bool
    accepted: list[str]
    mask: Callable[[str], str] = str
    refused: list[Refusal] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)

    @property
    def answer(self) -> str:
        """All that the server replied about recipients."""
        return "; ".join(self.answers)

    def send(self, recipients: list[str], sessions: Sessions, deadline: Deadline) -> None:
        """Submit the mail for each recipient within the deadline, over one session.

        Raises SendError where the others cannot be tried now.
        """
        with self._translated(deadline):
            client = sessions.take(deadline)
        try:
            for count, recipient in enumerate(recipients, 1):
                with self._translated(deadline):
                    self._transact(client, recipient, recipients[count:], deadline)
        except BaseException:
            client.close()
            raise
        sessions.keep(client)

    def _transact(self, smtp: Client, recipient: str, rest: list[str], deadline: Deadline) -> None:
        """Make one transaction; a refusal of the recipient or the mail is kept and ends only this one.

        `rest` are the recipients that come after it.
        """
        if self.utf8 and not smtp.has_extn("smtputf8"):
            raise Reject("the mail server takes no addresses with letters beyond ASCII")
        if self.refused:
            smtp.rset()
        expect(250, smtp.mail(envelope_address(self.sender), ["SMTPUTF8"] if self.utf8 else []))
        steps: list[tuple[Callable[[], tuple[int, bytes]], tuple[int, ...]]] = [
            (lambda: smtp.rcpt(envelope_address(recipient)), (250, 251, 252)),
            (lambda: smtp.docmd("DATA"), (354,)),
            (lambda: self._send_mail(smtp, recipient, rest, deadline), (250,)),
        ]
        for step, expected in steps:
            code, reply = step()
            if code not in expected:
                self._refuse(recipient, code, reply)
                return
        self.accepted.append(recipient)
        self.answers.append(f"{recipient}: {code} {self._quoted(reply)}")

    def _send_mail(
        self, smtp: Client, recipient: str, rest: list[str], deadline: Deadline
    ) -> tuple[int, bytes]:
        """Send the mail and the final dot; from there on a lost connection means an unknown outcome."""
        smtp.send(re.sub(rb"(?m)^\.", b"..", self.mail) + b".\r\n")
        try:
            return smtp.getreply()
        except (smtplib.SMTPServerDisconnected, OSError) as error:
            broken = (
                f"no answer within {deadline.seconds:g} s" if deadline.is_over else "the connection broke"
            )
            untried = f"; not mailed yet: {', '.join(rest)}" if rest else ""
            reason = f"{broken} after the whole mail was sent to {recipient}{untried}"
            raise Unknown(reason) from root_cause(error)

    def _refuse(self, recipient: str, code: int, reply: bytes) -> None:
        """Keep the refusal of a recipient; raises SendError where it is about more than this one."""
        refusal = Refusal(address=recipient, code=code, reply=self._quoted(reply))
        self.answers.append(f"{recipient}: {code} {refusal.reply}")
        reason = f"the mail server answered {code} {refusal.reply}"
        error = sender_error(code, reply, reason, recipient)
        if error is None and code == 421:
            error = Retry(reason, status=code)
        if error is not None:
            raise error
        self.refused.append(refusal)

    def _quoted(self, reply: bytes) -> str:
        """Return a reply on one line, bounded, without the password should a server repeat it."""
        text = self.mask(reply.decode("utf-8", "replace"))
        if len(self.server.password) > 3:
            text = text.replace(self.server.password, "…")
        return one_line(text, REPLY_LIMIT)

    @contextlib.contextmanager
    def _translated(self, deadline: Deadline) -> Iterator[None]:
        """Translate smtplib's errors into what they mean for the destination."""
        try:
            yield
        except SendError as error:
            error.accepted, error.answer = tuple(self.accepted), self.answer
            raise
        except smtplib.SMTPResponseException as error:
            raise self._refusal(error.smtp_code, error.smtp_error) from None
        except smtplib.SMTPServerDisconnected as error:
            raise self._broken(error, deadline) from root_cause(error)
        except smtplib.SMTPException as error:
            reason = "the mail server offers no login that the hub knows, but smtp_url has one"
            raise Pause(reason, accepted=self.accepted) from error
        except OSError as error:
            raise self._broken(error, deadline) from root_cause(error)

    def _refusal(self, code: int, reply: bytes | str) -> SendError:
        """Return the error for a refusal before a recipient was named.

        There 5yz means that nothing will be accepted until somebody acts.
        """
        if isinstance(reply, str):  # smtplib's own words: what came was no reply
            return Retry("the mail server answered with something that is not SMTP", accepted=self.accepted)
        answer = f"{code} {self._quoted(reply)}".rstrip()
        reason = f"the mail server answered {answer}"
        error = sender_error(code, reply, reason)
        if error is None:
            kind = Pause if code >= 500 else Retry
            error = kind(reason, status=code if code > 0 else None)
        error.accepted, error.answer = tuple(self.accepted), "; ".join((*self.answers, answer))
        return error

    def _broken(self, error: Exception, deadline: Deadline) -> Retry:
        """Return the error for a connection that failed before a mail was handed in whole: nobody has it."""
        cause = root_cause(error)
        if deadline.is_over:
            failed = "did not answer" if deadline.sent or deadline.received_bytes else "could not connect"
            reason = f"{failed} within {deadline.seconds:g} s"
        elif deadline.sent and not isinstance(cause, ssl.SSLError):
            reason = "the connection broke before the mail was handed in"
        else:
            reason = connection_reason(cause)
        if not isinstance(cause, socket.gaierror):
            reason = unreached_reason(reason, self.server)
        return Retry(reason, accepted=self.accepted)


def unreached_reason(reason: str, server: MailServer) -> str:
    """Return the reason for a server that no connection reaches, with what mostly stands in the way."""
    rest = reason.removeprefix("could not connect")
    if server.port not in BLOCKED_PORTS or is_loopback(server.host) or rest == reason:
        return reason
    return f"could not connect to {server.host}:{server.port}{rest}; {BLOCKED}"
