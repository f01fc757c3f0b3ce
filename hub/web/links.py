"""One-time links: whoever opens one within the hour is signed in, once."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from hub.store.store import Store, Transaction

LIFETIME = timedelta(hours=1)

_PREFIX = "login_link:"


def new_link(store: Store, *, lifetime: timedelta = LIFETIME) -> str:
    """A path like `/login/<token>` that signs in whoever opens it first, for an hour if nothing else is said.

    The store keeps only the token's hash, so every web process honours the link.
    """
    token = secrets.token_urlsafe(32)

    def work(transaction: Transaction) -> None:
        transaction.settings.forget(_PREFIX, before=transaction.now.isoformat())
        transaction.settings.set_default(_name(token), (transaction.now + lifetime).isoformat())

    store.write(work)
    return f"/login/{token}"


def take_link(store: Store, token: str) -> bool:
    """Whether the token of a link is good; it never is again."""

    def work(transaction: Transaction) -> bool:
        expires_at = transaction.settings.pop(_name(token))
        return expires_at is not None and transaction.now < datetime.fromisoformat(expires_at)

    return store.write(work)


def _name(token: str) -> str:
    return _PREFIX + hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
