import email
import email.policy
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from sending import AT, attempt
from servers.smtp_server import Script, SmtpServer

from hub.delivery.render import render
from hub.destinations.email.destination import EmailDestination
from hub.destinations.email.mail import ID_LIMIT, mail_of
from hub.destinations.email.mailboxes import mailbox
from hub.destinations.email.mime import build_mail
from hub.destinations.email.options import EmailOptions, EmailSend
from hub.errors import RecipientError, Reject, TemplateError
from hub.model.delivery import MARKS
from hub.model.routing import Send
from hub.templating.escapes import BY_NAME
from hub.templating.placeholders import filled

A, B, C = "a@x.test", "b@x.test", "c@x.test"
BLOCK = {"smtp_url": "smtp://h.test", "from": "Hub <hub@x.test>", "to": "Team <team@x.test>"}
HOSTILE_NAME = 'Eve <eve@evil.test>, "Bob" <bob@evil.test>\r\nBcc: x@evil.test =?utf-8?q?=0ABcc=3A?='


def options(**block):
    return EmailOptions.model_validate(BLOCK | block)


def composed(renderer, fields, block=None, **event):
    return EmailDestination.compose(options(**(block or {})), {"text": "x", **fields}, renderer(**event))


def parsed(message, headers=None):
    """The mail of a message as its recipient's program reads it."""
    mail = mail_of({"subject": "s", "text": "t", **message}, attempt(), headers or {})
    raw = build_mail(mail, boundary="b", at=AT)
    return email.message_from_bytes(raw, policy=email.policy.default)


# -- one value, one mailbox -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name", "address"),
    [
        ("a@x.test", "", A),
        (" Ada Lovelace <a@x.test> ", "Ada Lovelace", A),
        ("Lovelace, Ada <a@x.test>", "Lovelace, Ada", A),
        ('"Lovelace, Ada \\"x\\"" <a@x.test>', 'Lovelace, Ada "x"', A),
        ("b@x.test, c@x.test <a@x.test>", "b@x.test, c@x.test", A),
        ("Eve <b@x.test> <a@x.test>", "Eve <b@x.test>", A),
        ("Zoë 🎉 <zoë@münchen.test>", "Zoë 🎉", "zoë@xn--mnchen-3ya.test"),
        ("x\r\nBcc: b@x.test <a@x.test>", "x Bcc: b@x.test", A),
        ("=?utf-8?q?=0ABcc=3A?= <a@x.test>", "= ?utf-8?q?=0ABcc=3A?=", A),
    ],
)
def test_a_text_is_one_mailbox_whatever_stands_before_its_address(text, name, address):
    box = mailbox(text)

    assert (box.name, box.address) == (name, address)
    assert mailbox(str(box)) == box


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Ada",
        "Ada <>",
        "Ada <a@x.test> <>",
        "a@x.test, b@x.test",
        "a@x.test>",
        "<a@x.test",
        "Ada a@x.test",
    ],
)
def test_a_text_that_is_not_one_mailbox_is_none(text):
    with pytest.raises(ValueError, match=r"it has no @|is not valid"):
        mailbox(text)


@pytest.mark.parametrize("key", ["recipient", "cc", "bcc"])
def test_recipients_are_one_or_a_list_with_or_without_names(renderer, key):
    value = ["{{ data.n }} <{{ data.m }}>", "b@x.test", "Again <a@x.test>"]
    message = composed(renderer, {key: value}, data={"n": "Lovelace, Ada", "m": A})

    assert message["to" if key == "recipient" else key] == ['"Lovelace, Ada" <a@x.test>', B]


def test_a_name_that_a_stranger_chose_adds_nobody(renderer):
    fields = {
        "recipient": "{{ data.n }} <a@x.test>",
        "cc": "{{ data.n }} <b@x.test>",
        "reply_to": "{{ data.n }} <c@x.test>",
        "from": "{{ data.n }} <support@x.test>",
        "headers": {"X-Name": "{{ data.n }}"},
        "subject": "{{ data.n }}",
    }
    read = parsed(composed(renderer, fields, data={"n": HOSTILE_NAME}))

    assert {
        name: [box.addr_spec for box in read[name].addresses] for name in ("From", "To", "Cc", "Reply-To")
    } == {
        "From": ["support@x.test"],
        "To": [A],
        "Cc": [B],
        "Reply-To": [C],
    }
    assert "Bcc" not in read
    assert len(read.get_all("X-Name")) == 1


