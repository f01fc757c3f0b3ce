"""Mail through a server that this project did not write, read back from its mailboxes."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count as counting
from typing import Any

import pytest
from faults.conftest import Count
from servers.postfix import DOMAIN, Postfix, missing
from servers.program import wait_until

from hub.destinations.email.destination import EmailDestination
from hub.destinations.email.options import EmailOptions
from hub.errors import Reject
from hub.model.delivery import Receipt, SendContext
from hub.model.thread import Thread
from hub.transport.smtp_sessions import MAILS_LIMIT, RESET_SECONDS

ADA, BOB, ZOE = f"ada@{DOMAIN}", f"bob@{DOMAIN}", f"zoë@{DOMAIN}"
NAMES = [
    "Mara Lindqvist signed up",
    "Ωμέγα & Жанна joined Hafen & Föhre as Mitglied",
    "渡辺 直美 さんが登録しました " * 6,
    "مرحبا بالعالم שלום עולם नमस्ते दुनिया",
    "🎉 Zoë\u200d🚀 and a name that is longer than any line of a mail may be " * 4,
    "Hi\r\nBcc: evil@evil.test =?utf-8?q?=0ABcc=3A_evil@evil.test?= x",
    "Eve <eve@evil.test>, Bob <bob@evil.test> and a name that is longer than a line of a mail may be",
    "",
]
BODIES = [
    ".\n..two dots\n\nlast\n",
    "Grüße aus Köln, 8 bit: ÿ þ €\n",
    "a line without an end " * 300 + "\n",
    "From here on\n>From there on\n",
]
numbers = counting(1)


@pytest.fixture(scope="module")
def postfix() -> Iterator[Postfix]:
    if (reason := missing()) is not None:
        pytest.skip(reason)
    with Postfix("ada", "bob", "zoë") as server:
        yield server


@pytest.fixture
def place(postfix: Postfix) -> Iterator[EmailDestination]:
    block = {"smtp_url": postfix.url, "from": "The Hub <hub@x.test>", "to": [ADA]}
    place = EmailDestination(EmailOptions.model_validate(block), "mail")
    yield place
    place.close()


def send(place: EmailDestination, message: dict[str, Any], thread: Thread | None = None) -> Receipt:
    number = next(numbers)
    context = SendContext(
        delivery_id=f"dlv_019caa1b5a00{number:016x}",
        event_id="evt_1",
        event_type="user.created",
        payload=b"{}",
        attempt_number=1,
        at=datetime(2026, 3, 1, tzinfo=UTC),
        timeout_seconds=60.0,
        thread=thread,
    )
    return place.send({"subject": f"Mail {number}", "text": "hello\n", **message}, context)


def words(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize("name", NAMES)
def test_names_and_subjects_of_every_script_arrive(
    postfix: Postfix, place: EmailDestination, name: str
) -> None:
    before = len(postfix.wait_for("ada", 0))
    send(place, {"subject": f"{name} ."[:200], "to": [f"{name} <{ADA}>"]})
    mail = postfix.wait_for("ada", before + 1)[-1]
    (reader,) = mail["To"].addresses

    expected = words(" ".join(f"{name} ."[:200].replace("=?", "= ?").split()))
    assert (words(mail["Subject"]), reader.addr_spec) == (expected, ADA)
    assert words(name.replace("=?", "= ?")).startswith(words(reader.display_name).rstrip("…"))
    assert (mail["Bcc"], mail["From"]) == (None, "The Hub <hub@x.test>")


@pytest.mark.parametrize("body", BODIES)
def test_bodies_arrive_as_they_are(postfix: Postfix, place: EmailDestination, body: str) -> None:
    before = len(postfix.wait_for("ada", 0))
    send(place, {"text": body, "html": f"<p>{body}</p>", "headers": [["X-Team", "Wachstum für alle"]]})
    mail = postfix.wait_for("ada", before + 1)[-1]
    plain, html = mail.get_body(("plain",)), mail.get_body(("html",))

    assert plain is not None
    assert html is not None
    assert plain.get_content().replace("\r\n", "\n") == body
    assert html.get_content().replace("\r\n", "\n") == f"<p>{body}</p>\n"
    assert mail["X-Team"] == "Wachstum für alle"


def test_of_several_recipients_one_is_refused_and_the_others_have_the_mail(
    postfix: Postfix, place: EmailDestination
) -> None:
    before = {name: len(postfix.wait_for(name, 0)) for name in ("ada", "bob", "zoë")}
    with pytest.raises(Reject) as raised:
        send(place, {"to": [ADA, f"nobody@{DOMAIN}"], "cc": [f"Bob, the other <{BOB}>"], "bcc": [ZOE]})
    mails = [postfix.wait_for(name, before[name] + 1)[-1] for name in ("ada", "bob", "zoë")]

    assert raised.value.accepted == (ADA, BOB, ZOE)
    assert "nobody@x.test (550 5.1.1" in raised.value.reason
    assert [str(mail["To"]) for mail in mails] == [f"{ADA}, nobody@{DOMAIN}"] * 3
    assert [str(mail["Cc"]) for mail in mails] == [f'"Bob, the other" <{BOB}>'] * 3
    assert [mail["Bcc"] for mail in mails] == [None] * 3


def test_a_thread_is_tied_by_what_arrives(postfix: Postfix, place: EmailDestination) -> None:
    before = len(postfix.wait_for("ada", 0))
    kept = send(place, {"thread": "inv_1", "subject": "Ada was invited"}, Thread(id="t")).thread or {}
    first = postfix.wait_for("ada", before + 1)[-1]
    later = {"thread": "inv_1", "subject": "Ada accepted", "text": "It is so.\n"}
    send(place, later, Thread(id="t", kept=kept))
    second = postfix.wait_for("ada", before + 2)[-1]

    assert (first["Subject"], second["Subject"]) == ("Ada was invited", "Re: Ada was invited")
    assert second.get_content() == "Ada accepted\n\nIt is so.\n"
    assert first["References"] == second["References"] == second["In-Reply-To"]
    assert first["Message-ID"] != second["Message-ID"]


def connections_of(ids: set[str], log: str) -> int:
    """Return over how many connections the mails of these ids came; the log tells late of what was before."""
    begun: Counter[str] = Counter()
    used = set()
    for process, id_ in re.findall(r"smtpd\[(\d+)\]: (?:connect from|(\w+): client=)", log):
        begun[process] += not id_
        used |= {(process, begun[process])} if id_ in ids else set()
    return len(used)


def test_a_batch_goes_over_one_connection(
    postfix: Postfix, place: EmailDestination, count: Count, is_full: bool
) -> None:
    mails = 300 if is_full else 20
    before = len(postfix.wait_for("bob", 0))
    began = time.monotonic()
    for _ in range(mails):
        send(place, {"to": [BOB]})
    seconds = time.monotonic() - began
    arrived = postfix.wait_for("bob", before + mails)[before:]
    ids = {re.findall(r"\(Postfix\) with \w+ id (\w+)", mail["Received"])[0] for mail in arrived}
    wait_until(lambda: all(f" {id_}: client=" in postfix.log for id_ in ids), "the log of all")
    used = connections_of(ids, postfix.log)
    count(deliveries=mails, connections=used, lost=0)

    # One that answers a reset too late for a session is asked on another.
    assert used <= 1 + mails // MAILS_LIMIT + seconds // RESET_SECONDS
