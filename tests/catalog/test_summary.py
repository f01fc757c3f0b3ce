"""The built-in message of every event, case by case."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from summaries import BERLIN, WHEN, Stored, data_of, event, of_data, of_sample, row

from hub import catalog
from hub.model.summary import Tone

NAMES = catalog.event_types()

USER = data_of("user.created")["id"]
WALLET = "0x71C7656EC7ab88b098defB751B7401B5f6d8976F"
NAMELESS = {"first_name": None, "last_name": None, "username": None}
MARA = {
    "first_name": "Mara",
    "last_name": "Lindqvist",
    "username": None,
    "email_addresses": [{"id": "idn_1", "email_address": "mara@example.org"}],
    "primary_email_address_id": "idn_1",
}
NO_CONTACT = {"email_addresses": [], "phone_numbers": []}
ADMIN = {"verification": {"status": "verified", "strategy": "admin"}}
PINE = data_of("organization.created")
ORGANIZATION, TOMAS = PINE["id"], PINE["created_by"]
NOOR = {"email_address": "noor.haddad@example.org"}
INVITED = {**NOOR, "public_inviter_data.first_name": "Tomas", "expires_at": 1783872000000}
TOMAS_TEXT = "tomas.okafor@example.com"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (MARA, ("good", "Mara Lindqvist signed up", "Email mara@example.org · Signed up with Google", "")),
        ({**MARA, **NAMELESS}, ("good", "mara@example.org signed up", "Signed up with Google", "")),
        (
            {**NAMELESS, **NO_CONTACT, "phone_numbers": [{"phone_number": "+46701740605"}],
             "external_accounts": []},
            ("good", "+46701740605 signed up", "", ""),
        ),
        (
            {**NAMELESS, **NO_CONTACT, "external_accounts": [], "web3_wallets": [{"web3_wallet": WALLET}]},
            ("good", "0x71C7…976F signed up", "Signed up with Wallet", ""),
        ),
        ({**NAMELESS, **NO_CONTACT, "external_accounts": []}, ("good", "A user signed up", "", USER)),
        (
            {**MARA, "external_accounts": [], "email_addresses[0].verification": ADMIN["verification"],
             "phone_numbers": []},
            ("good", "Mara Lindqvist was added", "Email mara@example.org", ""),
        ),
        ({**MARA, "external_accounts": [], "phone_numbers": []},
         ("good", "Mara Lindqvist signed up", "Email mara@example.org", "")),
        ({**MARA, **NAMELESS, "username": "mara"},
         ("good", "mara signed up", "Email mara@example.org · Signed up with Google", "")),
        ({**MARA, "last_name": ""},
         ("good", "Mara signed up", "Email mara@example.org · Signed up with Google", "")),
        ({"email_addresses": [], "external_accounts": []},
         ("good", "Mara Lindqvist signed up", "Phone +15555550142", "")),
        ({**NAMELESS, **NO_CONTACT, "external_accounts[0].provider": "saml_okta"},
         ("good", "mara.home@example.org signed up", "Signed up with Single sign-on", "")),
    ],
)  # fmt: skip
def test_a_new_user_is_called_by_the_best_name_there_is(changes: Any, expected: Any) -> None:
    assert row(of_sample("user.created", changes)) == expected


def user(**changes: Any) -> dict[str, Any]:
    return {**data_of("user.created"), **MARA, **changes}


NEW_EMAIL = {"email_addresses": [{"id": "idn_1", "email_address": "mara@new.example"}]}


@pytest.mark.parametrize(
    ("now", "before", "expected"),
    [
        (
            user(**NEW_EMAIL),
            user(),
            ("plain", "Mara Lindqvist changed their email address",
             "Email mara@new.example · Before mara@example.org", ""),
        ),
        (
            user(**NAMELESS, **NEW_EMAIL),
            user(**NAMELESS),
            ("plain", "mara@new.example changed their email address", "Before mara@example.org", ""),
        ),
        (
            user(first_name="Mary", phone_numbers=[], two_factor_enabled=True),
            user(),
            ("plain", "Mary Lindqvist's account changed",
             "Changed name, phone number, two-step verification", ""),
        ),
        (user(last_sign_in_at=2), user(), ("plain", "Mara Lindqvist's account changed", "", "")),
        (user(), None, ("plain", "Mara Lindqvist's account changed", "", "")),
        (
            user(banned=True),
            user(),
            ("watch", "Mara Lindqvist was banned", "Email mara@example.org", ""),
        ),
        (user(banned=True), None, ("watch", "Mara Lindqvist was banned", "Email mara@example.org", "")),
        (
            user(banned=True, public_metadata={}),
            user(banned=True),
            ("plain", "Mara Lindqvist's account changed", "Changed metadata", ""),
        ),
        (
            user(),
            user(banned=True),
            ("plain", "Mara Lindqvist is no longer banned", "Email mara@example.org", ""),
        ),
        (
            user(locked=True),
            user(),
            ("watch", "Mara Lindqvist was locked after failed sign-ins", "Email mara@example.org", ""),
        ),
        (
            user(),
            user(locked=True),
            ("plain", "Mara Lindqvist is no longer locked", "Email mara@example.org", ""),
        ),
        (
            user(two_factor_enabled=True),
            user(),
            ("plain", "Mara Lindqvist turned on two-step verification", "Email mara@example.org", ""),
        ),
        (
            user(),
            user(two_factor_enabled=True),
            ("watch", "Mara Lindqvist turned off two-step verification", "Email mara@example.org", ""),
        ),
        (
            user(last_name="Berg"),
            user(),
            ("plain", "Mara Berg changed their name from Mara Lindqvist", "Email mara@example.org", ""),
        ),
        (
            user(username="mara_l"),
            user(),
            ("plain", "Mara Lindqvist added their username", "Email mara@example.org · Username mara_l", ""),
        ),
        (
            user(phone_numbers=[]),
            user(),
            ("plain", "Mara Lindqvist removed their phone number",
             "Email mara@example.org · Before +15555550142", ""),
        ),
        (
            user(password_enabled=True, password_last_updated_at=2),
            user(password_enabled=True, password_last_updated_at=1),
            ("plain", "Mara Lindqvist changed their password", "Email mara@example.org", ""),
        ),
        (
            user(image_url="https://img.clerk.com/b", has_image=False),
            user(image_url="https://img.clerk.com/a", has_image=False),
            ("plain", "Mara Lindqvist's account changed", "", ""),
        ),
        (
            user(image_url="https://img.clerk.com/b"),
            user(),
            ("plain", "Mara Lindqvist changed their picture", "Email mara@example.org", ""),
        ),
        (
            user(email_addresses=[*MARA["email_addresses"], {"id": "b", "email_address": "b@example.org"}]),
            user(),
            ("plain", "Mara Lindqvist changed their email addresses",
             "Email mara@example.org · Emails b@example.org, mara@example.org · Before mara@example.org",
             ""),
        ),
        (
            user(external_accounts=[]),
            user(),
            ("plain", "Mara Lindqvist changed their sign-in methods",
             "Email mara@example.org · Before Google", ""),
        ),
        (user(username="a", banned="yes"), "x", ("plain", "Mara Lindqvist's account changed", "", "")),
    ],
)  # fmt: skip
def test_a_changed_user_is_told_with_what_changed(now: Any, before: Any, expected: Any) -> None:
    earlier = Stored({("user", USER): before})

    assert row(of_data("user.updated", now, earlier=earlier)) == expected
    assert earlier.asked == [("user", USER)]


DELETED = {"object": "user", "id": USER, "deleted": True}


@pytest.mark.parametrize(
    ("name", "data", "before", "expected"),
    [
        ("user.deleted", DELETED, ("user", user()),
         ("plain", "Mara Lindqvist's account was deleted", "Email mara@example.org", USER)),
        ("user.deleted", DELETED, None, ("plain", "A user was deleted", "", USER)),
        ("user.deleted", DELETED, ("user", DELETED), ("plain", "A user was deleted", "", USER)),
        ("user.deleted", {**DELETED, "external_id": "customer-8812"}, None,
         ("plain", "A user was deleted", "Your id customer-8812", USER)),
        ("organization.deleted", {"id": ORGANIZATION}, ("organization", {**PINE, "members_count": 14}),
         ("watch", "Harbor & Pine was deleted", "Members 14", ORGANIZATION)),
        ("organization.deleted", {"id": ORGANIZATION}, None,
         ("watch", "An organization was deleted", "", ORGANIZATION)),
        ("organization.deleted", {"id": ORGANIZATION, "slug": "harbor"}, None,
         ("watch", "harbor was deleted", "", "")),
        ("organizationDomain.deleted", {"id": "orgdmn_1"},
         ("organizationDomain", data_of("organizationDomain.created", {"name": "harborpine.example"})),
         ("plain", "harborpine.example was removed from Harbor & Pine", "", "orgdmn_1")),
        ("organizationDomain.deleted", {"id": "orgdmn_1"}, None,
         ("plain", "A domain was removed from an organization", "", "orgdmn_1")),
        ("role.deleted", {"id": "role_1"}, ("role", {"name": "Bookkeeper", "permissions": []}),
         ("plain", "The role Bookkeeper was deleted", "", "role_1")),
        ("role.deleted", {"id": "role_1"}, None, ("plain", "A role was deleted", "", "role_1")),
        ("permission.deleted", {"id": "perm_2xY"}, ("permission", {"key": "org:billing:read"}),
         ("plain", "The permission Billing read was deleted", "", "perm_2xY")),
        ("permission.deleted", {"id": "perm_2xY"}, None,
         ("plain", "A permission was deleted", "", "perm_2xY")),
    ],
)  # fmt: skip
def test_what_was_deleted_is_called_by_its_last_name(
    name: str, data: Any, before: Any, expected: Any
) -> None:
    earlier = Stored({(before[0], data["id"]): before[1]} if before else {})

    assert row(of_data(name, data, earlier=earlier)) == expected
    assert earlier.asked == [(name.partition(".")[0], data["id"])]


@pytest.mark.parametrize(
    ("name", "changes", "expected"),
    [
        (
            "session.created",
            {"latest_activity.city": "Hamburg", "latest_activity.country": "DE",
             "latest_activity.browser_name": "Chrome"},
            ("plain", "Mara Lindqvist signed in", "Where Hamburg, Germany · With Chrome on a Mac",
             "203.0.113.24"),
        ),
        ("session.created", {"latest_activity": None}, ("plain", "Mara Lindqvist signed in", "", "")),
        (
            "session.created",
            {"latest_activity": {"country": "Atlantis", "device_type": "Toaster"}, "user": None},
            ("plain", "A user signed in", "Where Atlantis · With Toaster", USER),
        ),
        ("session.created", {"latest_activity": None, "actor": {"sub": "user_1"}},
         ("watch", "Somebody signed in as Mara Lindqvist", "", "")),
        ("session.revoked", {"latest_activity.browser_name": "Chrome", "latest_activity.ip_address": ""},
         ("watch", "Mara Lindqvist's session was revoked", "With Chrome on a Mac", "")),
        ("session.updated", {"status": "expired", "latest_activity": None},
         ("plain", "Mara Lindqvist's session expired", "", "")),
        ("organization.created", {}, ("good", "Harbor & Pine was created", "", "")),
        (
            "organizationDomain.updated",
            {"name": "harborpine.example"},
            ("good", "harborpine.example was verified for Harbor & Pine",
             "Enrollment New addresses there are invited automatically", ""),
        ),
        (
            "organizationDomain.updated",
            {"verification.verified_at": 1, "affiliation_verification.verified_at": 1},
            ("plain", "harborandpine.example.com of Harbor & Pine was changed",
             "Enrollment New addresses there are invited automatically", ""),
        ),
        (
            "organizationDomain.updated",
            {"verification.status": "failed", "affiliation_verification": None, "enrollment_mode": None},
            ("watch", "harborandpine.example.com could not be verified for Harbor & Pine", "", ""),
        ),
        (
            "organizationInvitation.created",
            INVITED,
            ("plain", "noor.haddad@example.org was invited to Harbor & Pine as Member",
             "By Tomas Okafor · Expires 12 Jul 2026", ""),
        ),
        (
            "organizationInvitation.created",
            {**NOOR, "public_inviter_data": None, "expires_at": None, "data": {}},
            ("plain", "noor.haddad@example.org was invited to an organization as Member", "", ORGANIZATION),
        ),
        (
            "organizationInvitation.created",
            {**NOOR, "role_name": None, "role": "org:billing_manager", "public_inviter_data": None,
             "expires_at": None},
            ("plain", "noor.haddad@example.org was invited to Harbor & Pine as Billing manager", "", ""),
        ),
        (
            "organizationInvitation.accepted",
            INVITED,
            ("good", "noor.haddad@example.org accepted the invitation to Harbor & Pine",
             "Role Member · Invited by Tomas Okafor", ""),
        ),
        (
            "organizationInvitation.revoked",
            NOOR,
            ("plain", "The invitation of noor.haddad@example.org to Harbor & Pine was withdrawn",
             "Role Member", ""),
        ),
        ("invitation.created", NOOR, ("plain", "noor.haddad@example.org was invited", "", "")),
        (
            "organizationMembership.created",
            {"public_user_data.first_name": "Kofi", "public_user_data.last_name": "Mensah",
             "public_user_data.identifier": "kofi@example.com", "organization.members_count": 15,
             "role": "org:member", "role_name": "Member"},
            ("good", "Kofi Mensah joined Harbor & Pine as Member", "Email kofi@example.com · Members 15", ""),
        ),
        (
            "organizationMembership.created",
            {"public_user_data": {"user_id": "user_1"}, "organization": {"id": "org_1"}},
            ("good", "A user joined an organization as Admin", "", "user_1 · org_1"),
        ),
        ("organizationMembership.updated", {}, ("plain", "June's membership of Harbor & Pine changed",
         "Role Member", "")),
        ("organizationMembership.deleted", {"role_name": "Member"},
         ("plain", "June left Harbor & Pine", "Role was Member", "")),
        ("waitlistEntry.created", NOOR, ("good", "noor.haddad@example.org joined the waitlist", "", "")),
        ("waitlistEntry.updated", NOOR,
         ("good", "noor.haddad@example.org was invited from the waitlist", "", "")),
        ("waitlistEntry.updated", {**NOOR, "status": "completed"},
         ("good", "noor.haddad@example.org signed up from the waitlist", "", "")),
        ("waitlistEntry.updated", {**NOOR, "status": "rejected"},
         ("plain", "noor.haddad@example.org was turned down", "", "")),
        ("waitlistEntry.updated", {**NOOR, "status": ["new"]},
         ("plain", "noor.haddad@example.org's waitlist entry changed", "", "")),
        (
            "paymentAttempt.updated",
            {},
            ("bad", "Payment of 49.00 USD by Harbor & Pine failed: not enough money on the card",
             f"Card Visa ending 4242 · Plan Team · Email {TOMAS_TEXT}", "Recurring"),
        ),
        (
            "paymentAttempt.updated",
            {"failed_reason": None, "payment_source.payment_method": "link", "charge_type": "checkout"},
            ("bad", "Payment of 49.00 USD by Harbor & Pine failed",
             f"Card Link · Plan Team · Email {TOMAS_TEXT}", "Checkout"),
        ),
        (
            "paymentAttempt.updated",
            {"failed_reason": {"code": "some_new_code", "decline_code": ""}, "payer": {"email": TOMAS_TEXT},
             "payment_source": None, "subscription_items": [], "charge_type": None},
            ("bad", f"Payment of 49.00 USD by {TOMAS_TEXT} failed: some new code", "", ""),
        ),
        (
            "paymentAttempt.updated",
            {"failed_reason.decline_code": "stolen_card", "totals.grand_total.amount_formatted": None,
             "totals.grand_total.currency": "jpy", "payment_source.card_type": "amex",
             "payer.email": None, "charge_type": None},
            ("bad", "Payment of 4,900 JPY by Harbor & Pine failed: the bank declined the card",
             "Card American Express ending 4242 · Plan Team", ""),
        ),
        ("paymentAttempt.updated", {"status": "paid"},
         ("good", "Harbor & Pine paid 49.00 USD", "Plan Team · Card Visa ending 4242", "Recurring")),
        (
            "paymentAttempt.created",
            {},
            ("plain", "A payment of 49.00 USD by Harbor & Pine began", "Plan Team", "Checkout"),
        ),
        (
            "subscription.created",
            {"items[0].plan.name": "Team", "items[0].plan.amount": 4900},
            ("good", "Harbor & Pine subscribed to Team", "Price 49.00 USD a month", ""),
        ),
        ("subscription.created", {}, ("plain", "Harbor & Pine started on Free", "", "")),
        ("subscription.created", {"items[0].plan.name": "Starter"},
         ("plain", "Harbor & Pine started on Starter", "Price free", "")),
        (
            "subscription.pastDue",
            {},
            ("bad", "Harbor & Pine's subscription is overdue",
             f"Plan Team · Price 49.00 USD a month · Email {TOMAS_TEXT}", ""),
        ),
        (
            "subscription.updated",
            {},
            ("plain", "Harbor & Pine's subscription changed",
             "Plan Team · Price 49.00 USD a month · Next Team (490.00 USD a year) on 10 Jul 2026", ""),
        ),
        (
            "subscriptionItem.freeTrialEnding",
            {"period_end": 1781456400000},
            ("watch", "Harbor & Pine's trial of Team ends on 14 Jun 2026",
             f"Then 49.00 USD a month · Email {TOMAS_TEXT}", ""),
        ),
        (
            "subscriptionItem.canceled",
            {"period_end": 1782813600000},
            ("watch", "Harbor & Pine canceled Team",
             "Runs until 30 Jun 2026 · Price 49.00 USD a month", ""),
        ),
        ("subscriptionItem.upcoming", {"period_start": 1782813600000},
         ("plain", "Harbor & Pine moves to Free on 30 Jun 2026", "", "")),
        ("subscriptionItem.active", {"is_free_trial": True, "interval": "annual"},
         ("good", "Harbor & Pine began a trial of Team", "Ends 10 Jul 2026 · Then 49.00 USD a year", "")),
        ("subscriptionItem.active", {"plan": None, "payer": None},
         ("good", "A customer is now on a plan", "", data_of("subscriptionItem.active")["id"])),
        ("subscriptionItem.ended", {"interval": "fortnight", "plan.currency": "KWD"},
         ("plain", "Harbor & Pine's time on Team ended", "Price 4.900 KWD per fortnight", "")),
        ("role.updated", {"description": None, "permissions": [{}, {}, {}, {}]},
         ("plain", "The role Bookkeeper was changed", "Permissions 4", "")),
        (
            "email.created",
            {"to_email_address": "mara@example.com"},
            ("plain", "Clerk mailed a verification code to mara@example.com", "", ""),
        ),
        (
            "email.created",
            {"to_email_address": "mara@example.com", "delivered_by_clerk": False},
            ("bad", "A verification code for mara@example.com was not sent: Clerk left it to you",
             "What to do add the relay route, docs/relay.md", ""),
        ),
        ("email.created", {"to_email_address": "mara@example.com", "slug": "organization_invitation"},
         ("plain", "Clerk mailed an invitation to an organization to mara@example.com", "", "")),
        ("email.created", {"to_email_address": "mara@example.com", "slug": "odd_new_mail"},
         ("plain", "Clerk mailed an odd new mail to mara@example.com", "", "")),
        ("email.created", {"to_email_address": None, "slug": None},
         ("plain", "Clerk mailed a message to somebody", "", USER)),
        (
            "sms.created",
            {"to_phone_number": "+46701740605"},
            ("plain", "Clerk texted a verification code to +46701740605", "", ""),
        ),
        ("hub.test", None, ("plain", "Test message from your hub to team", "",
         "[TEST] It works; nothing to do")),
        ("order.paid", None, ("plain", "Order paid: A-1042",
         "Total 49 · Past due yes · Status waiting for bank · Paid at 12 Jun 2026, 19:12 CEST", "")),
    ],
)  # fmt: skip
def test_the_message_says_who_and_what(name: str, changes: Any, expected: Any) -> None:
    data = OTHER.get(name) or data_of(name, changes)

    assert row(of_data(name, data)) == expected


OTHER = {
    "hub.test": {"destination": "team"},
    "order.paid": {
        "id": "ord_1",
        "object": "order",
        "number": "A-1042",
        "customer_id": "cus_1",
        "lines": [{"sku": 1}],
        "total": 49,
        "secret": "s",
        "image_url": "https://img.example/a.png",
        "past_due": True,
        "note": "",
        "status": "waiting_for_bank",
        "paid_at": 1781284320000,
        "more": 5,
    },
}


@pytest.mark.parametrize(
    ("name", "data", "kind", "before", "expected"),
    [
        ("organization.created", PINE, ("user", TOMAS), user(first_name="Tomas", last_name="Okafor"),
         ("good", "Harbor & Pine was created", "By Tomas Okafor", "")),
        ("organization.updated", {**PINE, "name": "Pine"}, ("organization", ORGANIZATION), PINE,
         ("plain", "Pine changed its name from Harbor & Pine", "", "")),
        ("organization.updated", {**PINE, "max_allowed_memberships": 50},
         ("organization", ORGANIZATION), PINE,
         ("plain", "Harbor & Pine changed its member limit", "Member limit 50 · Before 25", "")),
        ("organization.updated", {**PINE, "slug": "p", "public_metadata": {"a": 1}},
         ("organization", ORGANIZATION), PINE,
         ("plain", "Harbor & Pine was changed", "Changed slug, metadata", "")),
        ("organization.updated", {**PINE, "public_metadata": {"a": 1}}, ("organization", ORGANIZATION), PINE,
         ("plain", "Harbor & Pine was changed", "Changed metadata", "")),
        ("organization.updated", PINE, ("organization", ORGANIZATION), PINE,
         ("plain", "Harbor & Pine was changed", "", "")),
        ("organizationMembership.updated", data_of("organizationMembership.created"),
         ("organizationMembership", data_of("organizationMembership.created")["id"]), {"role": "org:member"},
         ("plain", "June is now Admin of Harbor & Pine", "Before Member", "")),
        ("organizationMembership.updated", data_of("organizationMembership.created"),
         ("organizationMembership", data_of("organizationMembership.created")["id"]),
         {"role": "org:admin", "role_name": "Admin"},
         ("plain", "June's membership of Harbor & Pine changed", "Role Admin", "")),
    ],
)  # fmt: skip
def test_an_earlier_event_says_more(name: str, data: Any, kind: Any, before: Any, expected: Any) -> None:
    earlier = Stored({kind: before})

    assert row(of_data(name, data, earlier=earlier)) == expected
    assert earlier.asked == [kind]


ASKING = {
    "organization.created",
    "organization.deleted",
    "organization.updated",
    "organizationDomain.deleted",
    "organizationMembership.updated",
    "permission.deleted",
    "role.deleted",
    "user.deleted",
    "user.updated",
}


@pytest.mark.parametrize("name", NAMES)
def test_earlier_events_are_looked_for_once_where_they_can_say_more(name: str) -> None:
    earlier = Stored()
    of_sample(name, earlier=earlier)

    assert len(earlier.asked) == (name in ASKING)


def test_an_object_without_an_id_is_not_looked_for() -> None:
    earlier = Stored()
    for name in ASKING:
        of_data(name, {}, earlier=earlier)

    assert earlier.asked == []


def test_a_summary_has_its_subject_and_its_moment() -> None:
    summary = of_sample("session.created", MARA and {"user": user()})

    assert summary.about == "Mara Lindqvist, mara@example.org"
    assert (summary.time, summary.note) == (WHEN, f"203.0.113.24 · {WHEN}")
    assert summary.at == datetime(2026, 6, 12, 17, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "text"),
    [
        (UTC, "10 Jun 2026, 17:12 UTC"),
        (BERLIN, "10 Jun 2026, 19:12 CEST"),
        (ZoneInfo("America/Sao_Paulo"), "10 Jun 2026, 14:12 UTC-03"),
    ],
)
def test_the_time_is_that_of_its_readers(zone: Any, text: str) -> None:
    sample = event("user.created", catalog.sample_payload("user.created"))

    assert catalog.summarise(sample, zone).time == text


# -- strangers' text --------------------------------------------------------------------------------

LONG = "Maximilian von Hohenlohe-Langenburg zu Schillingsfürst und Waldenburg "


def member(first: str, organization: str, **changes: Any) -> Any:
    changes = {"public_user_data.first_name": first, "organization.name": organization, **changes}
    return of_sample("organizationMembership.created", changes)


def test_a_long_name_is_cut_and_not_the_sentence() -> None:
    summary = member(LONG * 60, "Harbor & Pine")

    assert summary.headline == f"{LONG[:59].rstrip()}… joined Harbor & Pine as Admin"
    assert len(summary.about) == 80


def test_where_all_is_long_all_is_cut() -> None:
    summary = member("A" * 4000, "B" * 4000, role_name="C" * 4000)

    assert summary.headline == f"{'A' * 35}… joined {'B' * 35}… as {'C' * 35}…"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a\r\nb\x00\u202ec\u2028d", "a b c d"),
        ("\u202e \ud83d", "june@example.com"),
        ("👩\u200d🚀 क्\u200dष", "👩\u200d🚀 क्\u200dष"),
        ("{person} [x] {0}", "{person} [x] {0}"),
        ("a\u200db", "ab"),
    ],
)
def test_a_name_is_one_line_of_what_is_seen(name: str, shown: str) -> None:
    assert member(name, "Pine").headline == f"{shown} joined Pine as Admin"


def test_a_secret_quoted_in_another_field_is_masked() -> None:
    url = "https://accounts.example.com/accept?ticket=abc"
    summary = of_sample("invitation.created", {"url": url, "email_address": f"see {url}"})

    assert summary.headline == "see •••••• was invited"


@pytest.mark.parametrize(
    ("name", "headline"),
    [
        ("thing.happened", "Thing happened"),
        ("bigThing.wentWrong", "Big thing went wrong"),
        ("snake_case.event", "Snake case event"),
        ("a\nb", "A b"),
        ("...", "Event"),
    ],
)
def test_an_unknown_type_is_told_in_its_own_words(name: str, headline: str) -> None:
    assert of_data(name, {}).headline == headline


def test_an_unknown_type_tells_nothing_that_smells_of_a_secret() -> None:
    smelly = ("api_token", "clientSecret", "PASSWORD", "otp", "resetCode", "url", "api_key", "magic_link")

    assert of_data("thing.happened", {**dict.fromkeys(smelly, "s"), "fine": "yes"}).fields == (
        ("Fine", "yes"),
    )


# -- whatever comes ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "payload",
    [b"", b"[]", b"null", b'{"data": 1}', b'{"data": ' + b"1" * 5000 + b"}", b"\xff\xfe"],
)
def test_a_payload_that_is_no_event_still_has_a_headline(payload: bytes) -> None:
    assert catalog.summarise(event("user.created", payload)).headline == "A user signed up"


@pytest.mark.usefixtures("nothing_left_over")
def test_a_payload_that_nests_without_end_still_has_a_headline() -> None:
    assert catalog.summarise(event("user.created", b"[" * 100_000)).headline == "A user signed up"


KEYS = st.text(st.characters(), max_size=8) | st.sampled_from(
    ["amount", "amount_formatted", "created_at", "currency", "data", "email_addresses", "findings",
     "first_name", "grand_total", "headline", "id", "items", "latest_activity", "over", "payer",
     "period_end", "plan", "primary_email_address_id", "role", "severity", "since", "status", "subject",
     "totals", "url", "user"]
)  # fmt: skip
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=10**300, max_value=10**301)
    | st.floats()
    | st.text(st.characters(), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=8),
    max_leaves=25,
)


@given(name=st.sampled_from([*NAMES, "hub.test", "hub.problem"]) | st.text(max_size=20), data=JSON)
def test_any_data_has_a_summary_of_short_single_lines(name: str, data: Any) -> None:
    check(of_data(name, data))


@given(choice=st.data(), name=st.sampled_from(NAMES), value=JSON)
def test_a_sample_with_anything_at_any_place_has_a_summary(choice: Any, name: str, value: Any) -> None:
    fields = catalog.fields_of(catalog.find_event_type(name))  # type: ignore[arg-type]
    path = choice.draw(st.sampled_from(sorted({field.path for field in fields if "[]" not in field.path})))
    path = "data.data" if path.startswith("data.data.") else path

    body = json.loads(catalog.sample_payload(name, {path: value}))
    check(catalog.summarise(event(name, body), BERLIN, Stored({("user", USER): value})))


def check(summary: Any) -> None:
    lengths = [(summary.headline, 120), (summary.about, 80)]
    lengths += [pair for label, value in summary.fields for pair in ((label, 20), (value, 120))]
    assert len(summary.fields) <= 4
    assert isinstance(summary.tone, Tone)
    for text, limit in lengths:
        assert text
        assert len(text) <= limit
        assert text.splitlines() == [text]
        assert not any(ord(char) < 32 for char in text)
        text.encode()
