"""The contract of every destination that sends over a network, as tests to inherit."""

import contextlib
import logging
import socket
import threading
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import ClassVar

import given
import pytest
from servers.http_receiver import CannedResponse, Failure, HttpReceiver

from hub.errors import Reject, Retry, SendError, Unknown
from hub.model.delivery import SendContext
from hub.model.summary import Summary

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TIMEOUT_SECONDS = 0.15
LONGER_TIMEOUTS_SECONDS = (TIMEOUT_SECONDS, 2.0, 10.0)
"""Of attempts that must connect before they end: a machine that has no time for it in the first gets more."""

GRACE_SECONDS = 20.0
"""A machine that is busy with other tests is slow; what is not bounded takes a minute, or for ever."""

SUMMARY = Summary(headline="Ada joined", fields=(("Email", "ada@example.com"),))


def attempt(**changes):
    usual = {
        "delivery_id": "dlv_019caa1b5a00a1b2c3d4e5f60718",
        "event_id": "evt_1",
        "event_type": "user.created",
        "payload": b'{"type": "user.created"}',
        "attempt_number": 1,
        "at": AT,
        "timeout_seconds": 30.0,
    }
    return SendContext(**(usual | changes))


def failure(destination, message, **changes):
    """The error that an attempt ends with, and how many seconds it took."""
    began = time.monotonic()
    with pytest.raises(SendError) as raised:
        destination.send(message, attempt(**changes))
    return raised.value, time.monotonic() - began


@contextlib.contextmanager
def listener(behave):
    """A server on loopback that treats each connection as `behave(connection, stopping)` does."""
    stopping = threading.Event()

    def converse(connection):
        with connection, contextlib.suppress(OSError):
            behave(connection, stopping)

    def accept():
        with contextlib.suppress(OSError):
            while True:
                connection, _ = server.accept()
                threading.Thread(target=converse, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=accept, daemon=True).start()
        try:
            yield server.getsockname()[1]
        finally:
            stopping.set()
            # A thread in accept() holds on to the port until it is woken.
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)


def say_nothing(connection, stopping):
    stopping.wait(60)


def close_at_once(connection, stopping):
    pass


def flood(connection, stopping):
    while not stopping.is_set():
        connection.sendall(b"250-a" * 10_000)


def drip(connection, stopping):
    while not stopping.wait(0.02):
        connection.sendall(b"2")


def hanging_resolver(*_, **__):
    time.sleep(60)
    return []


def unknown_name(*_, **__):
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


