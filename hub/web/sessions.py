"""Signed cookies whose key all processes share through the store, and the sessions that were ended."""

from __future__ import annotations

import secrets
from datetime import timedelta

from flask import Flask, Request, request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin

from hub.errors import StoreError
from hub.store.store import Store, Transaction

KEY_NAME = "session_key"
COOKIE_NAME = "hub_session"

IDLE_LIFETIME = timedelta(hours=12)
LONGEST_LIFETIME = timedelta(days=7)

_ENDED = "ended_session:"
"""Begins the names of shared values for sessions that somebody ended; each holds when it would have ended."""

_WITHOUT_SESSION = ("/healthz", "/readyz", "/metrics", "/static/")


class HubSessions(SecureCookieSessionInterface):
    """Sessions, opened only for requests that may need one, and the store only for the first of them.

    While the database is down such a request has no session; `access` then answers 503.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        if request.path.startswith(_WITHOUT_SESSION):
            return None
        try:
            share_key(app, self._store)
        except StoreError:
            return None
        return super().open_session(app, request)

    def should_set_cookie(self, app: Flask, session: SessionMixin) -> bool:
        """False for a page that refreshes itself: with each new cookie the time without use begins anew."""
        is_refresh = request.method == "GET" and "HX-Request" in request.headers
        return not is_refresh and super().should_set_cookie(app, session)

    def get_cookie_secure(self, app: Flask) -> bool:
        """True where the request came by https: it ends at a proxy, and only a trusted one can say so."""
        return request.is_secure


def configure(app: Flask, path: str) -> None:
    """Set up the cookie for pages below a path."""
    app.config.update(
        SESSION_COOKIE_NAME=COOKIE_NAME,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_PATH=path or "/",
        PERMANENT_SESSION_LIFETIME=IDLE_LIFETIME,
    )


def share_key(app: Flask, store: Store) -> None:
    """Sign with the key that the store keeps, made by the first process that asks.

    Raises StoreUnavailable.
    """
    if not app.secret_key:
        app.secret_key = keep_session_key(store)


def keep_session_key(store: Store) -> str:
    """Return the key that signs sessions; only where none is kept yet one is made and written.

    Raises StoreUnavailable.
    """
    with store.read() as snapshot:
        key = snapshot.settings.get(KEY_NAME)
    if key is None:
        new_key = secrets.token_hex(32)
        key = store.write(lambda transaction: transaction.settings.set_default(KEY_NAME, new_key))
    return key


def end_session(store: Store, session_id: str) -> None:
    """Let no process take a session any more. Raises StoreError."""

    def work(transaction: Transaction) -> None:
        transaction.settings.forget(_ENDED, before=transaction.now.isoformat())
        ends_at = transaction.now + LONGEST_LIFETIME
        transaction.settings.set_default(_ENDED + session_id, ends_at.isoformat())

    store.write(work)


def has_ended(store: Store, session_id: str) -> bool:
    """Return True for a session that somebody ended. Raises StoreError."""
    with store.read() as snapshot:
        return snapshot.settings.get(_ENDED + session_id) is not None
