"""Sessions: signing in and out."""

from __future__ import annotations

from hub.catalog.summaries import reading
from hub.catalog.summaries.facts import Data, Facts, Occurrence
from hub.catalog.summaries.people import person_of_user
from hub.catalog.words import word


def session(occurrence: Occurrence) -> Facts:
    """Return the facts of a `session.` event."""
    data = occurrence.data
    person = person_of_user(reading.mapping(data, "user"))
    activity = reading.mapping(data, "latest_activity")
    is_impersonated = reading.value(data, "actor") and occurrence.verb == "created"
    return Facts(
        texts={**person.texts, "place": _place(activity), "device": _device(activity)},
        case="impersonated" if is_impersonated else reading.text(data, "status"),
        ids={"person": person.id or reading.text(data, "user_id") or reading.text(data, "id")},
        details=(reading.text(activity, "ip_address"),),
    )


def _place(activity: Data) -> str:
    city, country = reading.text(activity, "city"), reading.text(activity, "country")
    return ", ".join(filter(None, (city, word("countries", country))))


def _device(activity: Data) -> str:
    browser, device = reading.text(activity, "browser_name"), reading.text(activity, "device_type")
    return " on ".join(filter(None, (browser, word("devices", device))))
