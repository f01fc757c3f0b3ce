"""Live pages: one asks for itself every few seconds, and is answered 204 while nothing changed."""

from __future__ import annotations

import hashlib

from flask import Response, g, request

from hub.store.repositories.terms import READ
from hub.web.context import context

SEEN = "Hub-Seen"
"""The header of a page that asks for itself: the version that it shows."""

STALE_AFTER_SECONDS = 60
"""So often a page is new by itself: what the clock alone changes is in no version."""


def answer_unchanged() -> Response | None:
    """Answer 204 to a page that shows today's version, after one statement; else keep that for the page."""
    if request.method != "GET":
        return None
    # Before the page is read: it is at least as new as its version says.
    g.seen = _version()
    return Response(status=204) if request.headers.get(SEEN) == g.seen else None


def _version() -> str:
    here = context()
    serving = here.serving()
    with here.store.read() as snapshot:
        minute = int(snapshot.now.timestamp()) // STALE_AFTER_SECONDS
        # What arrived is found by its words a little later.
        read = snapshot.settings.get(READ) if "q" in request.args else None
        marks = (snapshot.changes.mark(), read, minute, serving.rules.config.version, serving.refused)
    return hashlib.sha256(repr(marks).encode()).hexdigest()[:16]
