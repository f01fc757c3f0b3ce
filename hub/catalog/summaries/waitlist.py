"""The waitlist."""

from __future__ import annotations

from hub.catalog.summaries import reading
from hub.catalog.summaries.facts import Facts, Occurrence


def entry(occurrence: Occurrence) -> Facts:
    """Return the facts of a `waitlistEntry.` event."""
    data = occurrence.data
    return Facts(
        texts={"email": reading.text(data, "email_address")},
        case=reading.text(data, "status"),
        ids={"email": reading.text(data, "id")},
    )
