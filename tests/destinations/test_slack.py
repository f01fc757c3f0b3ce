import json
import re
import socket
import threading
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError
from sending import Answer, HttpContract, attempt, failure, listener
from servers.http_receiver import CannedResponse, Failure, HttpReceiver
from servers.slack_receiver import SlackReceiver, error_of

from hub import __version__, catalog
from hub.destinations.base import find_destination
from hub.destinations.slack.destination import SlackDestination
from hub.destinations.slack.errors import DESTINATION_ERRORS
from hub.destinations.slack.mrkdwn import escape, unescape
from hub.destinations.slack.options import SlackOptions, SlackSend
from hub.errors import Pause, Reject, Retry, TemplateError, Unknown
from hub.model.event import Event
from hub.model.summary import COLOURS, Summary, Tone

MESSAGE = {"text": "hi", "unfurl_links": False, "unfurl_media": False}
NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
HOSTILE = "<!channel> & <https://evil.test|click> &amp;"
ESCAPED = "&lt;!channel&gt; &amp; &lt;https://evil.test|click&gt; &amp;amp;"


def webhook(url):
    return SlackDestination(SlackOptions.model_validate({"webhook_url": url}), "growth")


def bot(api_url, token="xoxb-demo", channel="#sales"):
    options = {"bot_token": token, "channel": channel, "api_url": api_url}
    return SlackDestination(SlackOptions.model_validate(options), "sales")


def composed(renderer, fields, **event):
    return SlackDestination.compose(None, fields, renderer(**event))


class TestSlackWebhook(HttpContract):
    SECRETS = ("T0SECRET", "B0SECRET", "XyZsecretXyZ")
    DELIVERED = (200,)
    REFUSED = {400: Reject, 403: Pause, 404: Pause, 410: Pause, 413: Reject}  # noqa: RUF012
    ANSWERS = (Answer(status=410, body=b"channel_is_archived", error=Pause),)

    def make(self, port, *, host="127.0.0.1", tls=False, resolver=None):
        url = f"{'https' if tls else 'http'}://{host}:{port}/services/T0SECRET/B0SECRET/XyZsecretXyZ"
        return SlackDestination(
            SlackOptions.model_validate({"webhook_url": url}),
            "growth",
            resolver=resolver or socket.getaddrinfo,
        )


class TestSlackBot(HttpContract):
    SECRETS = ("xoxb-secret-token",)
    DELIVERED = ()
    ANSWERS = (Answer(status=200, body=b'{"ok": false, "error": "invalid_auth"}', error=Pause),)
    REFUSED = {400: Reject, 403: Pause, 404: Pause, 410: Pause, 413: Reject}  # noqa: RUF012

    def make(self, port, *, host="127.0.0.1", tls=False, resolver=None):
        options = {
            "bot_token": "xoxb-secret-token",
            "channel": "sales",
            "api_url": f"{'https' if tls else 'http'}://{host}:{port}/api/",
        }
        return SlackDestination(
            SlackOptions.model_validate(options), "sales", resolver=resolver or socket.getaddrinfo
        )


# -- what Slack's answers mean --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "word", "kind"),
    [
        (400, "invalid_payload", Reject),
        (400, "invalid_blocks", Reject),
        (400, "no_text", Reject),
        (400, "too_many_attachments", Reject),
        (403, "invalid_token", Pause),
        (403, "action_prohibited", Pause),
        (404, "channel_not_found", Pause),
        (404, "no_service", Pause),
        (404, "no_team", Pause),
        (410, "channel_is_archived", Pause),
        (500, "rollup_error", Retry),
    ],
)
def test_a_webhooks_word_says_whose_fault_it_is(status, word, kind):
    with HttpReceiver([CannedResponse(status=status, body=word.encode())]) as receiver:
        error, _ = failure(webhook(receiver.url), MESSAGE)

    assert type(error) is kind
    assert error.reason.startswith(f"Slack answered {status} {word}")


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        *((word, Reject) for word in ("invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long")),
        *((word, Reject) for word in ("msg_too_long", "no_text", "invalid_arguments")),
        *((word, Pause) for word in DESTINATION_ERRORS),
        *(
            (word, Retry)
            for word in ("ratelimited", "rate_limited", "service_unavailable", "request_timeout")
        ),
        *((word, Retry) for word in ("something_new",)),
        *((word, Unknown) for word in ("fatal_error", "internal_error")),
    ],
)
def test_a_bots_word_says_whose_fault_it_is(word, kind):
    body = json.dumps({"ok": False, "error": word}).encode()
    with HttpReceiver([CannedResponse(body=body)]) as receiver:
        error, _ = failure(bot(receiver.url + "/api/"), MESSAGE)

    assert (type(error), getattr(error, "throttled", False)) == (
        kind,
        word in ("ratelimited", "rate_limited"),
    )


