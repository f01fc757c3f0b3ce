"""Discord: embeds that it takes, texts in which nothing of a stranger's works, the meaning of its answers."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import ClassVar

import pytest
from hostile import HOSTILE
from pydantic import ValidationError
from sending import Answer, HttpContract, attempt
from servers.discord_receiver import DiscordReceiver, code_of, links, pings

from hub import catalog
from hub.destinations.base import ShownContext, parts_of
from hub.destinations.discord.destination import DiscordDestination, DiscordOptions, DiscordSend
from hub.destinations.discord.embeds import check_embeds
from hub.destinations.discord.markdown import escape
from hub.errors import Pause, Reject, Retry, TemplateError, Unknown
from hub.model.event import Event
from hub.model.parts import PartKind, Role
from hub.model.summary import Summary, Tone
from hub.strings import printable_lines
from hub.templating.markdown import cut, seen

AT = datetime(2026, 6, 12, 17, 12, tzinfo=UTC)
LINK = "https://hub.test/events/evt_1"
FAILED = Summary(
    headline="Payment of 49.00 USD by Harbor & Pine failed",
    tone=Tone.BAD,
    fields=(("Card", "Visa ending 4242"), ("Email", "tomas@example.com")),
    details="Recurring",
    at=AT,
    time="12 Jun 2026, 19:12 CEST",
)


def place(url, **options):
    return DiscordDestination(DiscordOptions.model_validate({"webhook_url": url, **options}), "team")


def refused(status, code, error, **expected):
    body = json.dumps({"message": "as it says", "code": code}).encode()
    return Answer(status=status, body=body, error=error, **expected)


def limited(body, headers=(), **expected):
    return Answer(
        status=429,
        body=json.dumps(body).encode(),
        headers=dict(headers),
        error=Retry,
        throttled=True,
        **expected,
    )


class TestDiscord(HttpContract):
    SECRETS = ("token-of-ours",)
    SUCCESS = b'{"id": "1"}'
    DELIVERED = (200, 204)
    REFUSED: ClassVar = {401: Pause, 403: Pause, 404: Pause, 410: Reject}
    ANSWERS: ClassVar = (
        refused(400, 50035, Reject, words="a form that Discord does not take", form=True),
        refused(400, 50006, Reject, words="empty", form=True),
        refused(400, 50109, Reject, words="no JSON", form=True),
        refused(400, 200000, Reject, words="automatic moderation"),
        refused(400, 240000, Reject, words="harmful links"),
        refused(400, 50083, Pause, words="the thread is archived; open it"),
        refused(400, 160005, Pause, words="locked"),
        refused(400, 220001, Pause, words="set thread_id"),
        refused(400, 220003, Pause, words="thread_name"),
        refused(400, 50024, Pause, words="of another one"),
        refused(401, 50027, Pause, words="copy it again"),
        refused(403, 50013, Pause, words="permissions"),
        refused(404, 10015, Pause, words="create a new one"),
        refused(404, 10003, Pause, words="check thread_id"),
        refused(404, 0, Pause, words="check the webhook's URL"),
        refused(400, 99999, Retry, words="400 Bad Request"),
        limited({"retry_after": 0.65, "global": False}, after_seconds=0.65),
        limited({"retry_after": 64.57}, {"Retry-After": "65"}, after_seconds=65.0),
        limited({"retry_after": 1336.57}, {"Retry-After": "1337"}, after_seconds=1337.0),
        limited({"retry_after": 1500}, after_seconds=1.5),
        limited({"retry_after": 10**400}, after_seconds=86.4),
        limited({"retry_after": "soon"}, after_seconds=None),
        Answer(status=429, body=b"error code: 1015", error=Retry, throttled=True),
        Answer(status=200, body=b"<html>Sign in to the hotel", error=Unknown, words="not Discord's"),
        Answer(status=200, body=b'{"ok": true}', error=Unknown, words="not Discord's"),
    )

    def make(self, port, *, host="127.0.0.1", tls=False, resolver=None):
        url = f"{'https' if tls else 'http'}://{host}:{port}/api/webhooks/123/token-of-ours"
        options = DiscordOptions.model_validate({"webhook_url": url})
        return DiscordDestination(options, "team", **({"resolver": resolver} if resolver else {}))


# -- a message that Discord takes -----------------------------------------------------------------


def test_the_built_in_message_has_its_headline_outside_of_the_bar():
    message = DiscordDestination.compose_builtin(None, FAILED, None, LINK)

    assert message == {
        "content": "**Payment of 49.00 USD by Harbor & Pine failed**",
        "embeds": [
            {
                "color": 0xC0392B,
                "fields": [
                    {"name": "Card", "value": "Visa ending 4242", "inline": True},
                    {"name": "Email", "value": "tomas\\@\u200bexample.com", "inline": True},
                    {
                        "name": "\u200b",
                        "value": f"Recurring · <t:{int(AT.timestamp())}:f> · [Open in the hub]({LINK})",
                        "inline": False,
                    },
                ],
            }
        ],
        "allowed_mentions": {"parse": []},
    }


def test_a_warning_stands_above_the_note():
    message = DiscordDestination.compose_builtin(None, Summary(headline="Ada joined"), "t.j2:1: no", LINK)

    assert message["embeds"][0]["description"] == f"⚠ t.j2\\:1\\: no\n[Open in the hub]({LINK})"


def test_a_headline_alone_needs_no_embed():
    message = DiscordDestination.compose_builtin(None, Summary(headline="Ada joined"), None, "")

    assert message == {"content": "**Ada joined**", "allowed_mentions": {"parse": []}}


def test_discord_keeps_a_message_in_the_thread():
    with DiscordReceiver() as discord:
        destination = place(f"{discord.webhook_url}?wait=false&x=1#top", thread_id=77)
        receipt = destination.send(DiscordDestination.compose_builtin(None, FAILED, None, LINK), attempt())
        (message,) = discord.messages
        (request,) = discord.http.received

    assert receipt.status == 200
    assert message.thread_id == "77"
    assert request.path == "/api/webhooks/123/token-of-ours?x=1&wait=true&thread_id=77"
    assert request.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("forum", "options", "words"),
    [
        (True, {}, "set thread_id"),
        (False, {"thread_id": "78"}, "check thread_id"),
    ],
)
def test_a_thread_that_is_not_there_pauses(forum, options, words):
    with DiscordReceiver(forum=forum) as discord, pytest.raises(Pause, match=words):
        place(discord.webhook_url, **options).send({"content": "Hi"}, attempt())


@pytest.mark.parametrize("event_type", catalog.event_types())
def test_every_built_in_message_is_one_that_discord_takes(event_type):
    event = Event(
        id="evt_1",
        source="clerk",
        message_id="msg_1",
        type=event_type,
        payload=catalog.sample_payload(event_type),
        received_at=AT,
    )
    message = DiscordDestination.compose_builtin(None, catalog.summarise(event), "t.j2: no", LINK)

    assert code_of(message) == 0


# -- what users write -----------------------------------------------------------------------------


def composed(renderer, data=None, templates=(), **fields):
    return DiscordDestination.compose(None, fields, renderer(data=data, templates=templates))


def test_texts_are_escaped_where_markdown_is_read_and_only_there(renderer):
    name = "[A](https://evil.example) @here"
    embed = {
        "title": "{{ data.n }}",
        "description": "**{{ data.n }}**",
        "url": "https://a.example/{{ data.id }}",
        "color": "#2e8b57",
        "author": {"name": "{{ data.n }}"},
        "fields": [{"name": "{{ data.n }}", "value": "{{ data.n }}"}],
        "footer": {"text": "{{ data.n }}"},
    }
    message = composed(renderer, {"n": name, "id": "a_b"}, text="{{ data.n }}", embeds=[embed])

    marked, plain = escape(name), "[A](https://evil.example) @\u200bhere"
    assert message["content"] == marked
    assert message["embeds"] == [
        {
            "title": marked,
            "description": f"**{marked}**",
            "url": "https://a.example/a_b",
            "color": 0x2E8B57,
            "author": {"name": plain},
            "fields": [{"name": marked, "value": marked}],
            "footer": {"text": plain},
        }
    ]
    assert list(links(message)) == [(marked, "https://a.example/a_b")]


def test_the_hubs_own_link_stays_a_link(renderer):
    message = composed(renderer, text="[Open]({{ link }})")

    assert list(links(message)) == [("Open", LINK)]


def test_a_template_is_text_embeds_or_both(renderer):
    templates = {"d/x.embeds.yaml": "embeds: [{title: '{{ data.id }}'}]", "d/x.j2": "Hi\n", "d/y.j2": "Ho\n"}

    both = composed(renderer, {"id": "u_1"}, templates, template="d/x")
    alone = composed(renderer, {"id": "u_1"}, templates, template="d/y")

    assert (both["content"], both["embeds"]) == ("Hi", [{"title": "u\\_1"}])
    assert (alone["content"], "embeds" in alone) == ("Ho", False)


def test_a_name_and_an_icon_go_along_where_discord_takes_them(renderer):
    taken = composed(
        renderer, {"n": "Ada"}, text="Hi", username="{{ data.n }}", icon="https://a.example/i.png"
    )
    left_out = composed(renderer, {"n": "My Discord"}, text="Hi", username="{{ data.n }}", icon=":tada:")

    assert (taken["username"], taken["avatar_url"]) == ("Ada", "https://a.example/i.png")
    assert left_out.keys() == {"content", "allowed_mentions"}


def test_a_name_alone_is_that_of_the_built_in_message(renderer):
    message = composed(renderer, username="Growth")

    assert (message["username"], message["content"][:2]) == ("Growth", "**")
    assert list(links(message)) == [("Open in the hub", LINK)]


def test_what_stands_in_for_a_template_that_failed_has_the_same_sender(renderer):
    fields = {"text": "{{", "username": " Growth\n", "icon": "x"}

    assert DiscordDestination.addressed(fields, renderer()) == {"username": "Growth"}


def test_nothing_is_a_failure_of_the_template(renderer):
    with pytest.raises(TemplateError, match="renders to nothing"):
        composed(renderer, {}, text="{{ data.n }}", embeds=[{"title": "{{ data.n }}"}])


def test_without_its_form_the_text_is_left(renderer):
    embeds = [{"title": "T", "description": "D", "fields": [{"name": "a", "value": "b"}]}]

    assert DiscordDestination.text_alone({"content": "Hi", "embeds": embeds})["content"] == "Hi"
    assert DiscordDestination.text_alone({"embeds": embeds}) == {
        "content": "T\nD\na: b",
        "allowed_mentions": {"parse": []},
    }
    assert DiscordDestination.text_alone({"content": "Hi"}) is None
    assert DiscordDestination.text_alone({"content": "Hi", "embeds": []}) is None


def test_what_is_too_large_is_cut_and_what_is_refused_left_out(renderer):
    field = {"name": "n" * 300, "value": "v" * 2000}
    embed = {
        "title": "t" * 300,
        "url": "javascript:alert(1)",
        "color": "red",
        "timestamp": "yesterday",
        "description": "d" * 5000,
        "author": {"name": " ", "url": "https://a.example"},
        "image": {"url": "{{ data.n }}"},
        "fields": [field, {"name": "empty", "value": " "}, *[field] * 40],
        "footer": {"text": "f" * 3000},
    }
    message = composed(renderer, {"n": ""}, text="c" * 3000, embeds=[embed] * 12)

    assert code_of(message) == 0
    assert message["content"] == "c" * 1999 + "…"
    assert message["embeds"][0].keys() == {"title", "description", "footer"}


def test_fields_go_before_other_embeds():
    embeds = [{"title": "a", "fields": [{"name": "n" * 256, "value": "v" * 1000}] * 6}, {"title": "b"}]
    message = DiscordDestination.finished({"embeds": embeds})

    assert [len(embed.get("fields", ())) for embed in message["embeds"]] == [4, 0]
    assert code_of(message) == 0


@pytest.mark.parametrize(
    ("text", "limit", "kept"),
    [
        ("abcdef", 6, "abcdef"),
        ("abcdef", 4, "abc…"),
        ("ab\\*cd", 4, "ab…"),
        ("a @\u200bb", 4, "a @…"),
        ("at <t:1781284320:f> it was", 12, "at…"),
        ("see [words](https://a.example/x)", 20, "see…"),
    ],
)
def test_a_text_is_cut_between_escapes_and_links(text, limit, kept):
    assert cut(text, limit) == kept


# -- what strangers write -------------------------------------------------------------------------


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_strangers_text_does_nothing_and_is_read_as_it_is(text, renderer):
    summary = Summary(headline=text, fields=((text, text),), details=text, time=text)
    embed = {
        "title": "{{ data.n }}",
        "description": "{{ data.n }}",
        "author": {"name": "{{ data.n }}"},
        "fields": [{"name": "{{ data.n }}", "value": "*{{ data.n }}*"}],
        "footer": {"text": "{{ data.n }}"},
    }
    messages = [
        DiscordDestination.compose_builtin(None, summary, text, ""),
        composed(renderer, {"n": text}, text="{{ data.n }}", embeds=[embed], username="{{ data.n }}"),
    ]

    for message in messages:
        assert code_of(message) == 0
        assert list(links(message)) == []
        assert pings({**message, "allowed_mentions": None}) == ()
    assert seen(escape(text)) == printable_lines(text)


def test_what_a_stranger_wrote_is_shown_without_its_escapes():
    summary = Summary(headline="*A* [x](https://evil.example)", fields=(("Email", "a_b@example.com"),), at=AT)
    message = DiscordDestination.compose_builtin(None, summary, None, LINK)
    heading, fields, note = parts_of(message, "discord", ShownContext())

    assert (heading.role, heading.words) == (Role.HEADING, "*A* [x](https://evil.example)")
    assert heading.spans[0].bold
    assert (fields.kind, fields.pairs, fields.tone) == (
        PartKind.FIELDS,
        (("Email", "a_b@example.com"),),
        Tone.PLAIN,
    )
    assert (note.role, note.words) == (Role.NOTE, f"12 Jun 2026, 17:12 UTC · Open in the hub <{LINK}>")


def test_an_embed_is_shown_part_by_part():
    message = {
        "content": "Hi",
        "username": "Growth",
        "embeds": [
            {
                "author": {"name": "A"},
                "title": "T",
                "url": "https://a.example",
                "description": "*D* ~~x~~ `c`",
                "image": {"url": "https://a.example/i.png"},
                "footer": {"text": "F"},
            }
        ],
    }

    assert [part.words for part in parts_of(message, "discord", ShownContext())] == [
        *("Growth", "Hi", "A", "T <https://a.example>", "D x c", "https://a.example/i.png", "F")
    ]


# -- what is checked before -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "problems"),
    [
        ([{"title": "Hi", "fields": [{"name": "a", "value": "{{ b }}"}]}], []),
        ({"embeds": [{"title": "Hi"}]}, []),
        ({"title": "Hi"}, [((), "must be a list of embeds, not a mapping")]),
        ([{}] * 11, [((), "has 11 embeds; Discord takes 1 to 10")]),
        (["Hi"], [((0,), "an embed must be a mapping, not text")]),
        (
            [{"titel": "Hi"}],
            [((0, "titel"), 'Discord has no key of an embed called "titel"; did you mean "title"?')],
        ),
        ([{"fields": [{"name": "a"}]}], [((0, "fields", 0), "a field needs value; add it")]),
        (
            [{"fields": [{"name": "", "value": "b"}]}],
            [((0, "fields", 0, "name"), '"name" of a field is empty, which Discord refuses')],
        ),
        ([{"footer": {}}], [((0, "footer"), "a footer needs text; add it")]),
        (
            [{"image": {"url": "logo.png"}}],
            [((0, "image", "url"), '"url" must be a URL that begins with https:// or http://')],
        ),
        ([{"title": "t" * 257}], [((0, "title"), '"title" has 257 characters; Discord takes at most 256')]),
        ([{"color": "red"}], [((0, "color"), '"color" must be like "#2e8b57", or a number')]),
        ([{"color": "{{ c }}", "url": "${URL}"}], []),
    ],
)
def test_embeds_are_held_against_what_discord_takes(value, problems):
    assert [(flaw.path, flaw.message) for flaw in check_embeds(value)] == problems


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"webhook_url": "discord.com/api/webhooks/1/t"}, "must be a URL"),
        ({"webhook_url": "https://discord.com/api/webhooks/1/t/slack"}, "take /slack or /github off"),
        ({"webhook_url": "https://discord.com/api/webhooks/1/t", "thread_id": "general"}, "the thread's id"),
    ],
)
def test_options_that_cannot_be_are_problems(options, words):
    with pytest.raises(ValidationError, match=words):
        DiscordOptions.model_validate(options)


@pytest.mark.parametrize(
    ("send", "problems"),
    [
        ({"text": "Hi", "embeds": [{}]}, []),
        ({"text": "Hi", "template": "x"}, ["template excludes text and embeds: it is the whole message"]),
        (
            {"username": "Our Discord"},
            ['username must not have "Discord" in it: Discord refuses that'],
        ),
    ],
)
def test_a_send_block_is_checked_as_a_whole(send, problems):
    assert list(DiscordDestination.check(None, DiscordSend.model_validate(send))) == problems
