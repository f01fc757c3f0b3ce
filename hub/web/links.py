"""One-time links: the first who opens one within the hour is signed in."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from hub.store.store import Store, Transaction

LIFETIME = timedelta(hours=1)

_PREFIX = "login_link:"


def new_link(store: Store, *, lifetime: timedelta = LIFETIME) -> str:
    """Return a path like `/login/<token>` that signs in the first who opens it within its lifetime.

    The store keeps only the token's hash, so every web process honours the link.
    """
    token = secrets.token_urlsafe(32)

    def work(transaction: Transaction) -> None:
        transaction.settings.forget(_PREFIX, before=transaction.now.isoformat())
        transaction.settings.set_default(_name(token), (transaction.now + lifetime).isoformat())

    store.write(work)
    return f"/login/{token}"


def take_link(store: Store, token: str) -> bool:
    """Use up the token of a link; True where it was good. One that is no link's costs no write."""
    with store.read() as snapshot:
        if snapshot.settings.get(_name(token)) is None:
            return False

    def work(transaction: Transaction) -> bool:
        expires_at = transaction.settings.pop(_name(token))
        return expires_at is not None and transaction.now < datetime.fromisoformat(expires_at)

    return store.write(work)


def _name(token: str) -> str:
    return _PREFIX + hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
