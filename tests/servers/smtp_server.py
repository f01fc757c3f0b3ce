# ruff: noqa: N802 - aiosmtpd finds its hooks by the command's name
"""An SMTP server on loopback that keeps its mail, and refuses or fails by a script."""

from __future__ import annotations

import asyncio
import email
import email.policy
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from servers.inbox import Inbox
from servers.program import PATIENCE_SECONDS

CLOSE = "close the connection"
HANG = "say nothing"


@dataclass(frozen=True, kw_only=True)
class Script:
    """The replies that are not yes: a text such as `550 5.1.1 no such user`, CLOSE or HANG.

    One for each step; `rcpt` by address; `dot` answers the end of a message. `drip_seconds` is the pause
    between the bytes of every reply.
    """

    connect: str = ""
    ehlo: str = ""
    auth: str = ""
    mail: str = ""
    rset: str = ""
    rcpt: Mapping[str, str] = field(default_factory=dict)
    data: str = ""
    dot: str = ""
    quit: str = ""
    drip_seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class ReceivedMail:
    """One accepted mail, as its envelope and its bytes."""

    sender: str
    recipients: tuple[str, ...]
    raw: bytes
    login: str = ""
    encrypted: bool = False
    utf8: bool = False

    @property
    def message(self) -> EmailMessage:
        """The message, parsed."""
        return email.message_from_bytes(self.raw, policy=email.policy.default)


class SmtpServer:
    """An SMTP server on 127.0.0.1, to be used in a `with`.

    With `tls` it offers STARTTLS, or speaks TLS from the start where `implicit_tls`. With `login`, a pair of
    user and password, it asks for AUTH (PLAIN or LOGIN), over plain connections too. `script` may be
    replaced while it runs.
    """

    def __init__(
        self,
        *,
        script: Script | None = None,
        tls: ssl.SSLContext | None = None,
        implicit_tls: bool = False,
        login: tuple[str, str] | None = None,
        on_arrival: Callable[[ReceivedMail], None] | None = None,
    ) -> None:
        self.inbox: Inbox[ReceivedMail] = Inbox(on_arrival)
        self.script = script or Script()
        self.login = login
        self.connections = 0
        self.quits = 0
        self.port = 0
        self._tls = tls
        self._implicit_tls = implicit_tls
        self._sessions: set[_Session] = set()
        self._loop = asyncio.new_event_loop()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> SmtpServer:
        self._thread.start()
        assert self._listening.wait(PATIENCE_SECONDS), "it does not listen"
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_SECONDS)

    @property
    def url(self) -> str:
        """Its address for routes.yaml, without a login."""
        return f"{'smtps' if self._implicit_tls else 'smtp'}://127.0.0.1:{self.port}"

    @property
    def open_connections(self) -> int:
        """The number of clients that have not left."""
        return len(self._sessions)

    def hang_up(self) -> None:
        """Close every connection, as servers do that have waited for long."""
        self._loop.call_soon_threadsafe(lambda: [session.hang_up() for session in self._sessions])

    @property
    def mails(self) -> list[ReceivedMail]:
        return self.inbox.all()

    def wait_for(self, count: int, seconds: float = PATIENCE_SECONDS) -> list[ReceivedMail]:
        """Return all mails, as soon as there are `count`; raise TimeoutError after `seconds`."""
        return self.inbox.wait_for(count, seconds)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            self._loop.create_server(
                self._new_session, "127.0.0.1", 0, ssl=self._tls if self._implicit_tls else None
            )
        )
        self.port = server.sockets[0].getsockname()[1]
        self._listening.set()
        self._loop.run_forever()
        server.close()
        self._close_sessions()
        self._loop.close()

    def _new_session(self) -> SMTP:
        self.connections += 1
        session = _Session(self, None if self._implicit_tls else self._tls, self._loop)
        self._sessions.add(session)
        return session

    def _close_sessions(self) -> None:
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))


