"""Sessions with a mail server, kept for a short while: a login takes longer than a mail."""

from __future__ import annotations

import contextlib
import smtplib
import socket
import threading
import time
from typing import Any

from hub.errors import Pause
from hub.transport.deadline import Deadline, connect, deadline_after, system_resolver
from hub.transport.smtp_url import MailServer, Tls

IDLE_SECONDS = 5.0
"""So long a session waits for the next mail: the mails of one batch follow each other at once."""
AGE_SECONDS = 60.0
MAILS_LIMIT = 100
"""Many servers end a session after so many."""
KEPT_LIMIT = 4
RESET_SECONDS = 2.0
"""So long a kept session may take to answer: the server, or what is between, may have dropped it silently."""
QUIT_SECONDS = 1.0
"""The time that a server may take to say goodbye: by then every mail is settled."""


class Client(smtplib.SMTP):
    """smtplib's client on connections that keep to the deadline, and how long it has been of use.

    `mails` counts those that were sent, `idle_since` is when the last one was.
    """

    def __init__(self, server: MailServer) -> None:
        self._tls = server.tls
        self._certificates = server.certificates
        self.mails = 0
        self.opened_at = self.idle_since = time.monotonic()
        # Left to itself smtplib looks up this machine's own name, which may take long.
        super().__init__(server.host, server.port, local_hostname=_own_name())

    def connect(self, host: str = "", port: int = 0, source_address: Any = None) -> tuple[int, bytes]:
        """Return the server's greeting."""
        connection = connect(host, port)
        if self._tls is Tls.IMPLICIT:
            connection = self._certificates.context().wrap_socket(connection, server_hostname=host)
        self.sock, self.file = connection, None
        return self.getreply()

    def introduce(self, server: MailServer) -> None:
        """Say EHLO, start TLS and log in, as the server and its URL ask for."""
        expect(250, self.ehlo())
        if server.tls in (Tls.REQUIRED, Tls.OFFERED):
            if self.has_extn("starttls"):
                self.starttls(context=server.certificates.context())
                expect(250, self.ehlo())
            elif server.tls is Tls.REQUIRED:
                raise Pause("the mail server offers no STARTTLS, which this smtp_url needs")
        if server.user:
            self.login(server.user, server.password)

    def leave(self) -> None:
        """Say goodbye, for a second at most, and close; raises nothing."""
        with contextlib.suppress(smtplib.SMTPException, OSError), deadline_after(QUIT_SECONDS):
            self.quit()
        self.close()


class Sessions:
    """The sessions with one server that no mail is using; safe to share between threads."""

    def __init__(
        self, server: MailServer, idle_seconds: float = IDLE_SECONDS, age_seconds: float = AGE_SECONDS
    ) -> None:
        self._server = server
        self._idle_seconds = idle_seconds
        self._age_seconds = age_seconds
        self._lock = threading.Lock()
        self._kept: list[Client] = []
        self._timer: threading.Timer | None = None
        self._is_closed = False

    def take(self, deadline: Deadline) -> Client:
        """Return a session that no other thread has, one that was kept where it still answers.

        Raises what smtplib and sockets raise, and Pause. It is to be closed, or given to `keep`.
        """
        while (client := self._last_kept()) is not None:
            if self._is_fresh(client) and _is_ready(client, deadline):
                return client
            client.leave()
        client = Client(self._server)
        try:
            client.introduce(self._server)
        except BaseException:
            client.close()
            raise
        return client

    def keep(self, client: Client) -> None:
        """Take back a session over which a mail was sent, all its replies read; or say goodbye to it."""
        client.mails += 1
        client.idle_since = time.monotonic()
        with self._lock:
            is_kept = not self._is_closed and len(self._kept) < KEPT_LIMIT and self._is_fresh(client)
            if is_kept:
                self._kept.append(client)
                self._watch()
        if not is_kept:
            client.leave()

    def close(self) -> None:
        """Say goodbye in all sessions that are kept, now and from now on."""
        with self._lock:
            self._is_closed = True
            clients, self._kept = self._kept, []
            if self._timer is not None:
                self._timer.cancel()
        for client in clients:
            client.leave()

    def _last_kept(self) -> Client | None:
        with self._lock:
            return self._kept.pop() if self._kept else None

    def _is_fresh(self, client: Client) -> bool:
        """Return True if another mail may be sent in a session."""
        now = time.monotonic()
        is_young = now - client.opened_at < self._age_seconds and now - client.idle_since < self._idle_seconds
        return is_young and client.mails < MAILS_LIMIT

    def _watch(self) -> None:
        """Look after the sessions that nobody takes any more, from another thread."""
        if self._timer is None:
            self._timer = threading.Timer(self._idle_seconds, self._leave_stale)
            self._timer.daemon = True
            self._timer.start()

    def _leave_stale(self) -> None:
        with self._lock:
            stale = [client for client in self._kept if not self._is_fresh(client)]
            self._kept = [client for client in self._kept if client not in stale]
            self._timer = None
            if self._kept:
                self._watch()
        for client in stale:
            client.leave()


def expect(code: int, answer: tuple[int, bytes]) -> None:
    """Raise SMTPResponseException for any other answer."""
    if answer[0] != code:
        raise smtplib.SMTPResponseException(*answer)


def _is_ready(client: Client, deadline: Deadline) -> bool:
    """Return True where the server takes another mail in a session that was kept."""
    try:
        with deadline_after(min(RESET_SECONDS, deadline.remaining_seconds()), system_resolver):
            return client.rset()[0] == 250
    except (smtplib.SMTPException, OSError):
        return False


def _own_name() -> str:
    name = socket.gethostname()
    return name if "." in name and name.isascii() else "[127.0.0.1]"