@given(st.text(max_size=150), st.text(max_size=40))
def test_any_name_stays_the_name_of_its_own_address(name, other):
    read = parsed({"from": f"{name} <hub@x.test>", "to": [f"{name} <a@x.test>", f"{other} <b@x.test>"]})
    box = read["To"].addresses[0]

    assert [box.addr_spec for box in read["To"].addresses] == [A, B]
    assert "".join(box.display_name.split()) == "".join(mailbox(f"{name} <a@x.test>").name.split())


@pytest.mark.parametrize("key", ["recipient", "cc", "bcc"])
@pytest.mark.parametrize("value", ["a@x.test, b@x.test", "a@x.test; b@x.test", "a@x.test\nb@x.test", "Ada"])
def test_a_value_that_is_no_address_is_the_end(renderer, key, value):
    with pytest.raises(RecipientError, match=f"^{key}: does not render to exactly one valid address"):
        composed(renderer, {key: ["{{ data.v }}", B]}, data={"v": value})


def test_an_empty_one_of_several_is_left_out(renderer):
    message = composed(renderer, {"recipient": ["{{ data.v }}", B], "cc": "{{ data.v }}"}, {"cc": C})

    assert (message["to"], message["cc"]) == ([B], [])


@pytest.mark.parametrize("value", ["{{ data.v }}", ["{{ data.v }}"], ["{{ data.v }}", " "]])
def test_nobody_is_the_end(renderer, value):
    with pytest.raises(RecipientError):
        composed(renderer, {"recipient": value})


# -- who it is from -------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["{{ data.v }}@x.test", "Support <{{ data.v }}@X.test>"])
def test_a_rendered_from_of_the_same_domain_is_taken(renderer, value):
    message = composed(renderer, {"from": value}, data={"v": "billing"})

    assert mailbox(message["from"]).address == "billing@x.test"
    assert "from_domain" not in message


@pytest.mark.parametrize("value", ["ceo@evil.test", "ceo@mail.x.test", "ceo@x.test.evil.test", ""])
def test_a_rendered_from_of_another_domain_is_refused(renderer, value):
    with pytest.raises(TemplateError, match=r"^from: (must have the domain|does not render)"):
        composed(renderer, {"from": "{{ data.v }}"}, data={"v": value})


@pytest.mark.parametrize(("value", "is_right"), [("support@x.test", True), ("support@evil.test", False)])
def test_a_from_with_a_variable_is_checked_when_it_is_known(renderer, value, is_right):
    made = marked(renderer, {"from": "Support <${WHO}>"})
    message = filled(made, {"WHO": value}, BY_NAME)
    if not is_right:
        with pytest.raises(
            TemplateError, match=r"^from: must have the domain of the destination's own, x.test"
        ):
            EmailDestination.finished(message)
        return

    assert EmailDestination.finished(message)["from"] == "Support <support@x.test>"
    assert "from_domain" not in EmailDestination.finished(message)


def marked(renderer, fields):
    """A message with the marks of its variables, as it is kept."""
    base = renderer(data={})
    marks = {}
    seen = {**base.variables, MARKS: marks}
    made = EmailDestination.compose(
        options(), {"text": "x", "subject": "s", **fields}, replace(base, variables=seen, marks=marks)
    )
    return {**made, MARKS: marks}


# -- headers --------------------------------------------------------------------------------------


def test_headers_of_a_send_block_win_and_missing_ones_are_left_out(renderer):
    fields = {
        "headers": {
            "x-team": "{{ data.n }}",
            "X-None": "{{ data.missing }}",
            "X-Count": 3,
            "X-Two": ["a", "{{ data.n }}"],
        }
    }
    message = composed(renderer, fields, data={"n": "growth"})
    read = parsed(message, {"X-Team": "own", "X-Own": "kept"})

    assert message["headers"] == [
        ["x-team", "growth"],
        ["X-Count", "3"],
        ["X-Two", "a"],
        ["X-Two", "growth"],
    ]
    assert read.get_all("x-team") == ["growth"]
    assert (read["X-Own"], read.get_all("X-Two"), "X-None" in read) == ("kept", ["a", "growth"], False)