class _Session(SMTP):
    """One connection: aiosmtpd's protocol, interrupted where the script says so."""

    def __init__(
        self, server: SmtpServer, tls: ssl.SSLContext | None, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._server = server
        super().__init__(
            _MailHandler(server),
            hostname="server.test",
            ident="SMTP",
            enable_SMTPUTF8=True,
            tls_context=tls,
            auth_require_tls=False,
            auth_exclude_mechanism=() if server.login else ("PLAIN", "LOGIN"),
            authenticator=self._is_known,
            data_size_limit=1_000_000,
            loop=loop,
        )

    def hang_up(self) -> None:
        self._writer.transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        self._server._sessions.discard(self)
        super().connection_lost(error)

    async def push(self, status: Any) -> None:
        text = status if isinstance(status, bytes) else str(status).encode()
        pause = self._server.script.drip_seconds
        if not pause:
            await super().push(text)
            return
        for position in range(len(text)):
            self._writer.write(text[position : position + 1])
            await self._writer.drain()
            await asyncio.sleep(pause)
        await super().push(b"")

    async def _handle_client(self) -> None:
        if not await self._scripted(self._server.script.connect):
            await super()._handle_client()

    async def smtp_EHLO(self, hostname: str) -> None:
        if not await self._scripted(self._server.script.ehlo):
            await super().smtp_EHLO(hostname)

    async def smtp_AUTH(self, arg: str) -> None:
        if not await self._scripted(self._server.script.auth):
            await super().smtp_AUTH(arg)

    async def smtp_MAIL(self, arg: str | None) -> None:
        if not await self._scripted(self._server.script.mail):
            await super().smtp_MAIL(arg)

    async def smtp_RCPT(self, arg: str | None) -> None:
        replies = self._server.script.rcpt
        reply = next((reply for address, reply in replies.items() if f"<{address}>" in str(arg)), "")
        if not await self._scripted(reply):
            await super().smtp_RCPT(arg)

    async def smtp_DATA(self, arg: str) -> None:
        if not await self._scripted(self._server.script.data):
            await super().smtp_DATA(arg)

    async def smtp_RSET(self, arg: str) -> None:
        if not await self._scripted(self._server.script.rset):
            await super().smtp_RSET(arg)

    async def smtp_QUIT(self, arg: str) -> None:
        self._server.quits += 1
        if not await self._scripted(self._server.script.quit):
            await super().smtp_QUIT(arg)

    async def _scripted(self, reply: str) -> bool:
        """Obey the script at this step; False where it is silent."""
        if reply == CLOSE:
            self._writer.transport.abort()
        elif reply == HANG:
            await asyncio.sleep(3600)
        elif reply:
            await self.push(reply)
        return bool(reply)

    def _is_known(self, _: SMTP, __: Session, ___: Envelope, ____: str, data: Any) -> AuthResult:
        given = (data.login.decode(), data.password.decode()) if isinstance(data, LoginPassword) else None
        return AuthResult(success=given == self._server.login, handled=False, auth_data=data)


class _MailHandler:
    """The receiver of whole mails: aiosmtpd calls it by the names of its methods."""

    def __init__(self, server: SmtpServer) -> None:
        self._server = server

    async def handle_DATA(self, smtp: SMTP, session: Session, envelope: Envelope) -> str:
        script = self._server.script
        if script.dot == HANG:
            await asyncio.sleep(3600)
        if script.dot and script.dot != CLOSE:
            return script.dot
        content = envelope.original_content or b""
        known: Any = session.auth_data
        transport: Any = smtp.transport
        self._server.inbox.add(
            ReceivedMail(
                sender=envelope.mail_from or "",
                recipients=tuple(envelope.rcpt_tos),
                raw=content,
                login=known.login.decode() if session.authenticated else "",
                encrypted=transport.get_extra_info("sslcontext") is not None,
                utf8=envelope.smtp_utf8,
            )
        )
        if script.dot == CLOSE:
            transport.abort()
        return "250 2.0.0 kept"
