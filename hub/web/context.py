"""What every view needs: the store, today's rules and the settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flask import current_app

from hub.route import Rules
from hub.settings import Settings
from hub.store.store import Store


@dataclass(frozen=True, kw_only=True)
class Context:
    """The app's own; `rules` answers with the version that serves now."""

    store: Store
    rules: Callable[[], Rules]
    settings: Settings


def context() -> Context:
    """The context of the app that answers this request."""
    found: Context = current_app.extensions["hub"]
    return found
