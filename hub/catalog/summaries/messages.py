"""Mail and text messages that Clerk made, sent or left to be sent; none of their words: they hold codes."""

from __future__ import annotations

from hub.catalog.summaries import reading
from hub.catalog.summaries.facts import Facts, Occurrence
from hub.catalog.words import with_article, word
from hub.humanize import capitalised


def email(occurrence: Occurrence) -> Facts:
    """Return the facts of an `email.` event."""
    return _facts(occurrence, "to_email_address")


def sms(occurrence: Occurrence) -> Facts:
    """Return the facts of an `sms.` event."""
    return _facts(occurrence, "to_phone_number")


def _facts(occurrence: Occurrence, recipient: str) -> Facts:
    data = occurrence.data
    message = with_article(word("mail", reading.text(data, "slug")))
    is_left = reading.value(data, "delivered_by_clerk") is False
    return Facts(
        texts={"message": message, "Message": capitalised(message), "to": reading.text(data, recipient)},
        case=("relayed" if occurrence.is_relayed else "left_to_you") if is_left else "",
        ids={"to": reading.text(data, "user_id") or reading.text(data, "id")},
    )
