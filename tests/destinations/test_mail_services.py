import json
import socket
from urllib.parse import parse_qsl

import pytest
from sending import AT, HttpContract, attempt
from servers.http_receiver import CannedResponse, Failure
from servers.mail_services import (
    KEY,
    MailgunService,
    PostmarkService,
    ResendService,
    SendGridService,
)

from hub.destinations.email.by_api import ApiMailer
from hub.destinations.email.destination import EmailDestination
from hub.destinations.email.mail import Mail, Parties
from hub.destinations.email.mailboxes import mailbox
from hub.destinations.email.options import EmailOptions
from hub.destinations.email.providers.base import Account, find_provider, provider_names
from hub.errors import About, Pause, Reject, Retry, SendError, Unknown
from hub.model.delivery import Receipt
from hub.transport.http import HttpClient

A, B, C = "a@x.test", "b@x.test", "c@x.test"
SERVICES = {
    "resend": ResendService,
    "postmark": PostmarkService,
    "sendgrid": SendGridService,
    "mailgun": MailgunService,
}
ID = "dlv_019caa1b5a00a1b2c3d4e5f60718"
HEADERS = (
    ("Message-ID", f"<{ID}@example.com>"),
    ("Auto-Submitted", "auto-generated"),
    ("References", "<first@example.com>"),
    ("X-Team", "growth"),
)

every_service = pytest.mark.parametrize("name", SERVICES)


def mail(*to, cc=(), bcc=(), sender="Hub <hub@example.com>", reply_to=None, **changes):
    def boxes(texts):
        return tuple(map(mailbox, texts))

    parties = Parties(
        sender=mailbox(sender),
        to=boxes(to or (A,)),
        cc=boxes(cc),
        bcc=boxes(bcc),
        reply_to=mailbox(reply_to) if reply_to else None,
    )
    usual = {"subject": "Hi", "text": "hello\n", "html": "<p>hello</p>", "headers": HEADERS}
    return Mail(parties=parties, **(usual | changes))


def mailer(name, url, *, key=KEY, domain="example.com"):
    provider = find_provider(name)(Account(api_key=key, api_url=url, domain=domain))
    return ApiMailer(provider, HttpClient(4))


def outcome(name, service, sent=None, key=KEY, domain="example.com", **changes):
    """The receipt of an attempt, or its error."""
    place = mailer(name, service.url, key=key, domain=domain)
    try:
        return place.send(sent or mail(), attempt(**changes))
    except SendError as error:
        return error
    finally:
        place.close()


