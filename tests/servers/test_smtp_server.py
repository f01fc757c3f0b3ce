import smtplib

import pytest

from servers.smtp_server import CLOSE, Script, SmtpServer

TEXT = b"Subject: hi\r\n\r\n.dot\r\n"


def send(server, recipients=("a@x.test",), login=None):
    with smtplib.SMTP("127.0.0.1", server.port, timeout=30) as smtp:
        if login:
            smtp.login(*login)
        return smtp.sendmail("hub@x.test", recipients, TEXT)


def test_keeps_mail_as_envelope_and_bytes():
    with SmtpServer(login=("u", "p")) as server:
        send(server, login=("u", "p"))
        mail = server.wait_for(1)[0]

    assert (mail.sender, mail.recipients, mail.login) == ("hub@x.test", ("a@x.test",), "u")
    assert mail.raw == TEXT
    assert mail.message["Subject"] == "hi"


def test_a_wrong_password_is_refused():
    with SmtpServer(login=("u", "p")) as server, pytest.raises(smtplib.SMTPAuthenticationError):
        send(server, login=("u", "wrong"))


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (Script(connect="554 go away"), smtplib.SMTPConnectError),
        (Script(mail="550 no"), smtplib.SMTPSenderRefused),
        (Script(rcpt={"a@x.test": "550 no"}), smtplib.SMTPRecipientsRefused),
        (Script(data="451 no"), smtplib.SMTPDataError),
        (Script(dot="554 no"), smtplib.SMTPDataError),
        (Script(dot=CLOSE), smtplib.SMTPServerDisconnected),
    ],
)
def test_refuses_where_the_script_says(script, error):
    with SmtpServer(script=script) as server, pytest.raises(error):
        send(server)


def test_drips_its_replies():
    with SmtpServer(script=Script(drip_seconds=0.001)) as server:
        send(server)
        mails = server.wait_for(1)

    assert len(mails) == 1
