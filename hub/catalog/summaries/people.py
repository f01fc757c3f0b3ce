"""People: the ladder of their names, and the events of users."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hub.catalog.summaries import reading
from hub.catalog.summaries.facts import Data, Facts, Occurrence
from hub.catalog.words import sign_in_method
from hub.humanize import capitalised, enumerated, wallet


@dataclass(frozen=True, kw_only=True)
class Person:
    """A person by the best name there is, empty where there is none.

    `email`, else `phone`, is a contact beside the name, both empty where the name is one itself.
    """

    name: str = ""
    email: str = ""
    phone: str = ""
    id: str = ""

    @property
    def texts(self) -> dict[str, str]:
        """The texts that patterns know of a person."""
        contact = self.email or self.phone
        return {"person": self.name, "email": self.email, "phone": self.phone, "contact": contact}


def person_of_user(user: Data) -> Person:
    """Return the person whom a user object is about."""
    email, phone = primary_email(user), primary_phone(user)
    person_id = reading.text(user, "id")
    if name := full_name(user) or reading.text(user, "username"):
        return Person(name=name, email=email, phone="" if email else phone, id=person_id)
    address = _primary(user, "web3_wallets", "primary_web3_wallet_id", "web3_wallet")
    return Person(name=email or phone or wallet(address) or _external_email(user), id=person_id)


def person_in_public(person: Data) -> Person:
    """Return the person whom `public_user_data` or `public_inviter_data` is about."""
    identifier, person_id = reading.text(person, "identifier"), reading.text(person, "user_id")
    name = full_name(person) or reading.text(person, "username")
    if not name:
        return Person(name=identifier, id=person_id)
    is_email, is_phone = "@" in identifier, identifier.startswith("+")
    return Person(
        name=name, email=identifier if is_email else "", phone=identifier if is_phone else "", id=person_id
    )


def full_name(person: Data) -> str:
    """Return first and last name, or the one of them that is there."""
    return " ".join(filter(None, (reading.text(person, "first_name"), reading.text(person, "last_name"))))


def primary_email(user: Data) -> str:
    """Return the primary email address of a user, else the first."""
    return _primary(user, "email_addresses", "primary_email_address_id", "email_address")


def primary_phone(user: Data) -> str:
    """Return the primary phone number of a user, else the first."""
    return _primary(user, "phone_numbers", "primary_phone_number_id", "phone_number")


def _primary(user: Data, entries_key: str, id_key: str, value_key: str) -> str:
    entries, wanted = reading.items(user, entries_key), reading.value(user, id_key)
    primary = [entry for entry in entries if wanted is not None and reading.value(entry, "id") == wanted]
    return next(filter(None, (reading.text(entry, value_key) for entry in primary + entries)), "")


def _external_email(user: Data) -> str:
    accounts = [
        *reading.items(user, "external_accounts"),
        *reading.items(user, "enterprise_accounts"),
        *reading.items(user, "saml_accounts"),
    ]
    return next(filter(None, (reading.text(account, "email_address") for account in accounts)), "")


def sign_in_methods(user: Data) -> str:
    """Return the accounts elsewhere that a user signs in with: "Google and GitHub"."""
    providers = [reading.text(account, "provider") for account in reading.items(user, "external_accounts")]
    methods = [sign_in_method(provider) for provider in providers if provider]
    if reading.items(user, "saml_accounts") or reading.items(user, "enterprise_accounts"):
        methods.append("single sign-on")
    if reading.items(user, "web3_wallets"):
        methods.append("wallet")
    return capitalised(enumerated(list(dict.fromkeys(methods))))


def user(occurrence: Occurrence) -> Facts:
    """Return the facts of a `user.` event."""
    if occurrence.verb == "deleted":
        return _deleted(occurrence)
    if occurrence.verb == "updated":
        return _updated(occurrence)
    person = person_of_user(occurrence.data)
    texts = {**person.texts, "methods": sign_in_methods(occurrence.data)}
    case = "added" if _was_added(occurrence.data) else ""
    return Facts(texts=texts, case=case, ids={"person": person.id})


def _was_added(user: Data) -> bool:
    """Return True where the user was surely made in the dashboard, or by the application itself.

    Only there an address is taken as verified by an administrator (`strategy` in Clerk's webhook schemas).
    """
    contacts = [*reading.items(user, "email_addresses"), *reading.items(user, "phone_numbers")]
    strategies = {reading.text(contact, "verification", "strategy") for contact in contacts}
    return strategies == {"admin"} and not sign_in_methods(user)


def _deleted(occurrence: Occurrence) -> Facts:
    user_id = reading.text(occurrence.data, "id")
    person = person_of_user(occurrence.before("user", user_id))
    return Facts(
        texts={**person.texts, "external_id": reading.text(occurrence.data, "external_id")},
        case="known" if person.name else "",
        details=(user_id,),
    )


def _updated(occurrence: Occurrence) -> Facts:
    now = occurrence.data
    person = person_of_user(now)
    before = occurrence.before("user", person.id)
    changes = _changes(now, before) if before else {}
    texts = {**person.texts, "changed": ", ".join(changes)}
    case = _turned(now, before)
    if not case and len(changes) == 1:
        (changed,) = changes
        case = _case_of(changed, *changes[changed])
        texts |= _told(changed, *changes[changed])
    return Facts(texts=texts, case=case, ids={"person": person.id})


def _turned(now: Data, before: Data) -> str:
    """Return the case of a user who is banned or locked and was not before, or no longer is.

    Where nothing is known of before, that is the news, too.
    """
    for flag, turned_on, turned_off in (
        ("banned", "banned", "unbanned"),
        ("locked", "locked", "unlocked"),
    ):
        is_on, was_on = reading.value(now, flag) is True, reading.value(before, flag) is True
        if is_on != was_on:
            return turned_on if is_on else turned_off
    return ""


def _changes(now: Data, before: Data) -> dict[str, tuple[str, str]]:
    """Return the changes of a user by their names, each as it was before and as it is now."""
    both = {name: (look(before), look(now)) for name, look in _ASPECTS.items()}
    changes = {name: pair for name, pair in both.items() if pair[0] != pair[1]}
    for one in _PLURALS:
        if one in changes:
            changes.pop(_PLURALS[one], None)
    return changes


def _case_of(changed: str, before: str, now: str) -> str:
    if changed == _TWO_STEPS:
        return "two_steps" if now else "one_step"
    if changed == "name" and before and now:
        return "renamed"
    return "" if changed == _METADATA else "one"


def _told(changed: str, before: str, now: str) -> dict[str, str]:
    """Return the texts of a single change; of some only their name can be told."""
    verb = "changed" if changed.endswith("s") or (before and now) else "added" if now else "removed"
    if changed in _UNTOLD:
        return {"verb": verb}
    return {"verb": verb, "before": before, "new_" + re.sub(r"\W", "_", changed): now}


_TWO_STEPS, _METADATA = "two-step verification", "metadata"
_PLURALS = {"email address": "email addresses", "phone number": "phone numbers"}
_UNTOLD = ("picture", "password", _TWO_STEPS, _METADATA)


def _all(user: Data, entries_key: str, value_key: str) -> str:
    return ", ".join(sorted(reading.text(entry, value_key) for entry in reading.items(user, entries_key)))


def _picture(user: Data) -> str:
    """Return the picture that a user chose; those that Clerk draws change by themselves."""
    return reading.text(user, "image_url") if reading.value(user, "has_image") is True else ""


def _password(user: Data) -> str:
    is_set = reading.value(user, "password_enabled") is True
    return (reading.text(user, "password_last_updated_at") or "set") if is_set else ""


def _steps(user: Data) -> str:
    return "on" if reading.value(user, "two_factor_enabled") is True else ""


def _metadata(user: Data) -> str:
    kinds = ("public_metadata", "private_metadata", "unsafe_metadata")
    return reading.canonical([reading.value(user, kind) for kind in kinds])


_ASPECTS: Mapping[str, Callable[[Data], str]] = {
    "name": full_name,
    "username": lambda user: reading.text(user, "username"),
    "email address": primary_email,
    "email addresses": lambda user: _all(user, "email_addresses", "email_address"),
    "phone number": primary_phone,
    "phone numbers": lambda user: _all(user, "phone_numbers", "phone_number"),
    "picture": _picture,
    "password": _password,
    _TWO_STEPS: _steps,
    "sign-in methods": sign_in_methods,
    _METADATA: _metadata,
}
"""What of a user may change, by its name in messages, and the text to compare it by."""
