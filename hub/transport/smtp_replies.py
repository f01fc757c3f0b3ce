"""Negative SMTP replies -> their kind: about the recipient or the mail, or about the sender.

Servers say it by enhanced codes (RFC 3463) and, as often, in words alone. What is not in these tables is
about the recipient or the mail, as RFC 5321 has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import Enum, auto

from hub.errors import Pause, Retry, SendError

QUOTA_SECONDS = 3600.0
"""So long a sender whose quota is used up waits: most quotas are by the hour or slide over a day."""
PACE_SECONDS = 60.0
"""So long one waits that has too much under way at once."""


class ReplyKind(Enum):
    """The kind of a negative reply."""

    MAIL = auto()
    """This recipient, or this mail."""
    QUOTA = auto()
    """The sender has sent too much; later all is well."""
    PACE = auto()
    """The sender sends too fast, or over too many connections."""
    SENDER = auto()
    """The sender may not send as it does, whatever the mail: somebody has to act."""


# Gmail: support.google.com/a/answer/3726730. Exchange Online: learn.microsoft.com/troubleshoot/exchange,
# "non-delivery reports" and "SMTP submission improvements". SES: docs.aws.amazon.com/ses, "sending quotas"
# and "email sending errors". SendGrid: twilio.com/docs/sendgrid, "SMTP errors and troubleshooting". All
# others as their users report them.

_QUOTA_CODES = frozenset(
    {
        "5.1.90",  # Exchange Online: the daily limit of recipients
        "5.7.232",  # Exchange Online: the tenant's external recipients
        "5.7.233",  # Exchange Online: the user's external recipients
        "4.7.28",  # Gmail: an unusual rate of mail
        "5.7.28",
    }
)
_SENDER_CODES = frozenset(
    {
        "5.1.7",  # RFC 3463: the sender's address
        "5.1.8",  # RFC 3463: the sender's system; Exchange Online: a bad outbound sender
        "5.2.252",  # Exchange Online: SendAsDenied
        "5.7.57",  # Exchange Online: the client did not log in
        "5.7.60",  # Exchange: may not send as this sender
        "5.7.64",  # Exchange Online: TenantAttribution
        "5.7.705",  # Exchange Online: the tenant is blocked
        "5.7.708",  # Exchange Online: mail from this address is not accepted
        "5.7.750",  # Exchange Online: a domain that is not registered
        "5.7.8",  # RFC 4954: credentials
        "5.7.9",  # RFC 4954: a weak way to log in
    }
)
_LOGIN_REPLIES = frozenset({530, 534, 535, 538})
"""RFC 4954: a login is needed, or another one. Postal also: 530 From/Sender name is not valid."""

_NO_QUOTA = (
    r"mail ?box|over ?quota|disk|storage|message size|too large|receiv(e|ing)|hop|line length|"
    r"per (transaction|session)|server busy|congest"
)
"""Limits of a recipient or of a mail, and a server that is busy, which is no quota either."""
_QUOTA_WORDS = (
    # Gmail, Plesk, SendGrid
    r"\b(limits?|per (minute|hour|day|month)|credits)\b.{0,80}\b(exceeded|reached)\b",
    r"\b(exceed(ed|s)?|reached)\b.{0,60}\b(limits?|max(imum)?)\b",  # cPanel, Exchange Online
    r"\b(daily|hour|hourly|monthly|send|sending|outgoing|outbound|relay|messages?)\b.{0,40}\bquota\b",  # SES
    r"\btoo many (e-?mails|messages|login attempts)\b",  # OVH, Gmail
    r"submissionquotaexceeded",  # Exchange Online
    r"unusual rate",  # Gmail: 421 4.7.0
)
_PACE_WORDS = (
    # SES: 454 Throttling failure: Maximum sending rate exceeded
    r"(sending|message) rate exceeded",
    # SES, Exchange Online: 432 4.3.2 Concurrent connections limit exceeded
    r"concurrent|thread limit|connections? (rate|limit)|too many connections",
)
_SENDER_WORDS = (
    r"\bsend ?(as|on ?behalf)\b|send ?as ?denied|sender ?alias ?denied",  # Exchange, Titan
    # SES, SendGrid, Postmark; Postfix verifies recipients, too.
    r"^(?!.*recipient address rejected).*(not verified|unverified|sender verify failed)",
    r"match a verified|sender signature",
    # Postfix, Aruba, iRedMail, QQ
    r"sender (address |identity )?(is )?(rejected|not allowed|not permitted|not authori[sz]ed)",
    r"sender is not (the )?same|must be (the )?same as|not owned by user|sender name is not valid",
    r"your (account|domain) .{0,40}(suspended|disabled|paused|deactivated)",
    r"\bsending (is |has been )?(suspended|paused|disabled)",  # SES
    r"unusual sending activity",  # Zoho: 550 5.4.6
)
_SENDER_WORDS_OF_ANY_REPLY = (
    r"is not allowed to send",  # Mailgun: 421, for a domain or an account that is not active
    r"not authori[sz]ed to send from",  # SendGrid: 403, until the sender is verified
)


def sender_error(code: int, reply: bytes, reason: str, recipient: str = "") -> SendError | None:
    """Return the error for a negative reply that is about the sender, so about every mail; None for others.

    `reply` is the server's text without its code, `reason` the words for people.
    """
    match reply_kind(code, reply.decode("utf-8", "replace"), recipient):
        case ReplyKind.QUOTA:
            reason = f"{reason}: it takes no more of this sender for now"
            return Retry(reason, status=code, throttled=True, after_seconds=QUOTA_SECONDS)
        case ReplyKind.PACE:
            return Retry(reason, status=code, throttled=True, after_seconds=PACE_SECONDS)
        case ReplyKind.SENDER:
            reason = f"{reason}: it refuses the sender; check from and the account of smtp_url"
            return Pause(reason, status=code)
        case ReplyKind.MAIL:
            return None


def reply_kind(code: int, reply: str, recipient: str = "") -> ReplyKind:
    """Return the kind of a negative reply: of its code, and its text without the code.

    What others wrote is left out before it is read: the recipient, whom a stranger may have named so that a
    word of these tables is in it, and what another server `said:`.
    """
    words = _own_words(reply, recipient)
    enhanced = _enhanced_code(words)
    if code in _LOGIN_REPLIES:
        return ReplyKind.QUOTA if _has(_QUOTA_WORDS, words) else ReplyKind.SENDER
    if _has(_PACE_WORDS, words):
        return ReplyKind.PACE
    if enhanced in _QUOTA_CODES or _is_quota(enhanced, words):
        return ReplyKind.QUOTA
    if enhanced in _SENDER_CODES or _has(_SENDER_WORDS_OF_ANY_REPLY, words):
        return ReplyKind.SENDER
    if code >= 500 and _has(_SENDER_WORDS, words):
        return ReplyKind.SENDER
    return ReplyKind.MAIL


def is_about_mail(code: int, reply: str) -> bool:
    """Return True where a reply 4yz speaks of its recipient or its mail: the server lives, and takes others.

    By RFC 3463 x.1, x.2 and x.6 do; without such a code the reply 450 does, a mailbox that is busy.
    """
    enhanced = _enhanced_code(reply)
    return enhanced[2:3] in ("1", "2", "6") if enhanced else code == 450


def _own_words(reply: str, recipient: str) -> str:
    words = " ".join(reply.lower().split())
    local, _, domain = recipient.lower().rpartition("@")
    for name in filter(None, (recipient.lower(), local, domain)):
        words = re.sub(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", "…", words)
    return re.split(r"\bsaid:", words)[0]


def _enhanced_code(words: str) -> str:
    """Return the enhanced code that a reply begins with, or has in brackets; nothing where it has none."""
    matched = re.match(r"([245]\.\d{1,3}\.\d{1,3})\b", words) or re.search(
        r"\(#([245]\.\d{1,3}\.\d{1,3})\)", words
    )
    return matched[1] if matched else ""


def _is_quota(enhanced: str, words: str) -> bool:
    """Return True where the sender's quota is used up.

    RFC 3463 has no code for it: x.4.5, congestion, is the one that Gmail gives. x.2.2 and x.3.4 are the
    mailbox that is full and the mail that is too large, and x.5.3 too many recipients at once.
    """
    if _has((_NO_QUOTA,), words) or enhanced[1:] in (".2.2", ".2.3", ".3.4", ".5.3"):
        return False
    return enhanced[1:] == ".4.5" or _has(_QUOTA_WORDS, words)


def _has(patterns: Iterable[str], words: str) -> bool:
    return any(re.search(pattern, words) for pattern in patterns)
