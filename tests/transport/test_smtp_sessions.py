import threading
import time

import pytest
from running import wait_until
from servers.smtp_server import CLOSE, HANG, Script, SmtpServer

from hub.errors import SendError
from hub.transport.deadline import deadline_after
from hub.transport.smtp import Submission
from hub.transport.smtp_sessions import MAILS_LIMIT, Client, Sessions
from hub.transport.smtp_url import parse_smtp_url

MAIL = b"Subject: hi\r\n\r\nhi\r\n"
A, B = "a@x.test", "b@x.test"


def sessions_with(server, **options):
    return Sessions(parse_smtp_url(f"{server.url}?starttls=never"), **options)


def send(sessions, *recipients, timeout_seconds=30.0):
    """Those who have the mail, then the error if there was one."""
    submission = Submission(server=sessions._server, sender="hub@x.test", mail=MAIL, utf8=False, accepted=[])
    try:
        with deadline_after(timeout_seconds) as deadline:
            submission.send(list(recipients or (A,)), sessions, deadline)
    except SendError as error:
        return submission.accepted, error
    return submission.accepted, None


def test_the_mails_of_a_batch_go_over_one_connection_with_one_login():
    with SmtpServer(login=("u", "p")) as server:
        sessions = Sessions(parse_smtp_url(server.url.replace("://", "://u:p@")))
        for _ in range(10):
            send(sessions, A, B)
        mails = server.wait_for(20)
        sessions.close()

    assert (len(mails), server.connections, server.quits) == (20, 1, 1)
    assert {mail.login for mail in mails} == {"u"}


def test_threads_that_send_at_once_share_no_connection():
    with SmtpServer() as server:
        sessions = sessions_with(server)
        threads = [threading.Thread(target=lambda: [send(sessions) for _ in range(10)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        mails = server.wait_for(40)
        sessions.close()

    assert len(mails) == 40
    assert server.connections <= 4


def test_a_refused_recipient_spoils_no_later_mail():
    with SmtpServer(script=Script(rcpt={A: "550 5.1.1 no"})) as server:
        sessions = sessions_with(server)
        results = [send(sessions, A)[0], send(sessions, B, A)[0], send(sessions, B)[0]]
        sessions.close()

    assert (results, server.connections) == ([[], [B], [B]], 1)


@pytest.mark.parametrize(
    "script",
    [
        Script(dot=CLOSE),
        Script(dot=HANG),
        Script(rcpt={A: CLOSE}),
        Script(mail="421 4.3.2 closing"),
        Script(rcpt={A: "421 4.3.2 closing"}),
        Script(mail="550 5.7.1 no"),
    ],
)
def test_after_an_error_the_next_mail_has_a_connection_of_its_own(script):
    with SmtpServer() as server:
        sessions = sessions_with(server)
        send(sessions)
        server.script = script
        # One that hangs ends by its time-out, which leaves time for what is before the final dot.
        _, error = send(sessions, timeout_seconds=3.0 if script.dot == HANG else 30.0)
        server.script = Script()
        accepted, no_error = send(sessions, B)
        sessions.close()

    assert error is not None
    assert (accepted, no_error, server.connections) == ([B], None, 2)


def test_a_connection_that_the_server_closed_fails_no_mail():
    with SmtpServer() as server:
        sessions = sessions_with(server)
        send(sessions)
        server.hang_up()
        wait_until(lambda: server.open_connections == 0, "the server to hang up", 30)
        accepted, error = send(sessions)
        sessions.close()

    assert (accepted, error, server.connections) == ([A], None, 2)


@pytest.mark.parametrize("reply", [HANG, CLOSE, "502 5.5.1 what", "421 4.3.2 closing"])
def test_a_connection_that_takes_no_more_fails_no_mail(reply):
    with SmtpServer() as server:
        sessions = sessions_with(server)
        send(sessions)
        server.script = Script(rset=reply)
        began = time.monotonic()
        accepted, error = send(sessions, timeout_seconds=60.0)
        seconds = time.monotonic() - began
        sessions.close()

    assert (accepted, error, server.connections) == ([A], None, 2)
    assert seconds < 30


def test_a_connection_that_nobody_needs_is_left_soon():
    with SmtpServer() as server:
        sessions = sessions_with(server, idle_seconds=0.5)
        send(sessions)
        wait_until(lambda: server.open_connections == 0, "the connection to be left", 30)

    assert (server.connections, server.quits) == (1, 1)


@pytest.mark.parametrize("options", [{"idle_seconds": 0.0}, {"age_seconds": 0.0}])
def test_a_connection_that_is_old_is_not_used_again(options):
    with SmtpServer() as server:
        sessions = sessions_with(server, **options)
        for _ in range(3):
            send(sessions)

    assert (server.connections, server.quits) == (3, 3)


def test_a_connection_carries_a_bounded_number_of_mails():
    with SmtpServer() as server, deadline_after(30.0) as deadline:
        sessions = sessions_with(server)
        client = sessions.take(deadline)
        client.mails = MAILS_LIMIT - 1
        sessions.keep(client)
        send(sessions)
        sessions.close()

    assert (server.connections, server.quits) == (2, 1 + 1)


def test_what_is_used_while_it_is_closed_is_left_at_its_end():
    with SmtpServer() as server, deadline_after(30.0) as deadline:
        sessions = sessions_with(server)
        client = sessions.take(deadline)
        sessions.close()
        sessions.keep(client)
        wait_until(lambda: server.open_connections == 0, "the connection to be left", 30)

    assert isinstance(client, Client)
