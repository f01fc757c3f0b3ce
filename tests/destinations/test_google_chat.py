"""Google Chat: cards that it takes, texts in which nothing of a stranger's works, what its answers mean."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import ClassVar

import pytest
from hostile import HOSTILE
from pydantic import ValidationError
from sending import Answer, HttpContract, attempt, failure
from servers.google_chat_receiver import GoogleChatReceiver, links, pings, problem_of

from hub import catalog
from hub.destinations.base import ShownContext, parts_of
from hub.destinations.google_chat.cards import check_cards
from hub.destinations.google_chat.destination import (
    GoogleChatDestination,
    GoogleChatOptions,
    GoogleChatSend,
    body_of,
)
from hub.destinations.google_chat.markup import escape, spans
from hub.errors import Pause, Reject, Retry, TemplateError, Unknown
from hub.model.event import Event
from hub.model.parts import PartKind, Role
from hub.model.summary import Summary, Tone
from hub.strings import printable_lines

AT = datetime(2026, 6, 12, 17, 12, tzinfo=UTC)
LINK = "https://hub.test/events/evt_1"
NOTE = "Recurring · 12 Jun 2026, 19:12 CEST"
FAILED = Summary(
    headline="Payment of 49.00 USD by Harbor & Pine failed",
    tone=Tone.BAD,
    fields=(("Card", "Visa ending 4242"), ("Email", "tomas@example.com")),
    details="Recurring",
    at=AT,
    time="12 Jun 2026, 19:12 CEST",
)


def place(chat, **options):
    given = {"webhook_url": chat.webhook_url, **options}
    return GoogleChatDestination(GoogleChatOptions.model_validate(given), "sales")


def problem(message):
    return problem_of(json.dumps(body_of(message), ensure_ascii=False).encode())


def refused(status, word, error, **expected):
    body = {"error": {"code": status, "message": expected.pop("message", "as it says"), "status": word}}
    return Answer(status=status, body=json.dumps(body).encode(), error=error, **expected)


class TestGoogleChat(HttpContract):
    SECRETS = ("token-of-ours", "key-of-google")
    SUCCESS = b'{"name": "spaces/AAAA/messages/1", "thread": {"name": "spaces/AAAA/threads/1"}}'
    DELIVERED = (200,)
    REFUSED: ClassVar = {401: Pause, 403: Pause, 404: Pause, 410: Reject}
    ANSWERS: ClassVar = (
        refused(400, "INVALID_ARGUMENT", Reject, words="a form that Google Chat does not take", form=True),
        refused(400, "INVALID_ARGUMENT", Pause, words="copy it again", message="API_KEY_INVALID"),
        refused(401, "UNAUTHENTICATED", Pause, words="copy it again"),
        refused(403, "PERMISSION_DENIED", Pause, words="may not post there"),
        refused(404, "NOT_FOUND", Pause, words="create a new one"),
        refused(400, "FAILED_PRECONDITION", Retry, words="400 Bad Request"),
        refused(429, "RESOURCE_EXHAUSTED", Retry, words="429", throttled=True),
        refused(500, "INTERNAL", Retry, words="500"),
        refused(503, "UNAVAILABLE", Retry, words="503"),
        Answer(status=200, body=b"<html>Sign in to the hotel", error=Unknown, words="not Google Chat's"),
        Answer(status=200, body=b'{"error": {}}', error=Unknown, words="not Google Chat's"),
        Answer(status=400, body=b'{"error": "no"}', error=Retry, words="400 Bad Request"),
    )

    def make(self, port, *, host="127.0.0.1", tls=False, resolver=None):
        url = f"{'https' if tls else 'http'}://{host}:{port}/v1/spaces/AAAA/messages"
        options = {"webhook_url": f"{url}?key=key-of-google&token=token-of-ours%3D"}
        made = GoogleChatOptions.model_validate(options)
        return GoogleChatDestination(made, "sales", **({"resolver": resolver} if resolver else {}))


# -- a message that Google Chat takes -------------------------------------------------------------


def test_the_built_in_message_is_a_card_with_its_sign_in_colour():
    assert body_of(GoogleChatDestination.compose_builtin(None, FAILED, "t.j2: no", LINK)) == {
        "cardsV2": [
            {
                "cardId": "card-1",
                "card": {
                    "sections": [
                        {
                            "widgets": [
                                {
                                    "textParagraph": {
                                        "text": '<font color="#c0392b">⚠</font> '
                                        "<b>Payment of 49.00 USD by Harbor &amp; Pine failed</b>"
                                    }
                                },
                                {
                                    "decoratedText": {
                                        "topLabel": "Card",
                                        "text": "Visa ending 4242",
                                        "wrapText": True,
                                    }
                                },
                                {
                                    "decoratedText": {
                                        "topLabel": "Email",
                                        "text": "tomas@example.com",
                                        "wrapText": True,
                                    }
                                },
                                {"textParagraph": {"text": '<font color="#8a93a1">⚠ t.j2: no</font>'}},
                                {"textParagraph": {"text": f'<font color="#8a93a1">{NOTE}</font>'}},
                                {
                                    "buttonList": {
                                        "buttons": [
                                            {
                                                "text": "Open in the hub",
                                                "onClick": {"openLink": {"url": LINK}},
                                            }
                                        ]
                                    }
                                },
                            ]
                        }
                    ]
                },
            }
        ],
        "fallbackText": "⚠ Payment of 49.00 USD by Harbor & Pine failed",
    }


def test_a_headline_alone_is_a_card_of_one_line():
    message = GoogleChatDestination.compose_builtin(None, Summary(headline="Ada joined"), None, "")

    assert message["cards"][0]["card"] == {
        "sections": [{"widgets": [{"textParagraph": {"text": "<b>Ada joined</b>"}}]}]
    }


def test_a_repeat_is_the_same_message_and_a_new_rendering_is_another():
    with GoogleChatReceiver() as chat:
        destination = place(chat)
        for rendering in (1, 1, 2):
            destination.send({"text": "Hi"}, attempt(rendering=rendering))
        request = chat.http.received[0]
        count = len(chat.messages)

    assert count == 2
    assert request.path.endswith(
        "?key=key-of-google&token=token-of-ours%3D&requestId=dlv_019caa1b5a00a1b2c3d4e5f60718-1"
    )
    assert request.headers["content-type"] == "application/json"


def test_messages_of_one_key_stand_in_one_thread():
    with GoogleChatReceiver() as chat:
        destination = place(chat)
        for number, key in enumerate(("a", "b", "a", "x" * 5000, None)):
            message = {"text": "Hi"} | ({"thread": key} if key else {})
            destination.send(message, attempt(delivery_id=f"dlv_{number}"))
        threads = [message.thread.rpartition("/")[2] for message in chat.messages]

    assert threads == ["1", "2", "1", "4", "5"]


def test_a_whole_url_with_another_key_pauses():
    with GoogleChatReceiver() as chat:
        wrong = chat.webhook_url.replace("key-of-google", "another")
        error, _ = failure(place(chat, webhook_url=wrong), {"text": "Hi"})

    assert (type(error), "copy it again" in error.reason) == (Pause, True)


@pytest.mark.parametrize("event_type", catalog.event_types())
def test_every_built_in_message_is_one_that_google_chat_takes(event_type):
    event = Event(
        id="evt_1",
        source="clerk",
        message_id="msg_1",
        type=event_type,
        payload=catalog.sample_payload(event_type),
        received_at=AT,
    )
    message = GoogleChatDestination.compose_builtin(None, catalog.summarise(event), "t.j2: no", LINK)

    assert problem(message) == ""


# -- what users write -----------------------------------------------------------------------------


def composed(renderer, data=None, templates=(), **fields):
    return GoogleChatDestination.compose(None, fields, renderer(data=data, templates=templates))


def card_of(*widgets, **card):
    return {"sections": [{"widgets": list(widgets)}], **card}


def test_texts_are_escaped_for_their_places(renderer):
    card = card_of(
        {"textParagraph": {"text": "<b>{{ data.n }}</b>"}},
        {"decoratedText": {"topLabel": "{{ data.n }}", "text": "{{ data.n }}", "button": {
            "text": "{{ data.n }}", "onClick": {"openLink": {"url": "https://a.example/?q={{ data.n }}"}}}}},
        header={"title": "{{ data.n }}"},
    )  # fmt: skip
    message = composed(renderer, {"n": "<users/all>&"}, text="*{{ data.n }}*", cards=[card])

    assert message["text"] == "*\u2039users/all>&*"
    assert message["cards"][0]["card"] == {
        "sections": [
            {
                "widgets": [
                    {"textParagraph": {"text": "<b>&lt;users/all&gt;&amp;</b>"}},
                    {
                        "decoratedText": {
                            "topLabel": "\u2039users/all>&",
                            "text": "&lt;users/all&gt;&amp;",
                            "button": {
                                "text": "\u2039users/all>&",
                                "onClick": {"openLink": {"url": "https://a.example/?q=<users/all>&"}},
                            },
                        }
                    },
                ]
            }
        ],
        "header": {"title": "\u2039users/all>&"},
    }
    assert (
        message["fallback_text"] == "\u2039users/all>& \u2039users/all>& \u2039users/all>&: \u2039users/all>&"
    )


def test_the_hubs_own_link_stays_a_link(renderer):
    message = composed(renderer, text="<{{ link }}|Open>")

    assert list(links(message)) == [("Open", LINK)]


def test_a_template_is_text_cards_or_both(renderer):
    cards = "cards: [{sections: [{widgets: [{textParagraph: {text: '{{ data.id }}'}}]}]}]"
    templates = {"c/x.cards.yaml": cards, "c/x.j2": "Hi\n", "c/y.j2": "Ho\n"}

    both = composed(renderer, {"id": "u_1"}, templates, template="c/x")
    alone = composed(renderer, {"id": "u_1"}, templates, template="c/y")

    assert (both["text"], both["cards"][0]["card"]) == ("Hi", card_of({"textParagraph": {"text": "u_1"}}))
    assert alone == {"text": "Ho"}


def test_a_thread_alone_is_the_built_in_message(renderer):
    message = composed(renderer, thread="{{ data.id }}")

    assert message["cards"][0]["card"]["sections"]
    assert list(links(body_of(message))) == [("Open in the hub", LINK)]


def test_cards_may_have_ids_of_their_own(renderer):
    one = {"cardId": "mine", "card": card_of({"divider": {}}, header={"title": "T"})}
    message = composed(renderer, cards=[one, card_of({"divider": {}}, header={"title": "U"})])

    assert [card["cardId"] for card in message["cards"]] == ["mine", "card-2"]
    assert problem(message) == ""


def test_nothing_is_a_failure_of_the_template(renderer):
    with pytest.raises(TemplateError, match="renders to nothing"):
        composed(renderer, {}, text=" ", cards=[card_of({"textParagraph": {"text": "{{ data.n }}"}})])


def test_without_its_form_the_text_is_left():
    cards = [{"cardId": "a", "card": card_of(
        {"textParagraph": {"text": "A &amp; <b>B</b> &lt;users/all&gt;"}},
        {"buttonList": {"buttons": [{"text": "Open", "onClick": {"openLink": {"url": LINK}}}]}},
    )}]  # fmt: skip

    assert GoogleChatDestination.text_alone({"cards": cards, "thread": "k"}) == {
        "text": f"A & B \u2039users/all>\nOpen {LINK}",
        "thread": "k",
    }
    assert GoogleChatDestination.text_alone({"text": "Hi", "cards": cards}) == {"text": "Hi"}
    assert GoogleChatDestination.text_alone({"text": "Hi"}) is None


def test_what_is_empty_or_no_url_is_left_out(renderer):
    card = card_of(
        {"textParagraph": {"text": "{{ data.n }}"}},
        {"decoratedText": {"topLabel": "Name", "text": " "}},
        {"image": {"imageUrl": "logo.png"}},
        {
            "buttonList": {
                "buttons": [{"text": "Go", "onClick": {"openLink": {"url": "javascript:alert(1)"}}}]
            }
        },
        {"columns": {"columnItems": [{"widgets": [{"textParagraph": {"text": ""}}]}]}},
        {"textParagraph": {"text": "x", "textSyntax": "MARKDOWN"}},
        {"divider": {}},
        header={"subtitle": "S"},
    )
    message = composed(renderer, {}, cards=[card, "nonsense", card_of()])

    assert [card["card"] for card in message["cards"]] == [
        card_of({"textParagraph": {"text": "x"}}, {"divider": {}})
    ]
    assert problem(message) == ""


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        ({"text": "é" * 40_000}, ["text"]),
        ({"cards": [card_of({"textParagraph": {"text": "<b>" + "&lt;" * 12_000 + "</b>"}})] * 3}, 3),
        ({"text": "x" * 40_000, "cards": [card_of(*[{"textParagraph": {"text": "é" * 300}}] * 90)] * 5}, 3),
    ],
)
def test_a_message_is_cut_to_its_size_in_bytes(fields, kept, renderer):
    message = composed(renderer, {}, **fields)

    assert problem(message) == ""
    assert (list(message) if isinstance(kept, list) else len(message["cards"])) == kept
    assert len(json.dumps(body_of(message), ensure_ascii=False).encode()) > 10_000


# -- what strangers write -------------------------------------------------------------------------


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_strangers_text_does_nothing_and_is_read_as_it_is(text, renderer):
    summary = Summary(headline=text, fields=((text, text),), details=text, time=text)
    card = card_of(
        {"textParagraph": {"text": "<b>{{ data.n }}</b>"}},
        {"decoratedText": {"topLabel": "{{ data.n }}", "text": "{{ data.n }}"}},
        header={"title": "{{ data.n }}", "subtitle": "{{ data.n }}"},
    )
    messages = [
        GoogleChatDestination.compose_builtin(None, summary, text, ""),
        composed(renderer, {"n": text}, text="_{{ data.n }}_", cards=[card]),
    ]

    for message in messages:
        for form in (message, GoogleChatDestination.text_alone(message)):
            body = body_of(form)
            assert problem(form) == ""
            assert pings(body) == pings({"text": body.get("fallbackText", "")}) == ()
            assert [words for words, url in links(body) if words != url] == []
    (shown,) = parts_of(
        {"cards": [card_of({"textParagraph": {"text": f"{escape_of(text)}"}})]}, "google_chat", ShownContext()
    )
    assert shown.words == printable_lines(text)


def escape_of(text):
    return GoogleChatDestination.escapes[1](text)


def test_a_message_is_shown_part_by_part():
    message = {**GoogleChatDestination.compose_builtin(None, FAILED, None, LINK), "thread": "u_1"}
    headline, fields, note, button, thread = parts_of(message, "google_chat", ShownContext())
    with_notification = parts_of({**message, "fallback_text": "It failed"}, "google_chat", ShownContext())

    assert (headline.words, headline.spans[-1].bold) == (
        "⚠ Payment of 49.00 USD by Harbor & Pine failed",
        True,
    )
    assert (fields.kind, fields.pairs) == (
        PartKind.FIELDS,
        (("Card", "Visa ending 4242"), ("Email", "tomas@example.com")),
    )
    assert (note.role, note.words) == (Role.NOTE, NOTE)
    assert button.words == f"Open in the hub <{LINK}>"
    assert (thread.label, thread.role) == ("thread", Role.NOTE)
    assert [(part.label, part.words) for part in with_notification[4:]] == [
        ("in notifications", "It failed"),
        ("thread", "u_1"),
    ]


def test_chats_own_markup_is_read():
    text = f"*{escape('A<b>')}* and <https://a.example|there> ~no~ `c` snake_case_ *"

    assert [(span.text, span.url) for span in spans(text) if span.url] == [("there", "https://a.example")]
    assert "".join(span.text for span in spans(text)) == "A\u2039b> and there no c snake_case_ *"
    assert next(spans(text)).bold


# -- what is checked before -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "problems"),
    [
        ([card_of({"textParagraph": {"text": "{{ x }}"}}, header={"title": "T"})], []),
        ({"cards": [{"cardId": "a", "card": card_of({"divider": {}})}]}, []),
        ({"sections": []}, [((), "must be a list of cards, not a mapping")]),
        ([{"header": {"title": "T"}}], [((0,), "a card needs sections; add it")]),
        (
            [{"sections": [{"widgets": []}]}],
            [((0, "sections", 0, "widgets"), "has 0 widgets; Google Chat takes 1 to 100")],
        ),
        (
            [card_of({"divider": {}}, header={"subtitle": "T"})],
            [((0, "header"), "a header needs title; add it")],
        ),
        (
            [card_of({"textParagraf": {"text": "x"}})],
            [
                (
                    (0, "sections", 0, "widgets", 0, "textParagraf"),
                    'Google Chat has no widget "textParagraf"; did you mean "textParagraph"?',
                )
            ],
        ),
        (
            [card_of({"textParagraph": {}})],
            [((0, "sections", 0, "widgets", 0, "textParagraph"), "textParagraph needs text; add it")],
        ),
        (
            [card_of({"divider": {}, "image": {"imageUrl": "https://a.example/i.png"}})],
            [
                (
                    (0, "sections", 0, "widgets", 0),
                    "a widget is of one kind, not of 2; make it several widgets",
                )
            ],
        ),
        (
            [card_of({"image": {"imageUrl": "i.png"}})],
            [
                (
                    (0, "sections", 0, "widgets", 0, "image", "imageUrl"),
                    "imageUrl must be a URL that begins with https://",
                )
            ],
        ),
        (
            [card_of({"textParagraph": {"text": "x", "textSyntax": "MARKDOWN"}})],
            [
                (
                    (0, "sections", 0, "widgets", 0, "textParagraph", "textSyntax"),
                    "textSyntax is always HTML here: no value is escaped for another one; take it out",
                )
            ],
        ),
    ],
)
def test_cards_are_held_against_what_google_chat_takes(value, problems):
    assert [(flaw.path, flaw.message) for flaw in check_cards(value)] == problems


@pytest.mark.parametrize(
    "url",
    [
        "chat.googleapis.com/v1/spaces/A/messages?key=a&token=b",
        "https://chat.googleapis.com/v1/spaces/A/messages",
        "https://chat.googleapis.com/v1/spaces/A/messages?key=a",
    ],
)
def test_a_url_that_is_no_webhooks_is_a_problem(url):
    with pytest.raises(ValidationError):
        GoogleChatOptions.model_validate({"webhook_url": url})


@pytest.mark.parametrize(
    ("send", "problems"),
    [
        ({"text": "Hi", "cards": [{}], "thread": "{{ data.id }}"}, []),
        ({"cards": [{}], "template": "x"}, ["template excludes text and cards: it is the whole message"]),
        ({"thread": " "}, ["thread must not be empty: messages with the same key are tied together"]),
    ],
)
def test_a_send_block_is_checked_as_a_whole(send, problems):
    assert list(GoogleChatDestination.check(None, GoogleChatSend.model_validate(send))) == problems
