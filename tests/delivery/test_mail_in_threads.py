"""Mails of one life, sent by a worker: one conversation for each who gets them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import given
import pytest
from servers.smtp_server import Script, SmtpServer
from working import working

from hub.destinations.email.options import EmailOptions
from hub.ingest.fanout import fan_out
from hub.ingest.route import Rules
from hub.model.delivery import State
from hub.model.event import Event
from hub.model.records import DeliveryRecord
from hub.model.routing import Send
from hub.store.store import Store

BLOCK = {"thread": "{{ data.id }}", "subject": "{{ type }}", "text": "x"}


def rules(server: SmtpServer, **block: Any) -> Rules:
    options = {"smtp_url": server.url, "from": "hub@x.test", "to": ["team@x.test"]}
    place = replace(given.destination("mail"), type="email", options=EmailOptions.model_validate(options))
    send = Send(to="mail", fields={**BLOCK, **block})
    return given.rules(given.route("all", ("*",), send), destinations=(place,))


def event(type_: str, id_: str = "user_1", email: str = "ada@x.test") -> Event:
    body = {"type": type_, "data": {"id": id_, "email": email}}
    return given.event(type_, payload=json.dumps(body).encode())


def deliver(store: Store, today: Rules, *events: Event) -> list[DeliveryRecord]:
    """The deliveries of events that come one after the other, each once it has ended."""

    def records(count: int) -> list[DeliveryRecord]:
        with store.read() as snapshot:
            page = snapshot.delivery_list.records(limit=100)
        over = [record for record in page if record.state in (State.DELIVERED, State.DEAD)]
        return over if len(over) == count else []

    with working(store, today):
        for count, one in enumerate(events, 1):
            fan_out(one, today, store)
            ended = given.until(lambda count=count: records(count))
    return list(reversed(ended))


def test_later_mails_keep_the_first_subject_and_say_their_own(store: Store) -> None:
    with SmtpServer() as server:
        life = [event(type_) for type_ in ("user.created", "user.updated", "user.deleted")]
        deliver(store, rules(server), *life, event("user.created", "user_2"))
        mails = [mail.message for mail in server.wait_for(4)]

    assert [mail["Subject"] for mail in mails] == [
        "user.created",
        "Re: user.created",
        "Re: user.created",
        "user.created",
    ]
    assert [mail.get_content().partition("\r\n")[0] for mail in mails] == [
        "x",
        "user.updated",
        "user.deleted",
        "x",
    ]
    ids = [mail["References"] for mail in mails]
    assert ids[0] == ids[1] == ids[2] != ids[3]


def test_who_did_not_get_the_first_mail_gets_a_first_one(store: Store) -> None:
    with SmtpServer() as server:
        today = rules(server, recipient="{{ data.email }}")
        life = [event("user.created"), event("user.updated", email="bob@x.test")]
        deliver(store, today, *life)
        mails = server.wait_for(2)

    assert [(mail.recipients, mail.message["Subject"]) for mail in mails] == [
        (("ada@x.test",), "user.created"),
        (("bob@x.test",), "user.updated"),
    ]


def test_a_first_mail_that_nobody_got_begins_no_thread(store: Store) -> None:
    with SmtpServer(script=Script(rcpt={"team@x.test": "550 5.1.1 no"})) as server:
        today = rules(server)
        (refused,) = deliver(store, today, event("user.created"))
        server.script = Script()
        with working(store, today):
            fan_out(event("user.updated"), today, store)
            (mail,) = server.wait_for(1)

    assert refused.state is State.DEAD
    assert mail.message["Subject"] == "user.updated"


@pytest.mark.parametrize("words", [{"text": "{{ data.id + 1 }}"}, {"subject": "{{ data.id + 1 }}"}])
def test_a_mail_whose_words_fail_stays_in_its_thread(store: Store, words: dict[str, str]) -> None:
    with SmtpServer() as server:
        life = [event("user.created"), event("user.updated")]
        records = deliver(store, rules(server, **words), *life)
        first, second = (mail.message for mail in server.wait_for(2))

    assert all(record.degraded for record in records)
    assert second["Subject"] == f"Re: {first['Subject']}"
    assert first["References"] == second["References"]
