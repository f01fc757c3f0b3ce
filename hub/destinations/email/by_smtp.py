"""Mail by SMTP: one transaction for each recipient; who has the mail is never mailed again."""

from __future__ import annotations

from hub.destinations.email.mail import Mail
from hub.destinations.email.mime import build_mail, composed_at
from hub.errors import About, Reject, Retry
from hub.model.delivery import Receipt, SendContext
from hub.transport.deadline import Resolver, deadline_after
from hub.transport.smtp import Refusal, Submission
from hub.transport.smtp_sessions import Sessions
from hub.transport.smtp_url import MailServer


class SmtpMailer:
    """A mail server that mails are submitted to."""

    def __init__(self, server: MailServer, resolver: Resolver) -> None:
        self._server = server
        self._sessions = Sessions(server)
        self._resolver = resolver

    def send(self, mail: Mail, context: SendContext) -> Receipt:
        sender, recipients = mail.parties.sender.address, mail.parties.recipients
        submission = Submission(
            server=self._server,
            sender=sender,
            mail=build_mail(
                mail, boundary=context.delivery_id, at=composed_at(context.delivery_id, context.at)
            ),
            utf8=mail.parties.needs_utf8,
            accepted=list(context.accepted),
            mask=context.mask,
        )
        missing = [address for address in recipients if address not in context.accepted]
        if missing:
            with deadline_after(context.timeout_seconds, self._resolver) as deadline:
                submission.send(missing, self._sessions, deadline)
        return _receipt(submission)

    def close(self) -> None:
        self._sessions.close()


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
