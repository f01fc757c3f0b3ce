import pytest
from sending import attempt
from servers.smtp_server import CLOSE, Script, SmtpServer

from hub.destinations.email.destination import EmailDestination
from hub.destinations.email.mail import ID_LIMIT
from hub.destinations.email.options import EmailOptions
from hub.errors import Reject, SendError, Unknown
from hub.model.thread import Thread

A, B = "a@x.test", "b@x.test"
FIRST = {"subject": "Ada was invited", "delivery": "dlv_first"}
MESSAGE = {"thread": "inv_1", "subject": "Ada accepted", "text": "It is so.\n", "to": [A]}


def place(server, name="mail", **block):
    block = {"smtp_url": server.url, "from": "Hub <hub@example.com>", "to": [A], **block}
    return EmailDestination(EmailOptions.model_validate(block), name)


def sent(message=MESSAGE, name="mail", kept=None, **context):
    """The mail that arrives, and what is kept of the thread."""
    with SmtpServer() as server:
        thread = Thread(id="t", kept=kept or {})
        receipt = place(server, name).send({**MESSAGE, **message}, attempt(thread=thread, **context))
        return server.wait_for(1)[0].message, receipt.thread


def test_the_first_mail_of_a_thread_is_as_it_is_and_its_subject_is_kept():
    mail, kept = sent(delivery_id="dlv_1")

    assert (mail["Subject"], mail.get_content()) == ("Ada accepted", "It is so.\r\n")
    assert kept == {"subject": "Ada accepted", "delivery": "dlv_1"}


def test_a_later_mail_has_the_first_subject_and_begins_with_its_own():
    mail, kept = sent({"html": "<html><body class=x><p>It is so.</p></body></html>"}, kept=FIRST)
    text, html = mail.get_body(("plain",)).get_content(), mail.get_body(("html",)).get_content()

    assert mail["Subject"] == "Re: Ada was invited"
    assert text == "Ada accepted\r\n\r\nIt is so.\r\n"
    assert "<body class=x>\r\n<p style=" in html
    assert html.index(">Ada accepted</p>") < html.index("It is so.")
    assert kept is None


@pytest.mark.parametrize(
    ("html", "times"),
    [
        ("<p>x</p>", 1),
        ("<h1>Ada accepted</h1>", 1),
        ("<body><p>Good news</p><h1>Ada accepted the invitation</h1></body>", 1),
    ],
)
def test_a_headline_that_is_there_is_not_repeated(html, times):
    mail, _ = sent({"html": html, "text": "Ada accepted the invitation\n"}, kept=FIRST)

    assert mail.get_body(("html",)).get_content().count("Ada accepted") == times
    assert mail.get_body(("plain",)).get_content().count("Ada accepted") == 1


def test_a_headline_is_text_in_html():
    mail, _ = sent({"html": "<p>x</p>", "subject": "<b>Ada</b> & Co"}, kept=FIRST)

    assert ">&lt;b&gt;Ada&lt;/b&gt; &amp; Co</p>" in mail.get_body(("html",)).get_content()


def test_the_first_mail_is_the_same_when_it_is_sent_again():
    kept = {"subject": "Ada accepted", "delivery": "dlv_1"}
    again, _ = sent(kept=kept, delivery_id="dlv_1")

    assert (again["Subject"], again.get_content()) == ("Ada accepted", "It is so.\r\n")


def test_one_id_ties_a_thread_made_of_destination_and_key():
    ids = {
        case: sent({"thread": key}, name, kept)[0]["References"]
        for case, key, name, kept in [
            ("first", "inv_1", "mail", None),
            ("later", "inv_1", "mail", FIRST),
            ("other key", "inv_2", "mail", FIRST),
            ("other destination", "inv_1", "sales", FIRST),
            ("hostile key", "x\r\nBcc: e@evil.test>" * 200, "mail", FIRST),
        ]
    }
    mail, _ = sent(kept=FIRST)

    assert ids["first"] == ids["later"] == mail["In-Reply-To"]
    assert len(set(ids.values())) == 4
    assert max(len(text) for text in ids.values()) <= ID_LIMIT


def test_ids_of_a_long_domain_stay_within_their_limit_and_arrive_whole():
    with SmtpServer() as server:
        domain = f"{'long.' * 20}example.com"
        block = {"from": f"hub@{domain}"}
        place(server, **block).send(MESSAGE, attempt(thread=Thread(id="t")))
        (mail,) = server.wait_for(1)

    lines = [line.strip().split()[-1] for line in mail.raw.split(b"\r\n") if b"thread-" in line]
    assert len(lines) == 2
    assert all(line.startswith(b"<thread-") and line.endswith(b"example.com>") for line in lines)
    assert max(map(len, lines)) <= ID_LIMIT


@pytest.mark.parametrize(
    ("script", "kind", "is_kept"),
    [
        (Script(rcpt={B: "550 5.1.1 no"}), Reject, True),
        (Script(rcpt={A: "550 5.1.1 no", B: "550 5.1.1 no"}), Reject, False),
        (Script(dot=CLOSE), Unknown, True),
    ],
)
def test_the_subject_is_kept_once_somebody_may_have_read_it(script, kind, is_kept):
    with SmtpServer(script=script) as server:
        message, context = {**MESSAGE, "to": [A, B]}, attempt(thread=Thread(id="t"), delivery_id="dlv_1")
        with pytest.raises(SendError) as raised:
            place(server).send(message, context)

    kept = {"subject": "Ada accepted", "delivery": "dlv_1"} if is_kept else None
    assert (type(raised.value), raised.value.thread) == (kind, kept)


def test_a_thread_counts_for_those_who_get_its_mails():
    one = EmailDestination.thread_place(None, {"to": ["Ada <a@x.test>", B]})
    same = EmailDestination.thread_place(None, {"to": [B, A]})
    other = EmailDestination.thread_place(None, {"to": [B]})

    assert one == same != other