@pytest.mark.parametrize(
    "body",
    [
        b"<html><title>Sign in to the guest network</title>",
        b"\xef\xbb\xbf\r\n <!DOCTYPE html>",
        b"<script>location='https://portal.test'</script>",
    ],
)
def test_a_webhook_that_answers_with_a_page_has_not_delivered(body):
    with HttpReceiver([CannedResponse(body=body)]) as receiver:
        error, _ = failure(webhook(receiver.url), MESSAGE)

    assert (type(error), error.status) == (Unknown, 200)
    assert error.reason == "answered with a web page, which is not Slack's"
    assert error.answer == body.decode()


@pytest.mark.parametrize("body", [b"ok", b"", b'{"ok":true}', b'{"success":true}', b'{"result":"success"}'])
def test_servers_that_take_slacks_webhooks_have_words_of_their_own(body):
    """Slack itself calls its `ok` text/html."""
    with HttpReceiver([CannedResponse(body=body, headers={"Content-Type": "text/html"})]) as receiver:
        receipt = webhook(receiver.url).send(MESSAGE, attempt())

    assert (receipt.status, receipt.answer) == (200, body.decode())


@pytest.mark.parametrize(
    ("body", "kind", "reason"),
    [
        (b'{"ok": false, "error": "invalid_blocks"}', Reject, "Slack answered invalid_blocks"),
        (b'{"ok": false, "error": "<b>"}', Retry, "Slack answered that it did not take the message"),
        (b'{"success": false}', Retry, "Slack answered that it did not take the message"),
        (
            b'{"ok":false,"error":"no_service"}',
            Pause,
            "Slack answered no_service: the webhook was removed; put the URL of a new one into webhook_url",
        ),
    ],
)
def test_a_webhook_that_says_it_did_not_take_the_message_has_not_delivered(body, kind, reason):
    with HttpReceiver([CannedResponse(body=body)]) as receiver:
        error, _ = failure(webhook(receiver.url), MESSAGE)

    assert (type(error), error.reason, error.answer) == (kind, reason, body.decode())


@pytest.mark.parametrize("status", [400, 413])
def test_a_page_of_a_proxy_is_no_word_of_slacks_about_the_message(status):
    with HttpReceiver([CannedResponse(status=status, body=b"<html>Bad Request</html>")]) as receiver:
        error, _ = failure(webhook(receiver.url), MESSAGE)

    assert (type(error), error.answer) == (Retry, "<html>Bad Request</html>")


def test_a_bots_answer_is_kept():
    with HttpReceiver([CannedResponse(body=b'{"ok": false, "error": "invalid_auth"}')]) as receiver:
        error, _ = failure(bot(receiver.url + "/api/"), MESSAGE)

    assert error.answer == '{"ok": false, "error": "invalid_auth"}'


@pytest.mark.parametrize(
    "body", [b"<html>fine</html>", b"", b"[]", b'"ok"', b'{"ok": false}', b"\xff", b"[" * 60000]
)
def test_an_answer_that_is_not_slacks_leaves_a_bots_message_unknown(body):
    with HttpReceiver([CannedResponse(body=body)]) as receiver:
        error, _ = failure(bot(receiver.url + "/api/"), MESSAGE)

    assert (type(error), error.reason) == (Unknown, "answered with something that is not Slack's")


def test_a_broken_body_leaves_a_bots_message_unknown():
    with HttpReceiver([CannedResponse(body=b'{"ok": tr', failure=Failure.BREAK_BODY)]) as receiver:
        error, _ = failure(bot(receiver.url + "/api/"), MESSAGE)

    assert type(error) is Unknown


