import email.policy
import re
import socket
import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from sending import AT, TIMEOUT_SECONDS, SendingContract, attempt, failure, listener
from servers.smtp_server import CLOSE, HANG, Script, SmtpServer

from hub import catalog
from hub.destinations.email.destination import EmailDestination
from hub.destinations.email.mail import SUBJECT_LIMIT, mail_of
from hub.destinations.email.mailboxes import header_text, mailboxes
from hub.destinations.email.mime import build_mail
from hub.destinations.email.options import EmailOptions, EmailSend
from hub.errors import About, Pause, Reject, Retry, TemplateError, Unknown
from hub.model.event import Event

A, B = "a@x.test", "b@x.test"
REFUSES_SENDER = "it refuses the sender; check from and the account of smtp_url"
PLAIN = {"from": "Hub <hub@example.com>", "subject": "Hi", "text": "hello\n"}
HOSTILE_HEADERS = [
    "Hi\r\nBcc: evil@evil.test",
    "Hi\n",
    "Hi\rX: y",
    "=?utf-8?q?Hi=0ABcc=3A_evil@evil.test?=",
    "=?utf-8?b?SGkKQmNjOiBldmlsQGV2aWwudGVzdA==?=",
    "==??utf-8?q?Hi=0ABcc=3A_x?=",
    "a\u2028b\x85c\x0bd\x00e\u202ef",
    "x" * 5000,
    "ü" * 400,
    'a, b; c <d@e.test>, =? ?= \\" (',
]


def destination(server, to=f"{A}, {B}", **options):
    block = {"smtp_url": server.url, "from": "Hub <hub@example.com>", "to": to, **options}
    return EmailDestination(EmailOptions.model_validate(block), "mail")


def with_login(server, query=""):
    return server.url.replace("://", "://hub%40x.test:pass%2Fword@") + query


def built(**message):
    """The bytes of a message's mail."""
    mail = mail_of({**PLAIN, "to": [A], **message}, attempt(), {})
    return build_mail(mail, boundary="dlv_1", at=AT)


def composed(renderer, fields, options=None, **event):
    return EmailDestination.compose(options, fields, renderer(**event))


class TestEmail(SendingContract):
    SECRETS = ("hunter22",)

    def make(self, port, *, host="127.0.0.1", tls=False, resolver=None):
        scheme, query = ("smtps", "") if tls else ("smtp", "?starttls=never")
        options = {
            "smtp_url": f"{scheme}://user:hunter22@{host}:{port}{query}",
            "from": "hub@example.com",
            "to": [A],
        }
        return EmailDestination(
            EmailOptions.model_validate(options), "mail", resolver=resolver or socket.getaddrinfo
        )

    @pytest.mark.parametrize("step", ["connect", "ehlo", "auth", "mail"])
    @pytest.mark.parametrize(
        ("reply", "kind"),
        [("421 4.7.0 busy", Retry), ("454 4.7.0 later", Retry), ("554 5.7.1 hunter22", Pause)],
    )
    def test_a_refusal_before_the_recipient_concerns_the_destination(self, step, reply, kind):
        with SmtpServer(script=Script(**{step: reply}), login=("user", "hunter22")) as server:
            error = self.fail(self.make(server.port))

        assert (type(error), error.status) == (kind, int(reply[:3]))
        assert server.mails == []

    def test_a_wrong_password_pauses(self):
        with SmtpServer(login=("user", "other")) as server:
            error = self.fail(self.make(server.port))

        assert (type(error), error.status) == (Pause, 535)

    def test_a_server_without_logins_pauses(self):
        with SmtpServer() as server:
            error = self.fail(self.make(server.port))

        assert type(error) is Pause
        assert "offers no login" in error.reason

    @pytest.mark.parametrize("step", ["connect", "ehlo", "auth", "mail", "data"])
    @pytest.mark.parametrize("failure", [CLOSE, HANG])
    def test_a_failure_before_the_mail_is_a_retry(self, step, failure):
        seconds = 30.0 if failure == CLOSE else TIMEOUT_SECONDS
        with SmtpServer(script=Script(**{step: failure}), login=("user", "hunter22")) as server:
            error = self.fail(self.make(server.port), timeout_seconds=seconds)

        assert type(error) is Retry

    @pytest.mark.parametrize("failure", [CLOSE, HANG])
    def test_a_failure_after_the_final_dot_is_unknown(self, failure):
        seconds = 30.0 if failure == CLOSE else 3.0
        with SmtpServer(script=Script(dot=failure), login=("user", "hunter22")) as server:
            error = self.fail(self.make(server.port), timeout_seconds=seconds)

        assert type(error) is Unknown
        assert "after the whole mail was sent" in error.reason

    def test_replies_that_drip_end_with_the_attempt(self):
        with SmtpServer(script=Script(drip_seconds=0.02), login=("user", "hunter22")) as server:
            error = self.fail(self.make(server.port), timeout_seconds=TIMEOUT_SECONDS)

        assert type(error) is Retry

    def test_a_certificate_of_a_known_authority_is_taken(self, tls, trusted):
        with SmtpServer(tls=tls, implicit_tls=True, login=("user", "hunter22")) as server:
            place = self.make(server.port, tls=True)
            place.send(self.message(place), attempt())
            mail = server.wait_for(1)[0]

        assert (mail.encrypted, mail.login) == (True, "user")


