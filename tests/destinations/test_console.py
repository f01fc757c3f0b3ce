import pytest
from sending import attempt

from hub.destinations.console import ConsoleDestination, ConsoleOptions, ConsoleSend
from hub.model.event import Summary


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
    summary = Summary(headline="Ada\njoined", fields=(("Email", "a@x.test"), ("Via", "web")))
    message = ConsoleDestination.compose_builtin(None, summary, "bad", "https://hub.test/e/1")

    assert message == {"text": "Ada joined (Email: a@x.test, Via: web) https://hub.test/e/1 [bad]"}


@pytest.mark.parametrize(
    ("send", "problems"),
    [({"text": "x"}, []), ({"text": "x", "template": "y"}, ["text and template exclude each other"])],
)
def test_a_send_block_is_checked(send, problems):
    assert list(ConsoleDestination.check(None, ConsoleSend.model_validate(send))) == problems