def test_the_token_does_not_travel_with_a_redirect():
    with HttpReceiver() as elsewhere:
        with HttpReceiver([CannedResponse(status=302, headers={"Location": elsewhere.url})]) as receiver:
            failure(bot(receiver.url + "/api/"), MESSAGE)
        reached = elsewhere.received

    assert reached == []


# -- against a Slack that is as strict as the real one --------------------------------------------


def test_a_webhook_posts_to_its_channel():
    with SlackReceiver() as slack:
        receipt = webhook(slack.webhook_url).send(MESSAGE, attempt())
        body = slack.messages[0].body

    assert (receipt.status, body) == (200, MESSAGE)


@pytest.mark.parametrize("channel", ["sales", "#sales"])
def test_a_bot_posts_to_its_channel(channel):
    with SlackReceiver() as slack:
        bot(slack.api_url, channel=channel).send(MESSAGE, attempt())
        messages = slack.messages

    assert [(message.channel, message.text) for message in messages] == [("C0000000002", "hi")]


@pytest.mark.parametrize("place", [lambda url: webhook(f"{url}/x"), lambda url: bot(f"{url}/api/")])
def test_a_request_says_once_what_it_holds(place):
    requests = []

    def record(connection, stopping):
        requests.append(connection.recv(10_000).decode().lower())

    with listener(record) as port:
        failure(place(f"http://127.0.0.1:{port}"), MESSAGE)

    assert [request.count("content-type: application/json;charset=utf-8") for request in requests] == [1]
    assert [request.count("content-type") for request in requests] == [1]
    assert [request.count("user-agent:") for request in requests] == [1]


def test_a_webhook_says_who_asks():
    with HttpReceiver([CannedResponse(body=b"ok")]) as receiver:
        webhook(receiver.url).send(MESSAGE, attempt())

    assert receiver.received[0].headers["user-agent"] == f"fanout-hub/{__version__}"


def test_a_wrong_token_pauses_and_says_what_to_do():
    with SlackReceiver() as slack:
        error, _ = failure(bot(slack.api_url, token="xoxb-wrong"), MESSAGE)

    assert (type(error), error.reason) == (
        Pause,
        "Slack answered invalid_auth: the token is not valid; put a new token into bot_token",
    )


