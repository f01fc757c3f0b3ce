"""Replies as mail servers really give them, each with its kind."""

from __future__ import annotations

import pytest

from hub.errors import Pause, Retry
from hub.transport.smtp_replies import ReplyKind, is_about_mail, reply_kind, sender_error

MAIL, QUOTA, PACE, SENDER = ReplyKind.MAIL, ReplyKind.QUOTA, ReplyKind.PACE, ReplyKind.SENDER

REPLIES = [
    # Gmail
    (550, "5.4.5 Daily user sending limit exceeded. For more information on\n5.4.5 Gmail sending", QUOTA),
    (550, "5.4.5 Daily SMTP relay limit exceeded for user.", QUOTA),
    (550, "5.7.1 Daily SMTP relay limit exceeded for customer.", QUOTA),
    (450, "4.2.1 Peak SMTP relay limit exceeded for customer. This is a temporary error.", QUOTA),
    (421, "4.7.0 Our system has detected an unusual rate of unsolicited mail", QUOTA),
    (421, "4.7.28 Gmail has detected this", QUOTA),
    (454, "4.7.0 Too many login attempts, please try again later.", QUOTA),
    (421, "4.4.5 Server busy, try again later.", MAIL),
    (421, "4.7.0 Try again later, closing connection.", MAIL),
    (450, "4.2.1 The user you are trying to contact is receiving mail at a rate that prevents", MAIL),
    (452, "4.2.2 The email account that you tried to reach is over quota.", MAIL),
    (552, "5.2.2 quota exceeded", MAIL),
    (550, "5.2.1 The email account that you tried to reach is disabled.", MAIL),
    (452, "4.5.3 Your message has too many recipients.", MAIL),
    # Exchange and Exchange Online
    (550, "5.7.60 SMTP; Client does not have permissions to send as this sender", SENDER),
    (550, "5.7.1 Client does not have permissions to send as this sender", SENDER),
    (554, "5.2.252 SendAsDenied; a@x.test not allowed to send as b@x.test", SENDER),
    (554, "5.2.0 STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied", SENDER),
    (550, "5.1.8 Access denied, bad outbound sender", SENDER),
    (530, "5.7.57 Client not authenticated to send mail.", SENDER),
    (554, "5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException", QUOTA),
    (550, "5.1.90 Your message can't be sent because you've reached your daily limit for recipients", QUOTA),
    (432, "4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded", PACE),
    (432, "4.3.2 Concurrent connections limit exceeded.", PACE),
    (451, "4.7.500 Server busy. Please try again later", MAIL),
    (550, "5.2.121 Recipient's per hour message receive limit from specific sender exceeded", MAIL),
    (554, "5.4.14 Hop count exceeded - possible mail loop", MAIL),
    # SES
    (454, "Throttling failure: Daily message quota exceeded", QUOTA),
    (454, "Throttling failure: Maximum sending rate exceeded", PACE),
    (421, "Too many concurrent SMTP connections", PACE),
    (554, "Message rejected: Email address is not verified. The following identities failed", SENDER),
    (554, "Sending suspended for this account", SENDER),
    # SendGrid, Mailgun, Postmark, Zoho
    (451, "Authentication failed: Maximum credits exceeded", QUOTA),
    (550, "The from address does not match a verified Sender Identity. Mail cannot be sent", SENDER),
    (403, "You are not authorized to send from that email address", SENDER),
    (421, "Domain mg.x.test is not allowed to send: Please activate your Mailgun account.", SENDER),
    (421, "Domain mg.x.test is not allowed to send: recipient limit exceeded, try again after", QUOTA),
    (550, "5.7.1 The 'From' address is not a Sender Signature on your account.", SENDER),
    (550, "5.4.6 Unusual sending activity detected. Please try after sometime", SENDER),
    # Plesk, cPanel, OVH, GoDaddy, rate limits of Postfix
    (554, "5.7.0 The limit on the number of allowed outgoing messages was exceeded. Try later.", QUOTA),
    (550, "Domain x.test has exceeded the max emails per hour (100/100 (100%)) allowed.", QUOTA),
    (550, "sorry, too many emails (#5.7.1)", QUOTA),
    (554, "You've reached your daily relay quota - 192.0.2.1", QUOTA),
    (450, "4.7.1 <END-OF-MESSAGE>: End-of-data rejected: Number messages per hour exceeded.", QUOTA),
    (451, "4.7.1 rate limit exceeded", QUOTA),
    # Postfix, iRedMail, QQ, Postal, Aruba
    (553, "5.7.1 <hub@x.test>: Sender address rejected: not owned by user relay@x.test", SENDER),
    (450, "4.1.8 <hub@x.test>: Sender address rejected: Domain not found", MAIL),
    (554, "5.7.1 <a@x.test>: Recipient address rejected: Sender is not same as SMTP authenticate", SENDER),
    (501, "mail from address must be same as authorization user.", SENDER),
    (530, "From/Sender name is not valid", SENDER),
    (552, "5.2.0 Mittente non consentito / Sender not allowed ( header-from )", SENDER),
    (554, "5.7.1 <b@x.test>: Relay access denied", MAIL),
    # a mail, a recipient
    (550, "5.1.1 no such user", MAIL),
    (554, "5.6.0 spam", MAIL),
    (552, "5.3.4 Message size exceeds fixed limit", MAIL),
    (452, "mailbox quota exceeded", MAIL),
    (550, "5.7.1 our system has detected that this message is likely unsolicited mail", MAIL),
]