# -- who gets it ----------------------------------------------------------------------------------


def test_every_recipient_gets_a_mail_of_its_own_over_one_connection():
    with SmtpServer() as server:
        receipt = destination(server).send(PLAIN, attempt())
        mails = server.wait_for(2)

    assert receipt.accepted == (A, B)
    assert [mail.recipients for mail in mails] == [(A,), (B,)]
    assert mails[0].raw == mails[1].raw
    assert server.connections == 1


def test_who_has_it_is_not_mailed_again():
    with SmtpServer() as server:
        receipt = destination(server).send(PLAIN, attempt(accepted=(A,)))
        mails = server.wait_for(1)

    assert receipt.accepted == (A, B)
    assert [mail.recipients for mail in mails] == [(B,)]


def test_a_mail_that_everybody_has_asks_no_server():
    with SmtpServer() as server:
        receipt = destination(server).send(PLAIN, attempt(accepted=(A, B)))

    assert (receipt.accepted, server.connections) == ((A, B), 0)


@pytest.mark.parametrize(
    ("script", "kind", "accepted", "reason"),
    [
        (
            Script(rcpt={A: "550 5.1.1 no such user"}),
            Reject,
            (B,),
            "delivered to b@x.test; refused for good: a@x.test (550 5.1.1 no such user)",
        ),
        (Script(rcpt={A: "450 4.2.0 later"}), Retry, (B,), "refused for now: a@x.test (450 4.2.0 later)"),
        (
            Script(rcpt={A: "550 no", B: "450 later"}),
            Retry,
            (),
            "refused for now: b@x.test (450 later)",
        ),
        (Script(rcpt={B: "421 4.3.0 closing"}), Retry, (A,), "the mail server answered 421 4.3.0 closing"),
        (
            Script(rcpt={B: CLOSE}),
            Retry,
            (A,),
            "the connection broke before the mail was handed in",
        ),
        (
            Script(dot="554 5.6.0 spam"),
            Reject,
            (),
            "refused for good: a@x.test (554 5.6.0 spam), b@x.test (554 5.6.0 spam)",
        ),
        (Script(data="451 4.3.0 full"), Retry, (), None),
        (
            Script(rcpt={B: "550 5.7.60 No"}),
            Pause,
            (A,),
            f"the mail server answered 550 5.7.60 No: {REFUSES_SENDER}",
        ),
        (
            Script(rcpt={B: "452 sending limit exceeded"}),
            Retry,
            (A,),
            "the mail server answered 452 sending limit exceeded: it takes no more of this sender for now",
        ),
    ],
)
def test_a_refusal_concerns_its_recipient_alone(script, kind, accepted, reason):
    with SmtpServer(script=script) as server:
        error, _ = failure(destination(server), PLAIN)

    assert (type(error), error.accepted) == (kind, accepted)
    assert reason is None or error.reason == reason


@pytest.mark.parametrize("step", ["mail", "rcpt", "data", "dot"])
@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        ("550 5.4.5 Daily user sending limit exceeded", Retry),
        ("554 5.2.252 SendAsDenied; not allowed to send as", Pause),
        ("421 Domain x.test is not allowed to send", Pause),
    ],
)
def test_a_reply_about_the_sender_concerns_the_destination_at_every_step(step, reply, kind):
    with SmtpServer(script=Script(**{step: {A: reply} if step == "rcpt" else reply})) as server:
        error, _ = failure(destination(server, to=A), PLAIN)

    assert (type(error), error.status, error.accepted) == (kind, int(reply[:3]), ())
    assert error.answer.endswith(reply)
    assert getattr(error, "after_seconds", None) == (3600.0 if kind is Retry else None)