def test_no_value_of_a_header_is_encoded_or_cut_that_a_program_must_read():
    link = f"<https://x.test/{'u' * 300}>, <mailto:leave@x.test>"
    read = parsed({"from": "hub@x.test", "to": [A], "headers": [["List-Unsubscribe", link]]})

    assert "".join(read["List-Unsubscribe"].split()) == "".join(link.split())


def test_the_id_of_a_mail_is_never_encoded():
    domain = f"{'long-' * 11}domain.test"
    message = {"from": f"hub@{domain}", "to": [A], "subject": "s", "text": "t"}
    raw = build_mail(mail_of(message, attempt(), {}), boundary="b", at=AT)
    line = next(line for line in raw.split(b"\r\n") if line.startswith((b"Message-ID", b" <dlv")))

    assert b"<dlv_019caa1b5a00a1b2c3d4e5f60718@" in line
    assert len(line.split()[-1]) in (ID_LIMIT - 1, ID_LIMIT)


OWN_NAMES = [
    *("From", "Sender", "to", "CC", "Bcc", "Reply-To", "Subject", "Date", "Message-ID", "In-Reply-To"),
    *("References", "MIME-Version", "Content-Type", "content-disposition", "Received", "Return-Path"),
    *("DKIM-Signature", "ARC-Seal", "Authentication-Results", "Resent-To", "Auto-Submitted"),
]


@pytest.mark.parametrize("name", OWN_NAMES)
def test_a_header_that_the_hub_owns_is_a_problem(name):
    problem = f"headers: {name} is set by the hub itself"
    with pytest.raises(ValidationError, match=problem):
        options(headers={name: "x"})

    assert [text for text in problems(headers={name: "x"}) if text.startswith(problem)]


@pytest.mark.parametrize("name", ["X Team", "X-Team:", "X-Tëam", "", "X\r\nBcc"])
def test_what_is_no_name_of_a_header_is_a_problem(name):
    assert any("is no name of a header" in text for text in problems(headers={name: "x"}))


# -- checked before it runs -----------------------------------------------------------------------


def problems(block=None, **send):
    return list(EmailDestination.check(options(**(block or {})), EmailSend.model_validate(send)))


@pytest.mark.parametrize(
    ("send", "problem"),
    [
        ({"cc": "a@x.test, b@x.test"}, "cc is one address with or without a name; write a list of several"),
        ({"reply_to": "a@x.test; b@x.test"}, "reply_to is one address with or without a name; write the one"),
        ({"bcc": [A, "ada"]}, "bcc is no address; write one, or an expression that gives one"),
        ({"recipient": []}, "recipient must not be empty; leave it out for the destination's own"),
        ({"recipient": [A, " "]}, "recipient must not be empty; leave it out for the destination's own"),
        ({"from": "Ceo <ceo@evil.test>"}, "from must have the domain of the destination's own, x.test"),
        ({"from": "{{ data.name }} <ceo@evil.test>"}, "from must have the domain of the destination's own"),
        ({"thread": " "}, "thread must not be empty"),
        ({"headers": {"X-{{ a }}": "x"}}, "headers takes templates in values only"),
    ],
)
def test_what_can_never_be_right_is_told_before_it_runs(send, problem):
    assert [text for text in problems(**send) if text.startswith(problem)]


@pytest.mark.parametrize(
    "send",
    [
        {"recipient": "Ada <{{ data | primary_email }}>", "cc": [A, "{{ data.x }}"], "bcc": B},
        {"from": "Support <support@X.test>", "reply_to": "Ada, from support <a@y.test>"},
        {"from": "{{ data.slug }}@{{ data.domain }}", "headers": {"List-Id": "x", "X-Team": ["a", 1]}},
        {"thread": "{{ data.id }}", "cc": []},
    ],
)
def test_what_may_be_right_is_no_problem(send):
    assert problems(**send) == []


@pytest.mark.parametrize("key", ["cc", "bcc", "reply_to"])
def test_a_destinations_own_parties_are_checked(key):
    with pytest.raises(ValidationError, match="must be addresses like"):
        options(**{key: "nobody"})


def test_a_destination_answers_to_one_address_alone():
    with pytest.raises(ValidationError, match="must be one address"):
        options(reply_to="a@x.test, b@x.test")


# -- whom the server gets to know -----------------------------------------------------------------


