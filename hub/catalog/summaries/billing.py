"""Billing: subscriptions, their items, and attempts to be paid."""

from __future__ import annotations

from datetime import tzinfo
from typing import Any

from hub.catalog.money import money
from hub.catalog.summaries import reading
from hub.catalog.summaries.facts import Data, Facts, Occurrence
from hub.catalog.summaries.people import full_name
from hub.catalog.words import spoken, word
from hub.humanize import capitalised, enumerated

_CURRENT = ("active", "past_due", "canceled")
"""The statuses of items that a customer has now: a canceled one lasts until its period ends."""


def _payer(data: Data) -> tuple[dict[str, str], str]:
    """Return the payer's texts, and the id that stands in for a name."""
    payer = reading.mapping(data, "payer")
    email = reading.text(payer, "email")
    name = reading.text(payer, "organization_name") or full_name(payer) or email
    ids = [reading.text(payer, key) for key in ("organization_id", "user_id", "id")]
    ids += [reading.text(data, key) for key in ("payer_id", "id")]
    texts = {"payer": name, "email": "" if name == email else email}
    return texts, next(filter(None, ids), "")


def _plan(item: Data) -> str:
    return reading.text(item, "plan", "name") or reading.text(item, "plan", "slug")


def _plans(items: list[Data]) -> str:
    return enumerated(list(dict.fromkeys(filter(None, map(_plan, items)))))


def _price(item: Data) -> str:
    """Return the price of an item's plan: "49.00 USD a month", or "free"."""
    plan = reading.mapping(item, "plan")
    if _is_free(item):
        return "free"
    amount = money(reading.value(plan, "amount"), reading.value(plan, "currency"))
    return f"{amount} {_interval(item)}".strip() if amount else ""


def _interval(item: Data) -> str:
    interval = reading.text(item, "interval")
    known = word("intervals", interval)
    return f"per {known}" if known == interval and interval else known


def _is_free(item: Data) -> bool:
    amount: Any = reading.value(item, "plan", "amount")
    return amount == 0 and not isinstance(amount, bool)


def subscription(occurrence: Occurrence) -> Facts:
    """Return the facts of a `subscription.` event."""
    data = occurrence.data
    payer, payer_id = _payer(data)
    items = reading.items(data, "items")
    current = [item for item in items if reading.text(item, "status") in _CURRENT] or items
    coming = [item for item in items if reading.text(item, "status") == "upcoming" and item not in current]
    return Facts(
        texts={
            **payer,
            "plan": _plans(current),
            "price": enumerated(list(dict.fromkeys(filter(None, map(_price, current))))),
            "next": enumerated([text for item in coming if (text := _coming(item, occurrence.zone))]),
        },
        case="free" if current and all(map(_is_free, current)) else "",
        ids={"payer": payer_id},
    )


def _coming(item: Data, zone: tzinfo) -> str:
    plan, price, day = _plan(item), _price(item), reading.date(zone, item, "period_start")
    return " ".join(filter(None, (plan or "a plan", price and f"({price})", day and f"on {day}")))


def item(occurrence: Occurrence) -> Facts:
    """Return the facts of a `subscriptionItem.` event."""
    data, zone = occurrence.data, occurrence.zone
    payer, payer_id = _payer(data)
    is_trial = reading.value(data, "is_free_trial") is True
    return Facts(
        texts={
            **payer,
            "plan": _plan(data),
            "price": _price(data),
            "start": reading.date(zone, data, "period_start"),
            "end": reading.date(zone, data, "period_end"),
        },
        case="trial" if is_trial else "free" if _is_free(data) else "",
        ids={"payer": payer_id},
    )


def payment(occurrence: Occurrence) -> Facts:
    """Return the facts of a `paymentAttempt.` event."""
    data = occurrence.data
    payer, payer_id = _payer(data)
    return Facts(
        texts={
            **payer,
            "amount": _amount(reading.mapping(data, "totals", "grand_total")),
            "reason": _reason(reading.mapping(data, "failed_reason")),
            "card": _card(reading.mapping(data, "payment_source")),
            "plan": _plans(reading.items(data, "subscription_items")),
        },
        case=reading.text(data, "status"),
        ids={"payer": payer_id},
        details=(capitalised(spoken(reading.text(data, "charge_type"))),),
    )


def _amount(total: Data) -> str:
    """Return a total as Clerk writes it, which has no currency, with that."""
    formatted, currency = reading.text(total, "amount_formatted"), reading.text(total, "currency").upper()
    if formatted:
        return f"{formatted} {currency}".strip()
    return money(reading.value(total, "amount"), currency)


def _reason(failure: Data) -> str:
    code = reading.text(failure, "decline_code") or reading.text(failure, "code")
    return word("decline_codes", code)


def _card(source: Data) -> str:
    """Return `Visa ending 4242`, or `Link`, which has no digits."""
    if reading.text(source, "payment_method") == "link":
        return word("cards", "link")
    brand, digits = (
        capitalised(word("cards", reading.text(source, "card_type"))),
        reading.text(source, "last4"),
    )
    return " ".join(filter(None, (brand, digits and f"ending {digits}")))