@pytest.mark.parametrize(
    ("replies", "about"),
    [
        ({A: "450 4.2.0 later", B: "450 busy"}, About.MESSAGE),
        ({A: "450 4.2.0 later", B: "451 4.3.0 down"}, About.ENDPOINT),
        ({A: "450 4.2.0 later"}, About.MESSAGE),
    ],
)
def test_recipients_that_are_refused_for_now_open_no_breaker(replies, about):
    with SmtpServer(script=Script(rcpt=replies)) as server:
        error, _ = failure(destination(server), PLAIN)

    assert (type(error), error.about) == (Retry, about)


def test_what_every_recipients_server_said_is_the_answer():
    with SmtpServer(script=Script(rcpt={B: "550 5.1.1 no"})) as server:
        error, _ = failure(destination(server), PLAIN)

    assert error.answer == "a@x.test: 250 2.0.0 kept; b@x.test: 550 5.1.1 no"


def test_the_answer_to_a_mail_that_was_taken_is_kept():
    with SmtpServer() as server:
        receipt = destination(server, to=A).send(PLAIN, attempt())

    assert receipt.answer == "a@x.test: 250 2.0.0 kept"


@pytest.mark.parametrize("step", ["rcpt", "data", "dot"])
def test_5yz_for_the_only_recipient_is_a_reject(step):
    reply = {A: "550 5.1.1 no"} if step == "rcpt" else "550 5.1.1 no"
    with SmtpServer(script=Script(**{step: reply})) as server:
        error, _ = failure(destination(server, to=A), PLAIN)

    assert (type(error), error.status) == (Reject, 550)


def test_a_reject_stands_even_if_the_server_hangs_up_after_it():
    with SmtpServer(script=Script(rcpt={A: "550 5.1.1 no"}, quit=CLOSE)) as server:
        error, _ = failure(destination(server, to=A), PLAIN)

    assert type(error) is Reject


@pytest.mark.parametrize("failure", [CLOSE, HANG, "500 no"])
def test_a_failing_quit_is_still_success_and_soon(failure):
    began = time.monotonic()
    with SmtpServer(script=Script(quit=failure)) as server:
        receipt = destination(server).send(PLAIN, attempt(timeout_seconds=60.0))

    assert receipt.accepted == (A, B)
    assert time.monotonic() - began < 30


def test_a_reply_without_end_ends():
    def go_on(connection, stopping):
        while not stopping.is_set():
            connection.sendall((b"220-" + b"a" * 400 + b"\r\n") * 100)

    with listener(go_on) as port:
        place = EmailOptions.model_validate({"smtp_url": f"smtp://127.0.0.1:{port}", "from": A, "to": B})
        error, _ = failure(EmailDestination(place, "mail"), PLAIN, timeout_seconds=60.0)

    assert (type(error), "within" in error.reason) == (Retry, False)


def test_an_unknown_outcome_names_who_has_it_already():
    with SmtpServer() as server:
        server.inbox._on_arrival = lambda mail: setattr(server, "script", Script(dot=CLOSE))
        error, _ = failure(destination(server), PLAIN)

    assert (type(error), error.accepted) == (Unknown, (A,))
    assert error.reason.endswith("after the whole mail was sent to b@x.test")


def test_an_unknown_outcome_names_who_was_not_mailed_yet():
    with SmtpServer(script=Script(dot=CLOSE)) as server:
        error, _ = failure(destination(server), PLAIN)

    assert (
        error.reason
        == "the connection broke after the whole mail was sent to a@x.test; not mailed yet: b@x.test"
    )


# -- encryption -----------------------------------------------------------------------------------


def test_starttls_is_used_where_it_is_offered(tls, trusted):
    with SmtpServer(tls=tls, login=("hub@x.test", "pass/word")) as server:
        destination(server, smtp_url=with_login(server)).send(PLAIN, attempt())
        mail = server.wait_for(1)[0]

    assert (mail.encrypted, mail.login) == (True, "hub@x.test")


