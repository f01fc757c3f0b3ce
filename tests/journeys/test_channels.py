"""From a signed event to chats, each a fake that refuses what its documents say is refused."""

from __future__ import annotations

from pathlib import Path

from journeys.serving import serving
from servers.discord_receiver import DiscordReceiver
from servers.google_chat_receiver import GoogleChatReceiver
from servers.program import wait_until
from servers.telegram_receiver import TelegramReceiver

ROUTES = """\
version: 1
sources:
  clerk: {type: clerk, path: /api/webhooks, signing_secret: "${CLERK_WEBHOOK_SIGNING_SECRET}"}
destinations:
  community: {type: discord, webhook_url: "${DISCORD_WEBHOOK_URL}", thread_id: 77}
  ops: {type: telegram, bot_token: "${TELEGRAM_BOT_TOKEN}", chat_id: "${CHAT}", api_url: "${TELEGRAM_URL}"}
  space: {type: google_chat, webhook_url: "${GOOGLE_CHAT_WEBHOOK_URL}"}
routes:
  - name: signed-up
    events: user.created
    send:
      - community
      - to: ops
        text: "{{ summary.headline }} & <{{ data.id }} ${SIGNED}"
      - to: space
        thread: "{{ data.id }}"
"""


def test_chats_get_what_they_take_and_text_alone_where_they_refuse_its_form(
    tmp_path: Path,
) -> None:
    with (
        DiscordReceiver() as discord,
        TelegramReceiver(chats=("-42",)) as telegram,
        GoogleChatReceiver() as chat,
    ):
        environment = {
            "DISCORD_WEBHOOK_URL": discord.webhook_url,
            "TELEGRAM_BOT_TOKEN": telegram.token,
            "TELEGRAM_URL": telegram.api_url,
            "CHAT": "-42",
            "GOOGLE_CHAT_WEBHOOK_URL": chat.webhook_url,
            "SIGNED": "<b>@everyone</b>",
        }
        with serving(tmp_path, ROUTES, f"sqlite:///{tmp_path}/hub.db", environment) as hub:
            event = hub.send("user.created", {"data.first_name": "<users/all> @everyone"})[0]["event"]

            def delivered():
                items = hub.api(f"deliveries?event={event}&state=delivered")["items"]
                return items if len(items) == 3 else []

            items = wait_until(delivered, "three deliveries")
            log = hub.log.read_text()
    (embedded,), (text,), (card,) = discord.messages, telegram.messages, chat.messages

    assert {item["destination"]: bool(item["degraded"]) for item in items} == {
        "community": False,
        "ops": True,
        "space": False,
    }
    assert (embedded.thread_id, embedded.pings, embedded.links) == ("77", (), ())
    assert "parse_mode" not in text.body
    assert text.text.endswith("<b>@\u2060everyone</\u2060b>")
    assert (text.text.count("@\u2060everyone"), text.entities) == (2, ())
    assert (card.thread, card.pings) == ("spaces/AAAA/threads/1", ())
    secrets = ("token-of-ours", "key-of-google")
    assert [secret for secret in secrets if secret in f"{log}{items}"] == []
