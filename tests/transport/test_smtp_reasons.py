import socket

import pytest

from hub.errors import Retry
from hub.transport.deadline import deadline_after
from hub.transport.smtp import BLOCKED, Submission, unreached_reason
from hub.transport.smtp_sessions import Sessions
from hub.transport.smtp_url import parse_smtp_url

LATE = "could not connect within 10 s"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("smtp://u:p@smtp.example.com", f"could not connect to smtp.example.com:587 within 10 s; {BLOCKED}"),
        ("smtps://smtp.example.com", f"could not connect to smtp.example.com:465 within 10 s; {BLOCKED}"),
        ("smtp://smtp.example.com", f"could not connect to smtp.example.com:25 within 10 s; {BLOCKED}"),
        ("smtp://u:p@smtp.example.com:2525", LATE),
        ("smtp://localhost:25", LATE),
        ("smtp://127.0.0.1:587", LATE),
    ],
)
def test_a_port_that_platforms_block_is_named_with_what_to_do(url, reason):
    assert unreached_reason(LATE, parse_smtp_url(url)) == reason


@pytest.mark.parametrize("reason", ["did not answer within 10 s", "TLS failed: certificate has expired"])
def test_a_server_that_was_reached_is_not_blocked(reason):
    assert unreached_reason(reason, parse_smtp_url("smtp://smtp.example.com")) == reason


def refusal(resolver):
    """The reason of a submission to port 587 that came to nothing."""
    server = parse_smtp_url("smtp://u:p@smtp.example.com:587")
    submission = Submission(server=server, sender="a@x.test", mail=b"", utf8=False, accepted=[])
    with pytest.raises(Retry) as raised, deadline_after(2, resolver) as deadline:
        submission.send(["b@x.test"], Sessions(server), deadline)
    return raised.value.reason


def test_a_refused_connection_says_that_the_platform_may_block_smtp():
    # Nobody listens at that address of loopback.
    def resolver(_, port, **kind):
        return socket.getaddrinfo("127.200.30.4", port, **kind)

    assert refusal(resolver) == f"could not connect to smtp.example.com:587: connection refused; {BLOCKED}"


def test_a_name_that_nobody_knows_is_no_matter_of_the_port():
    def resolver(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    assert refusal(resolver) == "could not connect: its name is not known"