def test_starttls_verifies_the_certificate(tls):
    with SmtpServer(tls=tls) as server:
        error, _ = failure(destination(server), PLAIN)

    assert type(error) is Retry
    assert error.reason.startswith("TLS failed: self-signed certificate")


@pytest.mark.parametrize(
    ("url", "encrypted"),
    [
        ("smtp://mail.example.com", "by STARTTLS where it is offered"),
        ("smtp://u:p@mail.example.com", "by STARTTLS or not at all"),
        ("smtp://u:p@127.0.0.1", "by STARTTLS where it is offered"),
        ("smtp://u:p@localhost:25", "by STARTTLS where it is offered"),
        ("smtp://u:p@mail.example.com?starttls=never", "never"),
        ("smtp://mail.example.com?starttls=required", "by STARTTLS or not at all"),
        ("smtps://mail.example.com", "from the start"),
    ],
)
def test_a_login_leaves_this_machine_only_encrypted(url, encrypted):
    options = EmailOptions.model_validate({"smtp_url": url, "from": "a@x.test", "to": "b@x.test"})

    assert options.server.tls == encrypted


def test_starttls_that_is_needed_and_not_offered_pauses():
    with SmtpServer(login=("hub@x.test", "pass/word")) as server:
        error, _ = failure(destination(server, smtp_url=with_login(server, "?starttls=required")), PLAIN)

    assert (type(error), server.mails) == (Pause, [])
    assert "offers no STARTTLS" in error.reason


# -- the mail itself ------------------------------------------------------------------------------


def received(message, to=A, **changes):
    with SmtpServer() as server:
        destination(server, to=to).send(message, attempt(**changes))
        return server.wait_for(1)[0]


def test_retries_send_the_same_bytes():
    message = {**PLAIN, "html": "<p>hello</p>"}
    first = received(message, attempt_number=1)
    second = received(message, attempt_number=2, at=AT.replace(hour=20))

    assert first.raw == second.raw
    assert first.message["Message-ID"] == "<dlv_019caa1b5a00a1b2c3d4e5f60718@example.com>"
    assert first.message["Date"] == "Sun, 01 Mar 2026 15:54:05 +0000"
    assert first.message["Auto-Submitted"] == "auto-generated"


def test_lines_of_dots_and_strange_characters_arrive_as_they_are():
    text = ".\n..two\nü\u20ac\U0001f389 " + "x" * 3000 + "\n=?utf-8?q?x?=\n"
    mail = received({**PLAIN, "text": text + "\r\x00\x1b"})

    assert mail.message.get_content().replace("\r\n", "\n") == text + "\n"
    assert max(map(len, mail.raw.split(b"\r\n"))) < 999


@pytest.mark.parametrize("value", HOSTILE_HEADERS)
def test_a_hostile_subject_stays_a_subject(value):
    message = received({**PLAIN, "subject": value}).message

    assert set(message) == {
        *("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted"),
        *("MIME-Version", "Content-Type", "Content-Transfer-Encoding"),
    }
    assert "".join(message["Subject"].split()) == "".join(header_text(value, SUBJECT_LIMIT).split())
    assert message["To"] == A


@pytest.mark.parametrize("value", HOSTILE_HEADERS)
def test_a_hostile_name_of_a_sender_stays_a_name(value):
    raw = built(**{"from": f"{value} <hub@example.com>"})
    message = email.message_from_bytes(raw, policy=email.policy.default)

    assert [address.addr_spec for address in message["From"].addresses] == ["hub@example.com"]
    assert "Bcc" not in message


@given(st.text(min_size=1, max_size=300))
def test_any_subject_can_be_sent(subject):
    raw = built(subject=subject, text=subject)

    assert raw.isascii()


def test_a_mail_that_would_read_differently_is_rejected():
    mail = replace(mail_of({**PLAIN, "to": [A]}, attempt(), {}), subject="=?utf-8?q?Hi=0ABcc=3A_e@e.test?=")
    with pytest.raises((Reject, ValueError)):
        build_mail(mail, boundary="dlv_1", at=AT)


def test_addresses_of_every_script_are_mailed():
    with SmtpServer() as server:
        destination(server, to="Jürgen <jürgen@münchen.test>").send(PLAIN, attempt())
        mail = server.wait_for(1)[0]

    assert mail.recipients == ("jürgen@xn--mnchen-3ya.test",)


