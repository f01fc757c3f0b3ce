import contextlib
import os
import sys
import threading
import time

import pytest
from sending import attempt

from hub.destinations.console import ConsoleDestination, ConsoleOptions, ConsoleSend
from hub.errors import Retry, Unknown
from hub.model.summary import Summary, Tone


def composed(renderer, fields, **event):
    return ConsoleDestination.compose(None, fields, renderer(**event))


def test_prints_one_line_with_its_name(capsys):
    place = ConsoleDestination(ConsoleOptions(), "log")
    receipt = place.send({"text": "hé"}, attempt())

    assert receipt.detail == "printed"
    assert capsys.readouterr().out == "[log] hé\n"


def test_no_value_forges_a_line(renderer):
    name = "Ada\r\n[log] forged\x1b[2J\u2028\u202e\x85x"
    message = composed(renderer, {"text": "new {{ data.name }}"}, data={"name": name})

    assert message == {"text": "new Ada [log] forged [2J x"}


def test_a_template_is_printed_on_one_line(renderer):
    message = composed(renderer, {"template": "a"}, templates={"a.j2": "x\n{{ type }}\n"})

    assert message == {"text": "x user.created"}


def test_the_built_in_message_is_one_line():
    summary = Summary(headline="Ada\njoined", fields=(("Email", "a@x.test"), ("Via", "web")), details="usr_1")
    message = ConsoleDestination.compose_builtin(None, summary, "bad", "https://hub.test/e/1")

    assert message == {"text": "Ada joined (Email: a@x.test, Via: web, usr_1) https://hub.test/e/1 [bad]"}


@pytest.mark.parametrize(("tone", "sign"), [("good", ""), ("plain", ""), ("watch", "⚠ "), ("bad", "⚠ ")])
def test_somebody_who_should_look_sees_a_sign(tone, sign):
    summary = Summary(headline="Ada left", tone=Tone(tone))

    assert ConsoleDestination.compose_builtin(None, summary, None, "") == {"text": f"{sign}Ada left"}


@pytest.mark.parametrize(
    ("send", "problems"),
    [({"text": "x"}, []), ({"text": "x", "template": "y"}, ["text and template exclude each other"])],
)
def test_a_send_block_is_checked(send, problems):
    assert list(ConsoleDestination.check(None, ConsoleSend.model_validate(send))) == problems


@contextlib.contextmanager
def piped():
    """Let standard output be a pipe; yields the end to read it from."""
    reader, writer = os.pipe()
    with os.fdopen(writer, "w", encoding="utf-8") as stream, contextlib.redirect_stdout(stream):
        yield reader
    os.close(reader)


def fill(descriptor):
    os.set_blocking(descriptor, False)
    try:
        while True:
            os.write(descriptor, b"." * 4096)
    except BlockingIOError:
        os.set_blocking(descriptor, True)


def test_a_line_is_printed_whole_into_a_pipe():
    with piped() as reader:
        ConsoleDestination(ConsoleOptions(), "log").send({"text": "é" * 5000}, attempt())
        printed = os.read(reader, 20_000).decode()

    assert printed == f"[log] {'é' * 5000}\n"


def test_attempts_end_where_nobody_reads():
    place = ConsoleDestination(ConsoleOptions(), "log")
    outcomes = []

    def send():
        with pytest.raises(Retry, match="standard output is not read"):
            place.send({"text": "x"}, attempt(timeout_seconds=0.2))
        outcomes.append("failed")

    threads = [threading.Thread(target=send) for _ in range(4)]
    began = time.monotonic()
    with piped():
        fill(sys.stdout.fileno())
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)

    assert outcomes == ["failed"] * 4
    assert time.monotonic() - began < 20


def test_a_line_of_which_a_part_was_taken_is_unknown():
    place = ConsoleDestination(ConsoleOptions(), "log")
    with piped(), pytest.raises(Unknown, match="a part of the line was taken"):
        place.send({"text": "x" * 200_000}, attempt(timeout_seconds=2.0))


def test_a_reader_that_is_gone_is_a_failure():
    place = ConsoleDestination(ConsoleOptions(), "log")
    with piped() as reader:
        os.dup2(os.open(os.devnull, os.O_RDONLY), reader)
        with pytest.raises(Retry, match="standard output is closed"):
            place.send({"text": "x"}, attempt())
