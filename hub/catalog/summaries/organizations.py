"""Organizations, their domains and their members."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

from hub.catalog.summaries import reading
from hub.catalog.summaries.facts import Data, Facts, Occurrence
from hub.catalog.summaries.people import person_in_public, person_of_user
from hub.catalog.words import role_name, word
from hub.humanize import capitalised

_AT_ONCE = timedelta(minutes=1)
"""A domain that was verified so shortly before its event was verified by that."""


def name_of(organization: Data) -> str:
    """Return the name of an organization, else its slug."""
    return reading.text(organization, "name") or reading.text(organization, "slug")


def role_of(data: Data) -> str:
    """Return the role of a membership or an invitation in words."""
    return reading.text(data, "role_name") or role_name(reading.text(data, "role"))


def organization(occurrence: Occurrence) -> Facts:
    """Return the facts of an `organization.` event."""
    data, verb = occurrence.data, occurrence.verb
    if verb == "deleted":
        return _deleted(occurrence)
    texts, case, organization_id = {"organization": name_of(data)}, "", reading.text(data, "id")
    if verb == "created":
        creator = reading.text(data, "created_by")
        texts["creator"] = person_of_user(occurrence.before("user", creator)).name
    elif verb == "updated" and (before := occurrence.before("organization", organization_id)):
        changes = _changes(data, before)
        texts["changed"] = ", ".join(changes)
        if len(changes) == 1 and _METADATA not in changes:
            case = "renamed" if changes == ["name"] else "one"
            texts |= _told(changes[0], data, before)
    return Facts(texts=texts, case=case, ids={"organization": organization_id})


def _deleted(occurrence: Occurrence) -> Facts:
    """Its last name is an earlier event's; the id stands beside that, for it is in lists of one's own."""
    organization_id, slug = reading.text(occurrence.data, "id"), reading.text(occurrence.data, "slug")
    before = occurrence.before("organization", organization_id)
    return Facts(
        texts={"organization": name_of(before) or slug, "members": reading.count(before, "members_count")},
        ids={"organization": organization_id},
        details=(organization_id,) if name_of(before) else (),
    )


def _changes(now: Data, before: Data) -> list[str]:
    return [name for name, look in _ASPECTS.items() if look(now) != look(before)]


def _told(changed: str, now: Data, before: Data) -> dict[str, str]:
    """Return the texts of a single change; of some only their name can be told."""
    if changed in _TOLD:
        return {
            "before": _ASPECTS[changed](before),
            f"new_{changed.replace(' ', '_')}": _ASPECTS[changed](now),
        }
    return {}


_METADATA, _TOLD = "metadata", ("name", "member limit")

_ASPECTS: Mapping[str, Callable[[Data], str]] = {
    "name": lambda data: reading.text(data, "name"),
    "slug": lambda data: reading.text(data, "slug"),
    "logo": lambda data: reading.text(data, "image_url") if reading.value(data, "has_image") is True else "",
    "member limit": lambda data: reading.count(data, "max_allowed_memberships"),
    _METADATA: lambda data: reading.canonical(
        [reading.value(data, key) for key in ("public_metadata", "private_metadata")]
    ),
}
"""What of an organization may change, by its name in messages, and the text to compare it by."""


def domain(occurrence: Occurrence) -> Facts:
    """Return the facts of an `organizationDomain.` event."""
    data, domain_id = occurrence.data, reading.text(occurrence.data, "id")
    details: tuple[str, ...] = ()
    if occurrence.verb == "deleted":
        data, details = occurrence.before("organizationDomain", domain_id), (domain_id,)
    enrollment = reading.text(data, "enrollment_mode")
    return Facts(
        texts={
            "domain": reading.text(data, "name"),
            "organization": name_of(reading.mapping(data, "public_organization_data")),
            "enrollment": capitalised(word("enrollment", enrollment)),
        },
        case=_verification(data),
        ids={} if details else {"domain": domain_id, "organization": reading.text(data, "organization_id")},
        details=details,
    )


def _verification(data: Data) -> str:
    """Return the status of a domain's verification where this event brought it; empty where it is older."""
    for key in ("ownership_verification", "affiliation_verification", "verification"):
        status = reading.text(data, key, "status")
        if status == "verified":
            at, updated = reading.moment(data, key, "verified_at"), reading.moment(data, "updated_at")
            return status if at is None or updated is None or updated - at <= _AT_ONCE else ""
        if status in ("failed", "expired"):
            return status
    return ""


def membership(occurrence: Occurrence) -> Facts:
    """Return the facts of an `organizationMembership.` event."""
    data = occurrence.data
    team = reading.mapping(data, "organization")
    person = person_in_public(reading.mapping(data, "public_user_data"))
    membership_id, role = reading.text(data, "id"), role_of(data)
    texts = {
        **person.texts,
        "organization": name_of(team),
        "role": role,
        "members": reading.count(team, "members_count"),
    }
    if occurrence.verb == "updated":
        texts["before"] = role_of(occurrence.before("organizationMembership", membership_id))
    has_new_role = role and texts.get("before", role) not in ("", role)
    return Facts(
        texts=texts,
        case="role" if has_new_role else "",
        ids={"person": person.id or membership_id, "organization": reading.text(team, "id")},
    )