def test_messages_of_many_threads_all_arrive():
    with SlackReceiver() as slack:
        place = webhook(slack.webhook_url)
        threads = [threading.Thread(target=place.send, args=(MESSAGE, attempt())) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        messages = slack.messages

    assert len(messages) == 8


@pytest.mark.parametrize("event_type", catalog.event_types())
def test_the_built_in_message_of_every_event_is_taken_by_slack(event_type):
    event = Event(
        id="evt_1",
        source="clerk",
        message_id="m",
        type=event_type,
        payload=catalog.sample_payload(event_type),
        received_at=attempt().at,
    )
    summary = catalog.summarise(event)
    message = SlackDestination.compose_builtin(None, summary, "template failed", "https://hub.test/e/1")

    assert error_of(message) == ""
    assert message["blocks"][0]["type"] == "header"
    assert message["text"].startswith(summary.headline.replace("&", "&amp;")[:50])


# -- composing ------------------------------------------------------------------------------------


def test_text_escapes_what_strangers_wrote_and_not_what_users_wrote(renderer):
    message = composed(renderer, {"text": "<!here> *{{ data.name }}*"}, data={"name": HOSTILE})

    assert message == {"text": f"<!here> *{ESCAPED}*", "unfurl_links": False, "unfurl_media": False}


def test_blocks_escape_too_and_are_verbatim(renderer):
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": "{{ data.name }}"}}]
    message = composed(renderer, {"blocks": blocks}, data={"name": HOSTILE})

    assert message["blocks"][0]["text"] == {"type": "mrkdwn", "text": ESCAPED, "verbatim": True}
    assert message["text"] == ESCAPED


def test_blocks_without_words_fall_back_to_the_built_in_headline(renderer):
    message = composed(renderer, {"blocks": [{"type": "divider"}]})

    assert message["text"]
    assert error_of(message) == ""


def test_a_template_is_mrkdwn(renderer):
    templates = {"slack/new.j2": "new: {{ data.name }}\n"}
    message = composed(renderer, {"template": "slack/new"}, templates=templates, data={"name": "<a>"})

    assert message["text"] == "new: &lt;a&gt;"


def test_no_value_breaks_out_of_a_template_of_blocks(renderer):
    source = (
        'blocks:\n  - type: header\n    text: {type: plain_text, text: "{{ data.name }}", emoji: false}\n'
    )
    name = '"}\n  - type: divider\n#'
    message = composed(
        renderer, {"template": "slack/new"}, templates={"slack/new.blocks.yaml": source}, data={"name": name}
    )

    assert [block["type"] for block in message["blocks"]] == ["header"]
    assert message["blocks"][0]["text"]["text"] == name


@pytest.mark.parametrize(
    "source",
    [
        "- type: section\n  text: {{ data.name }}",
        "- [",
        "just text",
        "- text",
        "[" * 5000,
    ],
)
def test_a_template_that_is_no_list_of_blocks_is_a_template_error(renderer, source):
    with pytest.raises(TemplateError, match=r"^slack/new\.blocks\.yaml"):
        composed(renderer, {"template": "slack/new"}, templates={"slack/new.blocks.yaml": source})


def test_a_message_of_nothing_is_a_template_error(renderer):
    with pytest.raises(TemplateError, match="renders to nothing"):
        composed(renderer, {"text": "{{ data.missing }}"})


def test_empty_texts_are_left_out_and_long_ones_cut(renderer):
    blocks = [
        {"type": "header", "text": {"type": "plain_text", "text": "{{ data.long }}"}},
        {"type": "section", "text": {"type": "mrkdwn", "text": "{{ data.none }}"}},
        {"type": "section", "fields": [{"type": "mrkdwn", "text": t} for t in ["", "a"] * 12]},
        {"type": "section", "text": {"type": "mrkdwn", "text": "{{ data.long }}"}},
        {"type": "context", "elements": [{"type": "mrkdwn", "text": " "}]},
        {"type": "divider"},
    ]
    message = composed(renderer, {"blocks": blocks, "text": "{{ data.long }}"}, data={"long": "&" * 5000})

    assert error_of(message) == ""
    assert [block["type"] for block in message["blocks"]] == ["header", "section", "section", "divider"]
    assert len(message["text"]) < 4000
    assert message["text"].endswith("&amp;…")
    assert len(json.dumps(message["blocks"])) < 8500


def test_a_cut_leaves_no_half_link(renderer):
    message = composed(renderer, {"text": "x" * 3990 + "<https://example.com|here>"})

    assert message["text"] == "x" * 3990 + "…"


def test_the_built_in_message_is_safe_and_whole():
    fields = (("<!here>", HOSTILE + "\nb"), ("Empty", " "))
    summary = Summary(headline=HOSTILE + "\n*x*", fields=fields, details=HOSTILE, time=HOSTILE, at=NOON)
    message = SlackDestination.compose_builtin(None, summary, "bad <b>", "https://hub.test/e/1")
    (header,) = message["blocks"]
    (bar,) = message["attachments"]
    section, context = bar["blocks"]
    moment = f"<!date^1777896000^{{date_short}}, {{time}}|{ESCAPED}>"

    assert (message["text"], header["text"]) == (
        ESCAPED + " *x*",
        {"type": "plain_text", "text": ESCAPED + " *x*", "emoji": False},
    )
    assert [field["text"] for field in section["fields"]] == [f"*&lt;!here&gt;*\n{ESCAPED} b"]
    assert [element["text"] for element in context["elements"]] == [
        f"{ESCAPED} · {moment} · <https://hub.test/e/1|Open in the hub>",
        ":warning: bad &lt;b&gt;",
    ]
    assert bar["fallback"].startswith(f"&lt;!here&gt;: {ESCAPED} b\n{ESCAPED}")
    assert [text for text in re.findall(r"<[^>]*>", json.dumps(message)) if "!date" not in text] == [
        "<https://hub.test/e/1|Open in the hub>"
    ]
    assert error_of(message) == ""


@pytest.mark.parametrize("tone", Tone)
def test_the_bar_beside_the_fields_has_the_tones_colour(tone):
    summary = Summary(headline="Ada signed up", tone=tone, fields=(("Email", "ada@example.com"),))
    message = SlackDestination.compose_builtin(None, summary, None, "")

    assert [bar["color"] for bar in message["attachments"]] == [COLOURS[tone]]


def test_a_headline_with_nothing_beside_it_stands_alone():
    message = SlackDestination.compose_builtin(None, Summary(headline="Ada signed up"), None, "")

    assert message["text"] == "Ada signed up"
    assert "attachments" not in message


def test_a_built_in_message_of_entities_stays_within_slacks_limits():
    field = ("&" * 500, "&" * 500)
    summary = Summary(headline="&" * 500, fields=(field,) * 4, details="&" * 500, time="&" * 500, at=NOON)
    message = SlackDestination.compose_builtin(None, summary, "&" * 500, "https://hub.test/" + "&" * 100)

    assert error_of(message) == ""
    assert 7000 < len(json.dumps(message["blocks"] + message["attachments"])) < 9500
    assert set(re.findall("&[a-z]*;?", json.dumps(message))) == {"&amp;"}


def test_the_text_alone_has_all_that_stands_beside_the_bar():
    fields = (("Email", "ada@example.com"), ("Plan", "Team"))
    summary = Summary(headline="Ada signed up", fields=fields, time="12 Jun")
    message = SlackDestination.compose_builtin(None, summary, None, "")
    alone = SlackDestination.text_alone({**message, "thread": "user_1"})

    assert alone == {
        "text": "Ada signed up\nEmail: ada@example.com\nPlan: Team\n12 Jun",
        "unfurl_links": False,
        "unfurl_media": False,
        "thread": "user_1",
    }
    assert SlackDestination.text_alone(alone) is None


@pytest.mark.parametrize("text", [HOSTILE, "&lt;", "&amp;lt;", "a < b > c & d"])
def test_unescaping_undoes_escaping(text):
    assert unescape(escape(text)) == text
    assert not set(escape(text)) & set("<>")


# -- configuration --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("block", "problem"),
    [
        ({"webhook_url": "hooks.slack.com/hunter22"}, "must be a URL like https://hooks.slack.com"),
        ({"bot_token": "hunter22 x", "channel": "c"}, "must be a token like xoxb-"),
        ({"bot_token": "x", "channel": "#"}, "must be a channel's name or id"),
    ],
)
def test_a_wrong_block_is_explained_without_its_values(block, problem):
    with pytest.raises(ValidationError, match=problem) as raised:
        SlackOptions.model_validate(block)

    assert "hunter22" not in str(raised.value)