def answered(name, status, body, headers=None, **changes):
    """The outcome of an attempt that a service answers so."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    with SERVICES[name]([CannedResponse(status=status, body=data, headers=headers or {})]) as service:
        return outcome(name, service, **changes)


# -- as every place that speaks HTTP ------------------------------------------------------------------


class ServiceContract(HttpContract):
    """The contract of one service; all go the same way, so that one of them is asked everything."""

    SECRETS = ("key-in-a-header",)
    PROVIDER = ""

    def make(self, port, *, host="127.0.0.1", tls=False, resolver=None):
        options = {
            "provider": self.PROVIDER,
            "api_key": self.SECRETS[0],
            "api_url": f"{'https' if tls else 'http'}://{host}:{port}",
            "from": "hub@example.com",
            "to": [A],
        }
        if self.PROVIDER == "mailgun":
            options["domain"] = "example.com"
        return EmailDestination(
            EmailOptions.model_validate(options), "mail", resolver=resolver or socket.getaddrinfo
        )


class TestResend(ServiceContract):
    PROVIDER = "resend"
    DELIVERED = (200,)
    SUCCESS = b'{"id": "49a3999c"}'
    REFUSED = {401: Pause, 410: Reject}  # noqa: RUF012


@pytest.mark.parametrize("name", ["postmark", "sendgrid", "mailgun"])
@pytest.mark.parametrize("status", [200, 204, 302, 400, 401, 403, 404, 410, 413, 429, 500, 503])
def test_somebody_on_the_way_who_answers_is_not_the_service(name, status):
    kinds = {401: Pause, 410: Reject, 200: Unknown, 204: Unknown}
    error = answered(name, status, b"<html>a proxy</html>")

    assert (type(error), error.status) == (kinds.get(status, Retry), status)
    assert error.answer == ("" if status == 204 else "<html>a proxy</html>")


# -- a mail that is taken -----------------------------------------------------------------------------


def test_each_service_has_a_file_and_a_fake():
    assert provider_names() == tuple(sorted(SERVICES))


@every_service
def test_a_mail_is_taken_for_all_of_its_recipients(name):
    sent = mail('"Lovelace, Ada" <a@x.test>', cc=["Grün <b@x.test>"], bcc=[C], reply_to="Help <help@x.test>")
    with SERVICES[name]() as service:
        receipt = outcome(name, service, sent)
        (taken,) = service.mails

    assert type(receipt) is Receipt
    assert (taken.sender, taken.to, taken.cc, taken.bcc) == ("hub@example.com", (A,), (B,), (C,))
    assert receipt.accepted == (A, B, C)
    assert receipt.detail == f"taken by {find_provider(name).name} for {A}, {B}, {C}"


def headers_in(name, body):
    """The headers of a mail that a service has taken, by their names."""
    if name == "postmark":
        return {item["Name"]: item["Value"] for item in body["Headers"]}
    if name == "mailgun":
        return {key.removeprefix("h:"): value for key, value in body.items() if key.startswith("h:")}
    return body["headers"]


@every_service
def test_headers_of_a_thread_and_the_id_go_along(name):
    with SERVICES[name]() as service:
        outcome(name, service)
        headers = headers_in(name, service.mails[0].body)
    expected = dict(HEADERS)
    if name == "postmark":
        expected["X-PM-KeepID"] = "true"
    if name == "mailgun":
        expected["Message-Id"] = expected.pop("Message-ID")

    assert headers == expected


@every_service
def test_a_name_that_is_hostile_makes_no_other_recipient(name):
    sent = mail('"x, evil@evil.test, \\"<evil@evil.test>" <a@x.test>')
    with SERVICES[name]() as service:
        outcome(name, service, sent)

    assert [taken.recipients for taken in service.mails] == [(A,)]


def test_a_form_cannot_be_broken_out_of():
    sent = mail(subject="a&to=evil@evil.test", text="x&bcc=evil@evil.test\n", html=None)
    with MailgunService() as service:
        outcome("mailgun", service, sent)
        (request,) = service.http.received
    pairs = parse_qsl(request.body.decode())

    assert [value for key, value in pairs if key in ("to", "cc", "bcc")] == [A]
    assert dict(pairs)["v:hub-delivery"] == ID


@every_service
@pytest.mark.parametrize(("text", "html"), [("", None), ("\r\n\x00", None), ("", "<p>hello</p>")])
def test_a_mail_without_words_is_taken_too(name, text, html):
    with SERVICES[name]() as service:
        receipt = outcome(name, service, mail(text=text, html=html))

    assert receipt.accepted == (A,)


def test_a_reason_that_holds_for_several_stands_once():
    with ResendService(dead=[A, B]) as service:
        error = outcome("resend", service, mail(A, B, C))

    assert error.reason.startswith(f"taken by Resend for {C}; refused for good: {A}, {B} (answered 422")


def test_sendgrid_gets_each_address_once():
    sent = mail("Ada <a@x.test>", cc=["A@x.test", B], bcc=[A, B])
    with SendGridService() as service:
        receipt = outcome("sendgrid", service, sent)
        (taken,) = service.mails

    assert (taken.to, taken.cc, taken.bcc) == ((A,), (B,), ())
    assert receipt.accepted == (A, "A@x.test", B)


def test_sendgrid_gets_a_name_with_a_comma_in_quotes():
    with SendGridService() as service:
        outcome("sendgrid", service, mail('"Lovelace, Ada" <a@x.test>', "Bob <b@x.test>"))
        (personalization,) = service.mails[0].body["personalizations"]

    assert [box["name"] for box in personalization["to"]] == ['"Lovelace, Ada"', "Bob"]


@pytest.mark.parametrize("suffix", ["", "/", "/v3", "/v3/"])
@pytest.mark.parametrize("name", ["sendgrid", "mailgun"])
def test_an_address_may_end_with_the_version(name, suffix):
    with SERVICES[name]() as service:
        place = mailer(name, service.url + suffix)

        assert place.send(mail(), attempt()).accepted == (A,)


# -- several recipients -------------------------------------------------------------------------------


@every_service
def test_who_has_it_is_not_mailed_again(name):
    with SERVICES[name]() as service:
        receipt = outcome(name, service, mail(A, B, C), accepted=(A, C))

    assert receipt.accepted == (A, C, B)
    assert [taken.recipients for taken in service.mails] == [(B,)]


@every_service
def test_a_mail_that_everybody_has_asks_nobody(name):
    with SERVICES[name]() as service:
        receipt = outcome(name, service, mail(A, B), accepted=(A, B))

    assert (receipt.accepted, service.http.received) == ((A, B), [])


@pytest.mark.parametrize("name", ["resend", "sendgrid", "mailgun"])
def test_one_refused_address_keeps_the_mail_from_nobody_else(name):
    with SERVICES[name](dead=[B]) as service:
        error = outcome(name, service, mail(A, cc=[B], bcc=[C]))

    assert (type(error), error.accepted) == (Reject, (A, C))
    assert error.reason.startswith(
        f"taken by {find_provider(name).name} for {A}, {C}; refused for good: {B} ("
    )
    assert [taken.recipients for taken in service.mails] == [(A,), (C,)]


def test_postmark_says_of_a_mail_that_was_taken_who_does_not_get_it():
    with PostmarkService(dead=["B@x.test"]) as service:
        error = outcome("postmark", service, mail(A, "B@x.test"))

    assert (type(error), error.accepted, error.status) == (Reject, (A,), 200)
    assert error.reason == (
        "taken by Postmark for a@x.test; refused for good: "
        "B@x.test (Postmark does not deliver to it any more)"
    )


def test_postmark_refuses_a_mail_that_nobody_would_get():
    with PostmarkService(dead=[A]) as service:
        error = outcome("postmark", service)

    assert (type(error), error.accepted) == (Reject, ())
    assert "406: You tried to send to recipient(s) that have been marked as inactive" in error.reason


def test_more_recipients_than_a_request_may_name_get_one_each():
    addresses = [f"u{number}@x.test" for number in range(51)]
    with ResendService() as service:
        receipt = outcome("resend", service, mail(*addresses))

    assert receipt.accepted == tuple(addresses)
    assert len(service.mails) == 51


def test_a_failure_among_several_keeps_who_has_it():
    refused, busy = (
        CannedResponse(status=422, body=b'{"name": "validation_error"}'),
        CannedResponse(status=503),
    )
    taken = CannedResponse(body=b'{"id": "1"}')
    with ResendService([refused, taken, busy]) as service:
        error = outcome("resend", service, mail(A, B, C))

    assert (type(error), error.accepted) == (Retry, (A,))
    assert error.answer == f'{{"name": "validation_error"}}; {A}: {{"id": "1"}}; {B}: '
    assert len(service.http.received) == 3


def test_an_attempt_ends_in_time_however_many_it_has_to_ask():
    refused = CannedResponse(status=422, body=b'{"name": "validation_error"}')
    with ResendService([refused, CannedResponse(failure=Failure.HANG)]) as service:
        error = outcome("resend", service, mail(A, B), timeout_seconds=1.0)

    assert (type(error), error.accepted) == (Unknown, ())


# -- idempotency ----------------------------------------------------------------------------------


def keys(service):
    return [request.headers["idempotency-key"] for request in service.http.received]


def test_the_same_bytes_have_the_same_key_and_are_mailed_once():
    with ResendService() as service:
        receipts = [outcome("resend", service, attempt_number=number) for number in (1, 2)]

        assert keys(service) == [f"{ID}-1", f"{ID}-1"]
    assert [receipt.accepted for receipt in receipts] == [(A,), (A,)]
    assert len(service.mails) == 1


def test_other_bytes_have_another_key():
    with ResendService() as service:
        outcome("resend", service)
        outcome("resend", service, mail(subject="anew"), rendering=2)

        assert keys(service) == [f"{ID}-1", f"{ID}-2"]
    assert len(service.mails) == 2


def test_other_bytes_under_a_key_that_was_used_are_unknown():
    with ResendService() as service:
        outcome("resend", service)
        error = outcome("resend", service, mail(subject="anew"))

    assert (type(error), error.key_used) == (Unknown, True)
    assert error.reason.startswith("answered 409 Conflict: invalid_idempotent_request: This key was used")


def test_a_request_under_way_with_the_same_key_is_waited_for():
    error = answered("resend", 409, {"name": "concurrent_idempotent_requests", "message": "in progress"})

    assert (type(error), error.about) == (Retry, About.MESSAGE)


def test_a_time_out_uses_no_other_key():
    with ResendService([CannedResponse(failure=Failure.HANG)]) as service:
        error = outcome("resend", service, timeout_seconds=0.3)

    assert (type(error), error.key_used) == (Unknown, False)


def test_a_request_for_one_of_several_has_its_place_in_its_key():
    with ResendService(dead=[A]) as service:
        outcome("resend", service, mail(A, B, C), rendering=3)
        outcome("resend", service, mail(A, B, C), rendering=3, accepted=(B,))

        assert keys(service) == [f"{ID}-3", f"{ID}-3-1", f"{ID}-3-2", f"{ID}-3-3", f"{ID}-3-1", f"{ID}-3-3"]
    assert len(service.mails) == 2


# -- what the fakes refuse, as the documents say ------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "cure"),
    [
        ("resend", "check api_key"),
        ("postmark", "check api_key: it is the token of the server, not of the account"),
        ("sendgrid", "check api_key"),
        ("mailgun", "check api_key, and that it is for example.com"),
    ],
)
def test_a_wrong_key_pauses(name, cure):
    with SERVICES[name]() as service:
        error = outcome(name, service, key="another")

    assert (type(error), error.status) == (Pause, 401)
    assert error.reason.endswith(cure)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("resend", "The other.test domain is not verified. Please, add and verify your domain; verify"),
        (
            "postmark",
            "400: The 'From' address you supplied (hub@other.test) is not a Sender Signature; check",
        ),
        ("sendgrid", "The from address does not match a verified Sender Identity; check from"),
    ],
)
def test_a_sender_that_is_not_verified_pauses(name, words):
    with SERVICES[name]() as service:
        error = outcome(name, service, mail(sender="hub@other.test"))

    assert type(error) is Pause
    assert words in error.reason


def test_resends_test_sender_mails_to_its_owner_alone():
    with ResendService() as service:
        sender = "onboarding@resend.dev"
        error = outcome("resend", service, mail(A, sender=sender))
        receipt = outcome("resend", service, mail(service.owner, sender=sender))

    assert type(error) is Pause
    assert error.reason.endswith("; verify your domain at resend.com/domains, and write a from of it")
    assert receipt.accepted == (service.owner,)


def test_mailguns_sandbox_mails_to_authorized_recipients_alone():
    domain = "sandbox22f9.mailgun.org"
    with MailgunService(domain=domain) as service:
        error = outcome("mailgun", service, domain=domain)

    assert type(error) is Pause
    assert error.reason.endswith("; write your own domain, or add the recipients to the authorized ones")


def test_an_account_that_postmark_has_not_approved_pauses():
    with PostmarkService(approved=False) as service:
        error = outcome("postmark", service)

    assert type(error) is Pause
    assert "ask Postmark to approve the account" in error.reason


@every_service
def test_a_quota_holds_the_destination_for_an_hour(name):
    with SERVICES[name](quota=0) as service:
        error = outcome(name, service)

    assert (type(error), error.throttled, error.after_seconds) == (Retry, True, 3600.0)
    assert error.reason.endswith("it takes no more of this account for now")


def test_a_domain_that_mailgun_does_not_know_is_tried_once_more_and_then_pauses():
    with MailgunService() as service:
        first, second = (
            outcome("mailgun", service, domain="mg.other.test", attempt_number=number) for number in (1, 2)
        )

    assert (type(first), type(second)) == (Retry, Pause)
    assert second.reason == (
        "answered 404 Not Found: Domain not found: mg.other.test; is its region the EU? "
        "then write api_url: https://api.eu.mailgun.net; else check domain"
    )


def test_an_address_that_is_none_of_mailguns_pauses():
    with MailgunService() as service:
        place = mailer("mailgun", service.url + "/other")
        with pytest.raises(Pause, match="its address is wrong: check api_url and domain"):
            place.send(mail(), attempt())


# -- what an answer means -------------------------------------------------------------------------


def resend(status, name, message=""):
    return ("resend", status, {"name": name, "message": message})


def postmark(code, message="", status=422):
    return ("postmark", status, {"ErrorCode": code, "Message": message})


def sendgrid(status, message):
    return ("sendgrid", status, {"errors": [{"message": message}]})


def mailgun(status, message):
    return ("mailgun", status, {"message": message})


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (resend(400, "validation_error"), Reject),
        (resend(400, "validation_error", "API key is invalid"), Pause),
        (resend(401, "missing_api_key"), Pause),
        (resend(401, "restricted_api_key"), Pause),
        (resend(403, "invalid_api_key"), Pause),
        (resend(403, "something_new"), Pause),
        (resend(404, "not_found"), Pause),
        (resend(422, "missing_required_field"), Reject),
        (resend(422, "invalid_parameter"), Reject),
        (resend(422, "invalid_from_address"), Pause),
        (resend(422, "validation_error", "Invalid `to` field: api key is invalid@x.test"), Reject),
        (resend(429, "rate_limit_exceeded"), Retry),
        (resend(500, "application_error"), Retry),
        (resend(503, "service_unavailable"), Retry),
        (("resend", 200, b"<html>Sign in to the network</html>"), Unknown),
        (("resend", 403, b"<html>Forbidden</html>"), Retry),
        (postmark(10, status=401), Pause),
        (postmark(100, status=503), Retry),
        (postmark(300, "Invalid 'To' address: 'x'."), Reject),
        (postmark(300, "Invalid 'From' address: 'x'."), Pause),
        (postmark(300, "Error parsing 'To': Illegal email address 'invalid 'from'@x.test'."), Reject),
        (postmark(401), Pause),
        (postmark(402), Reject),
        (postmark(403), Reject),
        (postmark(406), Reject),
        (postmark(411), Reject),
        (postmark(413), Pause),
        (postmark(422), Pause),
        (postmark(1235), Pause),
        (postmark(1480), Pause),
        (postmark(9999, "something new"), Reject),
        (postmark(0, status=500), Retry),
        (("postmark", 200, b"OK"), Unknown),
        (sendgrid(400, "Does not contain a valid address."), Reject),
        (sendgrid(400, "maximum credits exceeded@x.test is no address"), Reject),
        (sendgrid(401, "The provided authorization grant is invalid, expired, or revoked"), Pause),
        (sendgrid(403, "access forbidden"), Pause),
        (sendgrid(413, "too large"), Reject),
        (sendgrid(451, "data residency"), Pause),
        (sendgrid(500, "internal"), Retry),
        (("sendgrid", 200, b""), Unknown),
        (mailgun(400, "to parameter is not a valid address"), Reject),
        (mailgun(400, "'to' parameter: sandbox subdomains@x.test"), Reject),
        (mailgun(400, "Domain mg.x.test is not allowed to send: Please contact support"), Pause),
        (mailgun(403, "Sandbox subdomains are for test purposes only."), Pause),
        (("mailgun", 401, b"Forbidden"), Pause),
        (("mailgun", 403, b"Forbidden"), Pause),
        (("mailgun", 404, b"<html>"), Retry),
        (mailgun(500, "internal"), Retry),
    ],
)
def test_an_answer_says_whose_fault_it_is(answer, kind):
    name, status, body = answer
    error = answered(name, status, body)

    assert type(error) is kind
    assert str(status) in error.reason
    assert len(error.reason) <= 300


@pytest.mark.parametrize(
    ("answer", "headers", "seconds"),
    [
        (resend(429, "rate_limit_exceeded"), {"retry-after": "2"}, 2.0),
        (resend(429, "monthly_quota_exceeded"), {}, 3600.0),
        (postmark(429, status=429), {}, None),
        (postmark(405), {}, 3600.0),
        (sendgrid(429, "too many requests"), {"X-RateLimit-Reset": str(int(AT.timestamp()) + 40)}, 40.0),
        (sendgrid(429, "too many requests"), {"X-RateLimit-Reset": "99999999999"}, 3600.0),
        (sendgrid(429, "too many requests"), {"X-RateLimit-Reset": "soon"}, None),
        (sendgrid(401, "Maximum credits exceeded"), {}, 3600.0),
        (sendgrid(403, "You are temporarily blocked from sending emails"), {}, 3600.0),
        (mailgun(402, "Payment Required"), {}, 3600.0),
        (mailgun(429, "Domain mg.x.test: limit exceeded, try after an hour"), {}, 3600.0),
        (mailgun(429, "too fast"), {"Retry-After": "3"}, 3.0),
    ],
)
def test_a_rest_that_a_service_asks_for_holds_the_destination(answer, headers, seconds):
    name, status, body = answer
    error = answered(name, status, body, headers)

    assert (type(error), error.throttled, error.after_seconds) == (Retry, True, seconds)


def test_words_of_a_service_are_masked_and_bounded():
    words = "the key re_1234567890 " + "x" * 400
    with ResendService([CannedResponse(status=422, body=json.dumps({"message": words}).encode())]) as service:
        error = outcome("resend", service, mask=lambda text: text.replace("re_1234567890", "***"))

    assert error.reason.startswith("answered 422 Unprocessable Entity: the key *** xxx")
    assert len(error.reason) < 250
