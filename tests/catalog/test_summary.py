"""The built-in message of every event."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub import catalog
from hub.model.event import Event

NAMES = catalog.event_types()


def event(name, body):
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Event(
        id="evt_1",
        source="clerk",
        message_id="msg_1",
        type=name,
        payload=payload,
        received_at=datetime(2026, 6, 10, tzinfo=UTC),
    )


def summary(name, assignments=None):
    return catalog.summarise(event(name, catalog.sample_payload(name, assignments)))


def fields(name, assignments=None):
    return dict(summary(name, assignments).fields)


def of_data(name, data):
    return catalog.summarise(event(name, {"type": name, "data": data}))


@pytest.mark.parametrize("name", NAMES)
def test_every_event_type_says_something_of_its_sample(name):
    shown = summary(name)

    assert shown.headline
    assert shown.fields
    assert all(label and value for label, value in shown.fields)
    assert len({label for label, _ in shown.fields}) == len(shown.fields)


@pytest.mark.parametrize("name", NAMES)
def test_no_secret_is_shown(name):
    body = catalog.sample(name)
    body["data"]["id"] = "a_real_one"
    text = repr(catalog.summarise(event(name, body)))

    assert not [secret for secret in catalog.secret_values(name, body) if secret in text]


@pytest.mark.parametrize(
    ("name", "assignments", "headline"),
    [
        ("waitlistEntry.created", {}, "New waitlist entry"),
        ("waitlistEntry.updated", {}, "Waitlist entry invited"),
        ("invitation.accepted", {}, "Invitation accepted"),
        ("paymentAttempt.updated", {}, "Payment failed"),
        ("paymentAttempt.updated", {"data.status": "paid"}, "Payment received"),
        ("paymentAttempt.created", {}, "Payment started"),
        ("paymentAttempt.created", {"data.status": "failed"}, "Payment failed"),
        ("paymentAttempt.updated", {"data.status": "something new"}, "Payment settled"),
        ("paymentAttempt.updated", {"data.status": ["paid"]}, "Payment settled"),
        ("paymentAttempt.updated", {"data.status": None}, "Payment settled"),
    ],
)
def test_the_headline_says_what_happened(name, assignments, headline):
    assert summary(name, assignments).headline == headline


WALLET = "0x71C7656EC7ab88b098defB751B7401B5f6d8976F"


def test_a_sign_up_with_nothing_but_a_wallet_is_told_by_it():
    nothing = {f"data.{name}": [] for name in ("email_addresses", "phone_numbers", "external_accounts")}
    nothing |= {"data.first_name": None, "data.last_name": None}
    shown = fields("user.created", {**nothing, "data.web3_wallets": [{"id": "w", "web3_wallet": WALLET}]})

    assert shown["Wallet"] == WALLET


def test_a_new_user_is_told_by_name_and_primary_email():
    assert fields("user.created") == {
        "Name": "Mara Lindqvist",
        "Email": "mara.lindqvist@example.com",
        "Phone": "+15555550142",
        "Signs in with": "oauth_google",
        "Picture": "https://img.clerk.com/preview/user-mara.png",
        "Created": "2026-06-10 17:12 UTC",
        "ID": catalog.sample("user.created")["data"]["id"],
    }


def test_a_failed_payment_is_told_with_its_reason():
    assert fields("paymentAttempt.updated") == {
        "Email": "tomas.okafor@example.com",
        "Organization": "Harbor & Pine",
        "Amount": "49.00 USD",
        "Status": "failed",
        "Charge": "recurring",
        "Reason": "card_declined",
        "Decline code": "insufficient_funds",
        "Card": "visa",
        "Card ends in": "4242",
    }


@pytest.mark.parametrize(
    ("name", "assignments", "label", "value"),
    [
        ("user.created", {"data.last_name": None}, "Name", "Mara"),
        ("user.created", {"data.first_name": None, "data.last_name": ""}, "Name", None),
        ("user.created", {"data.primary_email_address_id": None}, "Email", None),
        ("user.created", {"data.email_addresses": []}, "Email", None),
        ("user.created", {"data.external_accounts": None}, "Signs in with", None),
        ("user.created", {"data.created_at": "yesterday"}, "Created", "yesterday"),
        ("user.created", {"data.created_at": 1781111561}, "Created", "2026-06-10 17:12 UTC"),
        ("organizationMembership.created", {}, "Role", "Admin"),
        ("organizationMembership.created", {"data.role_name": None}, "Role", "org:admin"),
        ("subscriptionItem.active", {}, "Price", "49.00 USD"),
        ("subscriptionItem.active", {"data.plan.currency": "JPY"}, "Price", "4,900 JPY"),
        ("subscriptionItem.active", {"data.plan.currency": None}, "Price", "4900"),
        ("subscriptionItem.active", {"data.plan": None}, "Price", None),
        ("subscriptionItem.active", {}, "Free trial", "no"),
        ("subscriptionItem.active", {}, "Period ends", "2026-07-10 17:12 UTC"),
        ("subscription.updated", {}, "Price", "49.00 USD, 490.00 USD"),
        ("session.created", {}, "Email", "mara.home@example.org, mara.lindqvist@example.com"),
        ("session.created", {}, "Browser", "Firefox"),
        ("email.created", {}, "Sent by Clerk", "yes"),
        ("organizationInvitation.created", {"data.public_inviter_data": None}, "Invited by", None),
        ("paymentAttempt.updated", {"data.totals.grand_total.currency": None}, "Amount", "49.00"),
        ("user.created", {"data.username": "a\r\nb\x00\u202ec\u2028d"}, "Username", "a b c d"),
        ("user.created", {"data.username": "\ud83d"}, "Username", None),
        ("user.created", {"data.username": "x" * 10_000}, "Username", "x" * 199 + "…"),
        ("user.created", {"data.username": 10**300}, "Username", "1" + "0" * 198 + "…"),
        ("user.created", {"data.username": ["a", None, ["b"], {"c": 1}, True]}, "Username", "a, yes"),
        ("user.created", {"data.phone_numbers": [{"phone_number": str(i)} for i in range(12)]}, "Phone",
         "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more"),
    ],
)  # fmt: skip
def test_a_field_reads_well(name, assignments, label, value):
    assert fields(name, assignments).get(label) == value


def test_a_secret_quoted_in_another_field_is_masked():
    url = "https://accounts.example.com/accept?ticket=abc"
    changes = {"data.url": url, "data.email_address": f"see {url}"}

    assert fields("invitation.created", changes)["Email"] == "see ••••••"


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
def test_an_unknown_type_is_told_in_its_own_words(name, headline):
    assert of_data(name, {}).headline == headline


def test_an_unknown_type_tells_its_scalars_but_nothing_that_smells_of_a_secret():
    data = {
        "id": "t_1",
        "fullName": "Ada",
        "nested": {"x": 1},
        "list": [1],
        "nothing": None,
        "empty": "",
        "done": True,
        "happened_at": 1781111561337,
        "api_token": "s",
        "clientSecret": "s",
        "PASSWORD": "s",
        "otp": "s",
        "resetCode": "s",
        "url": "s",
        "api_key": "s",
        "magic_link": "s",
    }

    assert of_data("thing.happened", data).fields == (
        ("Id", "t_1"),
        ("Full name", "Ada"),
        ("Done", "yes"),
        ("Happened at", "2026-06-10 17:12 UTC"),
    )


def test_an_unknown_type_tells_eight_fields_at_most():
    assert len(of_data("thing.happened", {f"field_{i}": i for i in range(20)}).fields) == 8


def test_the_hub_speaks_for_itself():
    assert of_data("hub.test", {}).headline == "[TEST] Message from the hub"

    shown = of_data("hub.problem", {"headline": "2 deliveries died", "lines": ["one", "two\nlines", 3]})
    assert shown.headline == "2 deliveries died"
    assert shown.fields == (("Problem", "one"), ("Problem", "two lines"), ("Problem", "3"))


@pytest.mark.parametrize("data", [None, [], "x", {"headline": {}, "lines": "x"}, {"lines": [[], None]}])
def test_a_misshapen_problem_is_still_told(data):
    assert of_data("hub.problem", data).headline


@pytest.mark.parametrize(
    "payload",
    [b"", b"[]", b"null", b'{"data": 1}', b"[" * 100_000, b'{"data": ' + b"1" * 5000 + b"}", b"\xff\xfe"],
)
@pytest.mark.usefixtures("nothing_left_over")
def test_a_payload_that_is_no_event_still_has_a_headline(payload):
    assert catalog.summarise(event("user.created", payload)).headline == "New user"


KEYS = st.text(st.characters(), max_size=8) | st.sampled_from(
    ["amount", "amount_formatted", "created_at", "currency", "data", "email_addresses", "first_name", "id",
     "grand_total", "headline", "items", "latest_activity", "lines", "otp_code", "payer", "period_end",
     "plan", "primary_email_address_id", "role", "status", "totals", "url", "user"]
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


@settings(max_examples=600, deadline=None)
@given(name=st.sampled_from([*NAMES, "hub.test", "hub.problem"]) | st.text(max_size=20), data=JSON)
def test_any_data_has_a_summary_of_short_single_lines(name, data):
    _check_summary(of_data(name, data))


def _every_path(name):
    return sorted({f.path for f in catalog.fields_of(catalog.find_event_type(name)) if "[]" not in f.path})


@settings(max_examples=400, deadline=None)
@given(choice=st.data(), name=st.sampled_from(NAMES), value=JSON)
def test_a_sample_with_anything_at_any_place_has_a_summary(choice, name, value):
    path = choice.draw(st.sampled_from(_every_path(name)))
    if path.startswith("data.data."):
        path = "data.data"

    _check_summary(summary(name, {path: value}))


def _check_summary(shown):
    for text in (shown.headline, *(text for field in shown.fields for text in field)):
        assert text
        assert len(text) <= 200
        assert text.splitlines() == [text]
        assert text.isprintable() or not any(ord(char) < 32 for char in text)
        text.encode()
