import json
import urllib.error
import urllib.request

import pytest

from servers.discord_receiver import DiscordReceiver, code_of


def post(url, body):
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_without_wait_a_message_that_is_not_kept_is_no_error():
    with DiscordReceiver() as discord:
        answers = [post(discord.webhook_url + query, {"content": ""})[0] for query in ("", "?wait=true")]
        kept = discord.messages

    assert (answers, kept) == ([204, 400], [])


def test_who_is_notified_depends_on_allowed_mentions():
    with DiscordReceiver() as discord:
        for mentions in ({}, {"allowed_mentions": {"parse": []}}):
            post(discord.webhook_url, {"content": r"@everyone \@here <@1>", **mentions})
        pings = [message.pings for message in discord.messages]

    assert pings == [("@everyone", "<@1>"), ()]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"content": "c" * 2000}, 0),
        ({"content": "c" * 2001}, 50035),
        ({"content": " "}, 50006),
        ({"embeds": [{"color": 1}]}, 50006),
        ({"embeds": [{"title": "t"}] * 11}, 50035),
        ({"embeds": [{"title": "t" * 257}]}, 50035),
        ({"embeds": [{"description": "d" * 4096}, {"description": "d" * 1905}]}, 50035),
        ({"embeds": [{"fields": [{"name": "a", "value": " "}]}]}, 50035),
        ({"embeds": [{"title": "t", "url": "javascript:x"}]}, 50035),
        ({"embeds": [{"title": "t", "color": "#fff"}]}, 50035),
        ({"content": "c", "username": "My discord"}, 50035),
    ],
)
def test_what_discord_refuses(body, code):
    assert code_of(body) == code