def test_dots_that_carriers_gave_out_are_mailed_in_quotes():
    with SmtpServer(script=Script(rcpt={'"c."@docomo.test': "550 5.1.1 it is in quotes"})) as server:
        error, _ = failure(destination(server, to="a..b@docomo.test, c.@docomo.test"), PLAIN)
        (mail,) = server.wait_for(1)

    assert (mail.recipients, error.accepted) == (("a..b@docomo.test",), ("a..b@docomo.test",))
    assert "c.@docomo.test (550 5.1.1 it is in quotes)" in error.reason
    assert b'To: "a..b"@docomo.test,\r\n "c."@docomo.test\r\n' in mail.raw


# -- composing ------------------------------------------------------------------------------------


def test_from_and_to_are_kept_with_the_message(renderer):
    options = EmailOptions.model_validate(
        {
            "smtp_url": "smtp://h.test",
            "from": "Hub <hub@x.test>",
            "to": ["A <a@x.test>", "b@x.test, a@x.test"],
        }
    )
    message = composed(renderer, {"subject": "{{ data.n }}", "text": "x"}, options, data={"n": "a\nb"})

    assert message == {"from": "Hub <hub@x.test>", "to": ["A <a@x.test>", B], "subject": "a b", "text": "x"}


def test_html_escapes_and_text_does_not(renderer):
    fields = {"subject": "s", "text": "{{ data.n }}", "html": "<p>{{ data.n }}</p>"}
    message = composed(renderer, fields, data={"n": "<b>&"})

    assert message["text"] == "<b>&"
    assert "<p>&lt;b&gt;&amp;</p>" in message["html"]


def test_style_sheets_are_inlined_and_none_is_fetched(renderer):
    html = (
        "<html><head><style>p{color:red}</style><link rel=stylesheet href='http://127.0.0.1:9/x.css'></head>"
        "<body><p>hi</p></body></html>"
    )
    message = composed(renderer, {"subject": "s", "html": html})

    assert '<p style="color: red;">hi</p>' in message["html"]


def test_html_alone_gets_a_plain_text(renderer):
    html = (
        "<html><head><title>no</title><style>p{}</style></head><body><h1>Hi &amp; <b>bye</b></h1><ul><li>one"
        "<li>two</ul><p>see <a href='https://x.test/a'>this</a><br>x<img alt='logo' src=x></p></body></html>"
    )
    message = composed(renderer, {"subject": "s", "html": html})

    assert message["text"] == "Hi & bye\n\n- one\n- two\n\nsee this (https://x.test/a)\nxlogo\n"


@pytest.mark.parametrize(
    ("suffixes", "keys"),
    [
        ((".html.j2",), {"text", "html"}),
        ((".txt.j2",), {"text"}),
        ((".html.j2", ".txt.j2"), {"text", "html"}),
    ],
)
def test_a_template_may_be_html_or_text_or_both(renderer, suffixes, keys):
    templates = {f"email/new{suffix}": "Hi {{ data.n }}" for suffix in suffixes}
    message = composed(
        renderer, {"template": "email/new", "subject": "s"}, templates=templates, data={"n": 1}
    )

    assert set(message) == {"subject", *keys}
    assert message["text"].strip() == "Hi 1"


def test_what_is_left_out_is_said_in_the_built_in_words(renderer):
    message = composed(renderer, {"recipient": "{{ data | primary_email }}"})

    assert re.fullmatch(r"\S+@\S+", message["to"][0])
    assert message["subject"]
    assert "https://hub.test/events/evt_1" in message["text"]
    assert "https://hub.test/events/evt_1" in message["html"]


@pytest.mark.parametrize(
    "value",
    [
        "",
        "a@x.test, b@x.test",
        "a@x.test;b@y.test",
        "a@x.test\nBcc: b@x.test",
        "Ada <a@x.test>, Bob",
        "Ada <a@x.test> <>",
        "<a@x.test",
        "a@x.test>",
        "a",
        "@x.test",
        "a@",
        "a b@x.test",
        "a@x..test",
        ".a@x.test",
        "=?utf-8?q?a?=@x.test",
        '"a b"@x.test',
        "a" * 65 + "@x.test",
        None,
    ],
)
def test_a_recipient_must_be_exactly_one_address(renderer, value):
    with pytest.raises(TemplateError, match=r"^recipient: does not render to exactly one valid address"):
        composed(renderer, {"recipient": "{{ data.to }}", "text": "x"}, data={"to": value})


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("user@example.com.", "it ends with a dot"),
        ("user@example。com。", "it ends with a dot"),
        ("user", "it has no @"),
        ("a b@x.test", "the part before its @ is not valid"),
        ("a@x..test", "its domain is not valid"),
    ],
)
def test_a_recipient_that_is_no_address_says_why(renderer, value, reason):
    with pytest.raises(TemplateError, match=rf"one valid address: {reason}$"):
        composed(renderer, {"recipient": "{{ data.to }}", "text": "x"}, data={"to": value})