class SendingContract:
    """For each type: `SECRETS`, and `make` with the host and port to send to."""

    SECRETS: tuple[str, ...]

    def make(self, port, *, host="127.0.0.1", tls=False, **options):
        raise NotImplementedError

    def message(self, destination):
        return destination.compose_builtin(destination.options, SUMMARY, None, "")

    def fail(self, destination, **changes):
        """The error of one attempt, checked for what no error may do."""
        error, seconds = failure(destination, self.message(destination), **changes)
        assert seconds < changes.get("timeout_seconds", 30.0) + GRACE_SECONDS
        assert error.reason.isprintable()
        assert len(error.reason) <= 300
        self.check_hidden(error.reason, "".join(traceback.format_exception(error)))
        return error

    def fail_connected(self, destination):
        """The error of an attempt that ends by its time-out once it has connected, and that time-out."""
        for timeout_seconds in LONGER_TIMEOUTS_SECONDS:
            error = self.fail(destination, timeout_seconds=timeout_seconds)
            if not error.reason.startswith("could not connect within"):
                break
        return error, timeout_seconds

    def check_hidden(self, *texts):
        assert [secret for secret in self.SECRETS for text in texts if secret in text] == []

    def test_a_refused_connection_is_a_retry(self):
        with given.refusing_port() as port:
            error = self.fail(self.make(port))

        assert (type(error), error.reason) == (Retry, "could not connect: connection refused")

    def test_a_name_that_nobody_knows_is_a_retry(self):
        error = self.fail(self.make(9, host="nowhere.test", resolver=unknown_name))

        assert (type(error), error.reason) == (Retry, "could not connect: its name is not known")

    def test_a_look_up_that_hangs_ends_with_the_attempt(self):
        destination = self.make(9, host="nowhere.test", resolver=hanging_resolver)
        error = self.fail(destination, timeout_seconds=TIMEOUT_SECONDS)

        assert (type(error), error.reason) == (Retry, f"could not connect within {TIMEOUT_SECONDS:g} s")

    @pytest.mark.parametrize("behave", [say_nothing, drip, flood])
    def test_no_answer_outlives_the_attempt(self, behave):
        with listener(behave) as port:
            error = self.fail(self.make(port), timeout_seconds=TIMEOUT_SECONDS)

        assert isinstance(error, Retry | Unknown)

    def test_a_connection_that_closes_at_once_is_no_success(self):
        with listener(close_at_once) as port:
            error = self.fail(self.make(port))

        assert isinstance(error, Retry | Unknown)

    def test_a_tls_handshake_that_hangs_is_a_retry_at_the_end_of_the_attempt(self):
        with listener(say_nothing) as port:
            error = self.fail(self.make(port, tls=True), timeout_seconds=TIMEOUT_SECONDS)

        assert (type(error), error.reason) == (Retry, f"could not connect within {TIMEOUT_SECONDS:g} s")

    def test_an_unknown_authority_is_a_retry_before_anything_was_sent(self, tls):
        with HttpReceiver(tls=tls) as receiver:
            error = self.fail(self.make(receiver.port, tls=True))

        assert type(error) is Retry
        assert error.reason.startswith("TLS failed: self-signed certificate")
        assert receiver.received == []

    def test_shows_no_secret(self, caplog):
        caplog.set_level(logging.DEBUG)
        with listener(close_at_once) as port:
            destination = self.make(port)
            self.fail(destination)

        self.check_hidden(repr(destination.options), str(destination.options), destination.describe())
        self.check_hidden(repr(self.message(destination)), caplog.text)

    def test_serves_threads_at_once(self):
        all_are_there = threading.Barrier(4)

        def wait_for_the_others(connection, stopping):
            all_are_there.wait(20)

        with listener(wait_for_the_others) as port:
            arguments = {"target": self.fail, "args": (self.make(port),), "kwargs": {"timeout_seconds": 30.0}}
            threads = [threading.Thread(**arguments) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        assert not all_are_there.broken


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An answer that a place documents, and the error that it is; `words` stand in the reason."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    error: type[SendError]
    words: str = ""
    form: bool = False
    throttled: bool = False
    after_seconds: float | None = None

    def __str__(self):
        return f"{self.status} {self.body[:40].decode(errors='replace')}"


class HttpContract(SendingContract):
    """For types that speak HTTP: what each answer means. `REFUSED` are the statuses that are no Retry."""

    DELIVERED: tuple[int, ...] = (200, 201, 202, 204, 299)
    SUCCESS = b""
    """The body with which it says that it has the message."""
    ANSWERS: ClassVar[tuple[Answer, ...]] = (Answer(status=410, body=b"gone", error=Reject),)
    """Answers of its own, by its documents: each code that it is known to send."""
    REFUSED: ClassVar[dict[int, type[SendError]]] = {410: Reject}
    UNASKED_REST: float | None = None
    """The rest after a 429 that does not say for how long, in seconds."""

    def answered(self, answer, **changes):
        with HttpReceiver([answer]) as receiver:
            return self.fail(self.make(receiver.port), **changes)

    def test_success_is_delivered(self):
        with HttpReceiver(
            [CannedResponse(status=status, body=self.SUCCESS) for status in self.DELIVERED]
        ) as receiver:
            destination = self.make(receiver.port)
            message = self.message(destination)
            statuses = [destination.send(message, attempt()).status for _ in self.DELIVERED]

        assert statuses == list(self.DELIVERED)

    @pytest.mark.parametrize(
        "status", [301, 302, 307, 400, 401, 403, 404, 408, 410, 413, 418, 425, 429, 500, 502, 503, 504, 599]
    )
    def test_any_other_status_is_no_success(self, status):
        error = self.answered(
            CannedResponse(status=status, body=b"\x1b[31m" + " ".join(self.SECRETS).encode())
        )

        assert type(error) is self.REFUSED.get(status, Retry)
        assert error.status == status
        assert str(status) in error.reason
        assert error.answer.startswith("\x1b[31m")

    def test_answers_of_its_own_have_the_meaning_that_it_documents(self, answer):
        error = self.answered(CannedResponse(status=answer.status, headers=answer.headers, body=answer.body))

        assert type(error) is answer.error
        assert answer.words in error.reason
        assert (getattr(error, "form", False), getattr(error, "throttled", False)) == (
            answer.form,
            answer.throttled,
        )
        assert getattr(error, "after_seconds", None) == answer.after_seconds

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_a_redirect_is_not_followed(self, status):
        with HttpReceiver() as elsewhere:
            error = self.answered(CannedResponse(status=status, headers={"Location": elsewhere.url}))
            reached = elsewhere.received

        assert error.reason == f"answered with a redirect ({status}), which is not followed"
        assert reached == []

    @pytest.mark.parametrize(
        ("header", "seconds"),
        [
            ("7", 7.0),
            ("1.5", 1.5),
            ("86400.5", 86400.0),
            ("0", 0.0),
            ("999999999", 86400.0),
            ("Sun, 01 Mar 2026 12:00:30 GMT", 30.0),
            ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
            ("Wed, 01 Apr 2026 12:00:00 GMT", 86400.0),
            ("-5", None),
            ("1.5.2", None),
            ("1e3", None),
            ("soon", None),
            ("", None),
        ],
    )
    def test_retry_after_is_heeded(self, header, seconds):
        error = self.answered(CannedResponse(status=429, headers={"retry-after": header}))

        expected = self.UNASKED_REST if seconds is None else seconds
        assert (type(error), error.throttled, error.after_seconds) == (Retry, True, expected)

    def test_retry_after_of_another_status_does_not_throttle(self):
        error = self.answered(CannedResponse(status=503, headers={"Retry-After": "9"}))

        assert (error.throttled, error.after_seconds) == (False, 9.0)

    @pytest.mark.parametrize("failure", [Failure.CLOSE, Failure.CLOSE_HALFWAY, Failure.GARBAGE])
    def test_a_connection_that_breaks_after_the_request_is_unknown(self, failure):
        error = self.answered(CannedResponse(failure=failure))

        assert type(error) is Unknown

    @pytest.mark.parametrize("failure", [Failure.HANG, Failure.DRIP_HEADERS])
    def test_an_answer_that_does_not_come_in_time_is_unknown(self, failure):
        with HttpReceiver([CannedResponse(failure=failure)]) as receiver:
            error, seconds = self.fail_connected(self.make(receiver.port))

        assert (type(error), error.reason) == (Unknown, f"did not answer within {seconds:g} s")

    @pytest.mark.parametrize("status", [103, 199])
    def test_an_interim_answer_is_no_answer(self, status):
        error = self.answered(CannedResponse(status=status))

        assert type(error) is Unknown

    def test_no_log_holds_a_secret_or_the_message(self, caplog):
        caplog.set_level(logging.DEBUG)
        self.answered(CannedResponse(status=500, headers={"Retry-After": "1"}, body=b"no"))

        self.check_hidden(caplog.text)
        assert SUMMARY.headline not in caplog.text

    def test_interim_answers_without_end_end(self):
        def go_on(connection, stopping):
            connection.recv(1000)
            while not stopping.is_set():
                connection.sendall(b"HTTP/1.1 100 Continue\r\nX: %s\r\n\r\n" % (b"a" * 60_000))

        with listener(go_on) as port:
            error = self.fail(self.make(port), timeout_seconds=60.0)

        assert (type(error), "within" in error.reason) == (Unknown, False)

    def test_is_never_sent_twice_by_itself(self):
        with HttpReceiver([CannedResponse(failure=Failure.CLOSE)] * 2) as receiver:
            self.fail(self.make(receiver.port))
            requests = receiver.received

        assert len(requests) == 1

    def test_takes_a_certificate_of_a_known_authority(self, tls, trusted):
        with HttpReceiver([CannedResponse(status=500)], tls=tls) as receiver:
            error = self.fail(self.make(receiver.port, tls=True))

        assert error.status == 500

    def test_tls_answers_are_bounded_too(self, tls, trusted):
        with HttpReceiver([CannedResponse(failure=Failure.DRIP_HEADERS)], tls=tls) as receiver:
            error, seconds = self.fail_connected(self.make(receiver.port, tls=True))

        assert (type(error), error.reason) == (Unknown, f"did not answer within {seconds:g} s")

    def test_a_certificate_of_another_name_is_refused(self, tls, trusted):
        with HttpReceiver(tls=tls) as receiver:
            elsewhere = self.make(
                receiver.port,
                host="other.test",
                tls=True,
                resolver=lambda _, port, **kind: socket.getaddrinfo("127.0.0.1", port, **kind),
            )
            error = self.fail(elsewhere)

        assert type(error) is Retry
        assert error.reason.startswith("TLS failed: Hostname mismatch")
