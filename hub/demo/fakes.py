"""A fake Slack, mail server and HTTP endpoint on loopback, with the environment that points a hub at them."""

from __future__ import annotations

import asyncio
import base64
import email
import email.policy
import json
import re
import secrets
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from aiosmtpd.smtp import SMTP, Envelope, Session

from hub.destinations.slack.mrkdwn import unescape

_SLACK_PATH = "/services/T00000000/B00000000/demo"


@dataclass(frozen=True, kw_only=True)
class ReceivedMessage:
    """A message that reached the fake of a destination type, as one line for people.

    `delivery` is its id; Slack's protocol carries none, there `text` tells its messages apart.
    """

    type: str
    line: str
    delivery: str = ""
    text: str = ""


class Fakes:
    """All three, to be used in a `with`."""

    def __init__(self) -> None:
        self._received: list[ReceivedMessage] = []
        self._web = _WebServer(self._received.append)
        self._mail = _MailServer(self._received.append)
        self._running = ExitStack()

    def __enter__(self) -> Fakes:
        with ExitStack() as starting:
            for server in (self._web, self._mail):
                server.start()
                starting.callback(server.stop)
            self._running = starting.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def environment(self) -> dict[str, str]:
        """Return every variable that the shipped routes.yaml names."""
        return {
            "CLERK_WEBHOOK_SIGNING_SECRET": new_signing_secret(),
            "SLACK_WEBHOOK_URL": f"http://{self._web.address}{_SLACK_PATH}",
            "SMTP_URL": f"smtp://{self._mail.address}",
            "EMAIL_FROM": "The hub <hub@example.com>",
            "EMAIL_TO": "team@example.com",
            "CRM_WEBHOOK_URL": f"http://{self._web.address}/crm",
        }

    @property
    def addresses(self) -> frozenset[str]:
        """Host and port of each: the only ones that a demo may send to."""
        return frozenset((self._web.address, self._mail.address))

    def received(self) -> list[ReceivedMessage]:
        """Return all messages so far, oldest first."""
        return list(self._received)


def new_signing_secret() -> str:
    """Return a signing secret as a sender hands it out, good for this demo alone."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()


class _WebServer(ThreadingHTTPServer):
    """Slack's incoming webhook at its path, and an endpoint that takes everything at all others."""

    def __init__(self, keep: Callable[[ReceivedMessage], None]) -> None:
        super().__init__(("127.0.0.1", 0), _WebHandler)
        self.keep = keep
        self.address = f"127.0.0.1:{self.server_address[1]}"

    def start(self) -> None:
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        self.shutdown()
        self.server_close()


class _WebHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _WebServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == _SLACK_PATH:
            self._answer_as_slack(body)
        else:
            line = f"{self.command} {self.path} 200, {len(body):,} bytes"
            delivery = self.headers.get("webhook-id", "")
            self.server.keep(ReceivedMessage(type="http", line=line, delivery=delivery))
            self._answer(200, b"")

    do_PUT = do_PATCH = do_POST  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Print nothing: the demo shows the messages."""

    def _answer_as_slack(self, body: bytes) -> None:
        text = _slack_text(body)
        if text is None:
            self._answer(400, b"invalid_payload")
            return
        self.server.keep(ReceivedMessage(type="slack", line=_read_aloud(text), text=text))
        self._answer(200, b"ok")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _slack_text(body: bytes) -> str | None:
    """Return the text of a webhook's message, None where the body is no message."""
    try:
        message = json.loads(body)
    except ValueError:
        return None
    return str(message.get("text") or "") if isinstance(message, dict) else None


def _read_aloud(mrkdwn: str) -> str:
    """Return Slack's text as its reader sees it: links by their labels, characters unescaped."""
    labels = re.sub(r"<[^<>|]*\|([^<>]*)>", r"[\1]", mrkdwn)
    return unescape(labels)


class _MailServer:
    """A mail server that takes every mail, in a thread with an event loop."""

    def __init__(self, keep: Callable[[ReceivedMessage], None]) -> None:
        self._keep = keep
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._server = self._loop.run_until_complete(self._loop.create_server(self._session, "127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._server.close()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    def _session(self) -> SMTP:
        return SMTP(self, hostname="fake.test", enable_SMTPUTF8=True, loop=self._loop)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keep a mail; aiosmtpd calls this by its name."""
        content = envelope.original_content or b""
        mail = email.message_from_bytes(content, policy=email.policy.default)
        delivery = str(mail["Message-ID"] or "").strip("<> ").partition("@")[0]
        line = f"to {', '.join(envelope.rcpt_tos)}: {mail['Subject'] or '(no subject)'}"
        self._keep(ReceivedMessage(type="email", line=line, delivery=delivery))
        return "250 2.0.0 kept"
