import json

import pytest

from servers.google_chat_receiver import links, pings, problem_of

WIDGET = {"textParagraph": {"text": "x"}}


def card(*widgets):
    return {"cardsV2": [{"card": {"sections": [{"widgets": list(widgets)}]}}]}


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"text": "x"}, ""),
        (card(WIDGET), ""),
        ({}, "Message cannot be empty."),
        ({"text": " "}, "Message cannot be empty."),
        ({"content": "x"}, "Unknown name \"content\" at 'message': Cannot find field."),
        ({"text": 1}, "Invalid value at 'message.text' (TYPE_STRING)"),
        (card(), "message.cardsV2[0].card.sections[0].widgets is required"),
        (
            card({"textParagraph": {}}),
            "message.cardsV2[0].card.sections[0].widgets[0].textParagraph.text is required",
        ),
        (
            card({"divider": {}, **WIDGET}),
            "message.cardsV2[0].card.sections[0].widgets[0]: a widget has one kind of data",
        ),
        ({"cardsV2": card(WIDGET)["cardsV2"] * 2}, "cardId is required"),
        ({"text": "é" * 16_000}, "Message is too long."),
        ({"text": "x", "thread": {"threadKey": "k" * 4001}}, "Thread key is too long."),
    ],
)
def test_what_google_chat_refuses(body, problem):
    assert problem_of(json.dumps(body, ensure_ascii=False).encode()) == problem


def test_mentions_and_links_are_found():
    text = "<users/all> <users/123> <https://evil.example|Sign in> https://a.example"
    button = {
        "buttonList": {"buttons": [{"text": "Go", "onClick": {"openLink": {"url": "https://b.example"}}}]}
    }
    anchor = {"textParagraph": {"text": '<a href="https://c.example">here</a>'}}

    assert pings({"text": text}) == ("<users/all>", "<users/123>")
    assert list(links({"text": text, **card(anchor, button)})) == [
        ("Sign in", "https://evil.example"),
        ("https://a.example", "https://a.example"),
        ("here", "https://c.example"),
        ("Go", "https://b.example"),
    ]
