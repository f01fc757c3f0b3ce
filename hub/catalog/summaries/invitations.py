"""Invitations, to the application and to organizations."""

from __future__ import annotations

from hub.catalog.summaries import reading
from hub.catalog.summaries.facts import Facts, Occurrence
from hub.catalog.summaries.organizations import name_of, role_of
from hub.catalog.summaries.people import person_in_public


def of_application(occurrence: Occurrence) -> Facts:
    """Return the facts of an `invitation.` event."""
    data = occurrence.data
    return Facts(
        texts={"email": reading.text(data, "email_address")}, ids={"email": reading.text(data, "id")}
    )


def of_organization(occurrence: Occurrence) -> Facts:
    """Return the facts of an `organizationInvitation.` event."""
    data = occurrence.data
    organization = reading.mapping(data, "data", "public_organization_data")
    organization_id = reading.text(data, "organization_id") or reading.text(organization, "id")
    return Facts(
        texts={
            "email": reading.text(data, "email_address"),
            "organization": name_of(organization),
            "role": role_of(data),
            "inviter": person_in_public(reading.mapping(data, "public_inviter_data")).name,
            "expires": reading.date(occurrence.zone, data, "expires_at"),
        },
        ids={"email": reading.text(data, "id"), "organization": organization_id},
    )