@pytest.mark.parametrize(
    ("keys", "problems"),
    [
        ((), ["needs either webhook_url, or bot_token and channel"]),
        (("webhook_url", "bot_token", "channel"), ["needs either webhook_url, or bot_token and channel"]),
        (("bot_token",), ["needs both bot_token and channel to post as a bot"]),
        (("channel", "api_url"), ["needs both bot_token and channel to post as a bot"]),
        (("webhook_url", "api_url"), []),
        (("bot_token", "channel"), []),
    ],
)
def test_the_keys_of_a_block_are_judged_whatever_they_hold(keys, problems):
    assert list(SlackOptions.check_keys(frozenset(keys))) == problems


@pytest.mark.parametrize(
    ("send", "problems"),
    [
        ({"text": "x", "blocks": [{"type": "divider"}]}, []),
        ({"template": "a", "text": "x"}, ["template excludes text and blocks: it is the whole message"]),
    ],
)
def test_a_send_block_is_checked(send, problems):
    assert list(SlackDestination.check(None, SlackSend.model_validate(send))) == problems


def test_describes_itself_by_channel_or_host():
    places = [webhook("https://hooks.slack.com/services/T/B/x"), bot("https://slack.com/api/")]

    assert [place.describe() for place in places] == ["hooks.slack.com", "#sales"]


def test_is_found_by_its_name():
    assert find_destination("slack") is SlackDestination
