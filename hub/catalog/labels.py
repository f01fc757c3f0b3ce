"""Labels: names of fields in words for people."""

from __future__ import annotations

import re

_LABELS = {
    "affiliation_email_address": "Affiliation email",
    "amount_formatted": "Amount",
    "browser_name": "Browser",
    "card_type": "Card",
    "charge_type": "Charge",
    "created_at": "Created",
    "created_by": "Created by",
    "decline_code": "Decline code",
    "delivered_by_clerk": "Sent by Clerk",
    "device_type": "Device",
    "email_address": "Email",
    "enrollment_mode": "Enrollment",
    "external_id": "External ID",
    "failed_reason.code": "Reason",
    "first_name": "Name",
    "id": "ID",
    "identifier": "Account",
    "image_url": "Picture",
    "invitation.status": "Invitation",
    "ip_address": "IP address",
    "is_free_trial": "Free trial",
    "last4": "Card ends in",
    "members_count": "Members",
    "organization.name": "Organization",
    "organization_id": "Organization ID",
    "organization_name": "Organization",
    "payer.email": "Email",
    "period_end": "Period ends",
    "phone_number": "Phone",
    "plan.name": "Plan",
    "provider": "Signs in with",
    "public_inviter_data.identifier": "Invited by",
    "role_name": "Role",
    "to_email_address": "To",
    "to_phone_number": "To",
    "user_id": "User ID",
    "verification.status": "Verification",
    "web3_wallet": "Wallet",
}
"""Labels by the last names of a path; any other field is named by its own words."""

_SECRET_PARTS = ("code", "otp", "passphrase", "passwd", "password", "secret", "token", "url")
_SECRET_WORDS = frozenset({"credential", "credentials", "key", "link", "nonce", "pin", "signature", "ticket"})


def label_of(path: str) -> str:
    """Return the label of the field that a path leads to."""
    names = re.sub(r"\[[^\]]*\]", "", path).split(".")
    tails = (".".join(names[start:]) for start in range(len(names)))
    return next((_LABELS[tail] for tail in tails if tail in _LABELS), words_of(names[-1]))


def words_of(name: str) -> str:
    """Return `card_type` and `cardType` as "Card type"."""
    text = " ".join(_words(name))
    return text[:1].upper() + text[1:]


def sentence_of(event_type: str) -> str:
    """Return `thing.happened` as "Thing happened"."""
    return words_of(event_type.replace(".", " "))


def is_time_name(name: str) -> bool:
    """Return whether a number under that name is a time in milliseconds."""
    return name.endswith(("_at", "_at_ms", "_date")) or name in ("period_start", "period_end")


def is_secret_name(name: str) -> bool:
    """Return whether an unknown field may hold a secret, by its name."""
    low = name.lower()
    return any(part in low for part in _SECRET_PARTS) or not _SECRET_WORDS.isdisjoint(_words(name))


def _words(name: str) -> list[str]:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return [word.lower() for word in re.split(r"[\s_\-]+", spaced) if word]
