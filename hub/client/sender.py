"""A sender of webhooks: it signs a body as Svix does and posts it to a source's path."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import requests
from standardwebhooks.webhooks import Webhook

from hub.client.url import origin
from hub.errors import HubError
from hub.model.config import SourceConfig


@dataclass(frozen=True, kw_only=True)
class Acknowledgement:
    """The hub's response to an event. `body` is empty where it was no JSON object."""

    status: int
    body: dict[str, Any]


def post_event(
    url: str, source: SourceConfig, payload: bytes, timeout_seconds: float = 15
) -> Acknowledgement:
    """Post an event under a fresh message id, signed with the source's first secret.

    Raises HubError where nothing that speaks HTTP answers. `url` is the hub's, with or without the path.
    """
    target = url.rstrip("/").removesuffix(source.path) + source.path
    try:
        with requests.Session() as session:
            session.trust_env = False
            response = session.post(
                target,
                data=payload,
                headers=_signed_headers(source.signing.secrets[0], payload),
                timeout=timeout_seconds,
                allow_redirects=False,
            )
    except requests.Timeout as error:
        raise HubError(f"{origin(url)} took longer than {timeout_seconds:.0f} s to answer") from error
    except (requests.RequestException, ValueError) as error:
        raise HubError(f"no hub answers at {origin(url)}: start hub serve, or give its --url") from error
    return Acknowledgement(status=response.status_code, body=_json_object(response.content))


def _signed_headers(secret: str, payload: bytes) -> dict[str, str]:
    now = datetime.now(UTC)
    message_id = f"msg_{secrets.token_hex(14)}"
    return {
        "Content-Type": "application/json",
        "svix-id": message_id,
        "svix-timestamp": str(int(now.timestamp())),
        "svix-signature": Webhook(secret).sign(message_id, now, payload.decode()),
    }


def _json_object(content: bytes) -> dict[str, Any]:
    try:
        body = json.loads(content)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
