"""What every view needs: the store, today's rules and the settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flask import current_app

from hub.ingest.route import Rules
from hub.rules.reload import Serving
from hub.settings import Settings
from hub.store.store import Store


@dataclass(frozen=True, kw_only=True)
class Context:
    """The app's own; `serving` answers with the version of the user's files that serves now."""

    store: Store
    serving: Callable[[], Serving]
    settings: Settings

    def rules(self) -> Rules:
        return self.serving().rules


def context() -> Context:
    """The context of the app that answers this request."""
    found: Context = current_app.extensions["hub"]
    return found
