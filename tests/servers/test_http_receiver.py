import http.client

import pytest

from servers.http_receiver import CannedResponse, Failure, HttpReceiver
from servers.program import free_port


def connect(receiver):
    return http.client.HTTPConnection("127.0.0.1", receiver.port, timeout=30)


def ask(connection, method="POST", path="/a", body=b"hello"):
    connection.request(method, path, body, {"X-Tag": "1"})
    answer = connection.getresponse()
    return answer.status, answer.read()


def test_records_its_requests_and_answers_in_turn():
    with HttpReceiver([CannedResponse(status=503, body=b"later")]) as receiver:
        connection = connect(receiver)
        answers = [ask(connection), ask(connection, "PUT", "/b?c=d", b"")]
        first, second = receiver.wait_for(2)

    assert answers == [(503, b"later"), (200, b"")]
    assert (first.method, first.path, first.body, first.headers["x-tag"]) == ("POST", "/a", b"hello", "1")
    assert (second.method, second.path, second.connection) == ("PUT", "/b?c=d", first.connection)


def test_answers_by_a_function_of_the_request():
    with HttpReceiver(respond=lambda received: CannedResponse(body=received.body[::-1])) as receiver:
        answer = ask(connect(receiver))

    assert answer == (200, b"olleh")


@pytest.mark.parametrize(
    "failure", [Failure.CLOSE, Failure.CLOSE_HALFWAY, Failure.GARBAGE, Failure.BREAK_BODY]
)
def test_a_failure_is_a_failure_and_is_recorded(failure):
    with HttpReceiver([CannedResponse(failure=failure)]) as receiver:
        with pytest.raises((http.client.HTTPException, OSError)):
            ask(connect(receiver))
        requests = receiver.wait_for(1)

    assert len(requests) == 1


@pytest.mark.parametrize(
    "failure", [Failure.HANG, Failure.DRIP_HEADERS, Failure.DRIP_BODY, Failure.ENDLESS_BODY]
)
def test_an_answer_without_end_ends_with_the_receiver(failure):
    with HttpReceiver([CannedResponse(failure=failure)]) as receiver:
        connection = connect(receiver)
        connection.request("POST", "/", b"x")
        receiver.wait_for(1)

    assert ends_in_time(connection)


def ends_in_time(connection):
    """Return whether the rest of a response ends, proper or not, before the connection times out."""
    try:
        connection.getresponse().read()
    except TimeoutError:
        return False
    except (http.client.HTTPException, OSError):
        return True
    return True


def test_comes_back_on_the_same_port():
    port = free_port()
    with HttpReceiver(port=port):
        pass
    with HttpReceiver(port=port) as receiver:
        answer = ask(connect(receiver))

    assert answer == (200, b"")


def test_waiting_for_what_does_not_come_ends():
    with HttpReceiver() as receiver, pytest.raises(TimeoutError, match="0 arrived"):
        receiver.wait_for(1, 0.05)