def test_a_recipient_replaces_the_destinations_own(renderer):
    message = composed(
        renderer, {"recipient": " {{ data.to }} ", "text": "x"}, data={"to": "Zoë+1@münchen.test"}
    )

    assert message["to"] == ["Zoë+1@xn--mnchen-3ya.test"]


def test_an_empty_subject_is_a_template_error(renderer):
    with pytest.raises(TemplateError, match=r"^subject: renders to nothing"):
        composed(renderer, {"subject": "{{ data.missing }}", "text": "x"})


@pytest.mark.parametrize("event_type", catalog.event_types())
def test_the_built_in_mail_of_every_event_can_be_built(event_type):
    event = Event(
        id="evt_1",
        source="clerk",
        message_id="m",
        type=event_type,
        payload=catalog.sample_payload(event_type),
        received_at=AT,
    )
    summary = catalog.summarise(event)
    message = EmailDestination.compose_builtin(None, summary, None, "https://hub.test/e/1")
    raw = built(**message)

    assert b"https://hub.test/e/1" in raw


# -- configuration --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("block", "problem"),
    [
        ({"smtp_url": "mail.example.com"}, "must look like smtp://user:password@host:587"),
        ({"smtp_url": "smtp://u:hunter22/@h.test"}, "must look like smtp://user:password@host:587"),
        ({"smtp_url": "smtp://h.test:x"}, "must look like smtp://user:password@host:587"),
        ({"smtp_url": "smtp://h.test?starttls=maybe"}, "may have only"),
        ({"smtp_url": "smtp://h.test?verify=no"}, "may have only"),
        ({"smtp_url": "smtps://h.test?starttls=never"}, "may have only"),
        ({"smtp_url": "smtp://u:h%C3%BCnter22@h.test"}, "ASCII characters"),
        ({"from": "nobody"}, "must be addresses like"),
        ({"from": "a@x.test, b@x.test"}, "must be one address"),
        ({"to": []}, "must name at least one address"),
        ({"to": ""}, "must name at least one address"),
        ({"to": ["a@x.test", "b"]}, "must be addresses like .*; one is none: it has no @"),
        ({"to": "b@x.test."}, "must be addresses like .*; one is none: it ends with a dot"),
        ({"to": 3}, "valid string"),
    ],
)
def test_a_wrong_block_is_explained_without_its_values(block, problem):
    right = {"smtp_url": "smtp://h.test", "from": "a@x.test", "to": "b@x.test"}
    with pytest.raises(ValidationError, match=problem) as raised:
        EmailOptions.model_validate(right | block)

    assert "nter22" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a@x.test", [("", A)]),
        ("Ada <a@x.test>, b@x.test,", [("Ada", A), ("", B)]),
        ('"Lovelace, Ada \\"x\\"" <a@x.test>', [('Lovelace, Ada "x"', A)]),
        ("<a@x.test>", [("", A)]),
    ],
)
def test_addresses_are_read_with_their_names(text, expected):
    assert [(mailbox.name, mailbox.address) for mailbox in mailboxes(text)] == expected


@pytest.mark.parametrize(
    ("send", "problems"),
    [
        ({"subject": "x"}, []),
        ({"template": "a", "html": "x"}, ["template excludes text and html: it is the whole body"]),
        (
            {"recipient": " "},
            ["recipient must not be empty; leave it out for the destination's own"],
        ),
    ],
)
def test_a_send_block_is_checked(send, problems):
    assert list(EmailDestination.check(None, EmailSend.model_validate(send))) == problems


def test_describes_itself_by_its_addresses():
    with SmtpServer() as server:
        text = destination(server, to=["Ada <a@x.test>", B]).describe()

    assert text == "a@x.test, b@x.test"