@pytest.mark.parametrize(("code", "reply", "kind"), REPLIES)
def test_a_reply_is_about_the_mail_or_the_sender(code: int, reply: str, kind: ReplyKind) -> None:
    assert reply_kind(code, reply) is kind


@pytest.mark.parametrize(
    ("recipient", "reply"),
    [
        ("not-verified@x.test", "5.1.1 <not-verified@x.test>: User unknown"),
        ("SendAs@x.test", "5.1.1 sendas: no such user here"),
        ("a@limit-exceeded.test", "5.1.2 Host limit-exceeded.test not found"),
        ("b@x.test", "5.1.1 <b@x.test>: undeliverable: host mx.x.test[192.0.2.1] said: 550 5.7.60 send as"),
        ("b@x.test", "5.1.1 host mx.x.test said: 550 daily sending limit exceeded"),
    ],
)
def test_no_stranger_can_make_it_about_the_sender(recipient: str, reply: str) -> None:
    assert reply_kind(550, reply, recipient) is ReplyKind.MAIL


def test_a_short_recipient_hides_no_words() -> None:
    assert reply_kind(550, "5.7.1 may not send as this sender", "s@x.test") is ReplyKind.SENDER


def test_what_is_about_the_sender_holds_or_pauses_the_destination() -> None:
    quota = sender_error(550, b"5.4.5 Daily user sending limit exceeded", "it answered 550")
    pace = sender_error(421, b"Too many concurrent SMTP connections", "it answered 421")
    sender = sender_error(550, b"5.7.60 no", "it answered 550")

    assert isinstance(quota, Retry)
    assert isinstance(pace, Retry)
    assert (quota.throttled, quota.after_seconds, quota.status) == (True, 3600.0, 550)
    assert (pace.throttled, pace.after_seconds, pace.status) == (True, 60.0, 421)
    assert isinstance(sender, Pause)
    assert "check from and the account of smtp_url" in sender.reason
    assert sender_error(550, b"5.1.1 no such user", "it answered 550") is None


@pytest.mark.parametrize(
    ("code", "reply", "is_about"),
    [
        (450, "4.2.0 Greylisted", True),
        (452, "4.2.2 The email account that you tried to reach is over quota.", True),
        (450, "4.1.1 unverified", True),
        (451, "4.6.0 later", True),
        (450, "mailbox busy", True),
        (451, "4.3.0 local error", False),
        (450, "4.7.1 client host rejected", False),
        (451, "local error", False),
        (452, "4.3.1 insufficient storage", False),
    ],
)
def test_a_recipient_that_is_refused_for_now_is_no_server_that_is_down(
    code: int, reply: str, is_about: bool
) -> None:
    assert is_about_mail(code, reply) is is_about
