"""Clerk: Svix's signatures around events that the catalog knows."""

from __future__ import annotations

from typing import ClassVar

from hub.sources.svix import SvixSource


class ClerkSource(SvixSource):
    """Clerk's webhooks (https://clerk.com/docs/webhooks/overview)."""

    type: ClassVar[str] = "clerk"
    typed: ClassVar[bool] = True