def test_everybody_gets_a_transaction_and_nobody_sees_the_blind_copies(renderer):
    block = {
        "to": ["Team <team@x.test>", A],
        "cc": "Boss <b@x.test>",
        "bcc": [C, A],
        "reply_to": "Help <h@x.test>",
    }
    with SmtpServer() as server:
        place = EmailDestination(options(smtp_url=server.url, **block), "mail")
        message = EmailDestination.compose(place.options, {"text": "x", "subject": "s"}, renderer())
        receipt = place.send(message, attempt())
        mails = server.wait_for(4)

    assert [mail.recipients for mail in mails] == [("team@x.test",), (A,), (B,), (C,)]
    assert receipt.accepted == ("team@x.test", A, B, C)
    assert len({mail.raw for mail in mails}) == 1
    read = mails[0].message
    assert [str(read[name]) for name in ("From", "To", "Cc", "Reply-To", "Bcc")] == [
        "Hub <hub@x.test>",
        "Team <team@x.test>, a@x.test",
        "Boss <b@x.test>",
        "Help <h@x.test>",
        "None",
    ]
    assert b"c@x.test" not in mails[0].raw


def test_a_refused_copy_is_told_and_the_others_have_it(renderer):
    with SmtpServer(script=Script(rcpt={C: "550 5.1.1 no"})) as server:
        place = EmailDestination(options(smtp_url=server.url, cc=C), "mail")
        with pytest.raises(Reject) as raised:
            place.send({"subject": "s", "text": "t"}, attempt())

    assert raised.value.accepted == ("team@x.test",)
    assert raised.value.reason == "delivered to team@x.test; refused for good: c@x.test (550 5.1.1 no)"


# -- words that cannot be made --------------------------------------------------------------------


def rendered(renderer, fields, **event):
    made = renderer(**event)
    send = Send(to="mail", fields=fields, line=1)
    return render(send, made.context, EmailDestination, options(), made.sandbox)


def test_the_built_in_mail_goes_to_those_whom_the_send_block_names(renderer):
    fields = {"recipient": "Ada <a@x.test>", "cc": [B], "subject": "{{ data.n + 1 }}", "text": "x"}
    result = rendered(renderer, fields, data={"n": "x"})

    assert result.degraded.startswith("template failed: subject:1:")
    assert (result.message["to"], result.message["cc"]) == (["Ada <a@x.test>"], [B])
    assert "template failed: subject:1:" in result.message["text"]


@pytest.mark.parametrize("recipient", ["{{ data.missing }}", "{{ data.n + 1 }}", "{{ data.n }}"])
def test_a_mail_whose_recipient_cannot_be_made_goes_to_nobody(renderer, recipient):
    with pytest.raises(RecipientError):
        rendered(
            renderer, {"recipient": recipient, "subject": "{{ data.n + 1 }}", "text": "x"}, data={"n": "x"}
        )


# -- as it is shown -------------------------------------------------------------------------------


def test_a_message_is_shown_with_all_whom_it_names():
    message = {
        "from": "Hub <hub@x.test>",
        "to": [A, B],
        "cc": [C],
        "bcc": ["d@x.test"],
        "reply_to": "Help <h@x.test>",
        "subject": "Hi",
        "text": "words",
        "html": "<p>words</p>",
        "headers": [["X-Team", "growth"]],
    }
    headers, text, html = EmailDestination.shown(message, None)

    assert dict(headers.pairs) == {
        "From": "Hub <hub@x.test>",
        "To": "a@x.test, b@x.test",
        "Cc": C,
        "Bcc": "d@x.test",
        "Reply-To": "Help <h@x.test>",
        "Subject": "Hi",
        "Date": "(when it is sent)",
        "Message-ID": "(the delivery's id)",
        "Auto-Submitted": "auto-generated",
        "X-Team": "growth",
    }
    assert (text.text, html.text, html.kind) == ("words", "<p>words</p>", "html")


@pytest.mark.parametrize("party", ["to", "cc", "bcc", "reply_to", "from"])
def test_letters_beyond_ascii_in_any_address_need_a_server_that_takes_them(party):
    address = "zoë@x.test"
    message = {
        "from": "hub@x.test",
        "to": [A],
        party: address if party in ("from", "reply_to") else [address],
    }
    with SmtpServer() as server:
        place = EmailDestination(options(smtp_url=server.url), "mail")
        place.send({"subject": "s", "text": "t", **message}, attempt())
        place.close()
        (mail, *_) = server.wait_for(1)

    assert mail.utf8
