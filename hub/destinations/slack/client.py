"""slack-sdk's two clients on the hub's own HTTP client.

By themselves they re-post after a dropped connection, follow a redirect (with the token) and report its
target's answer as success, log the webhook URL at debug level, and know time-outs per read only. Each leaves
the request to one method, which is replaced here; what they know of Slack stays.
"""

from __future__ import annotations

import json
import logging
from typing import Any
from urllib.request import Request as UrllibRequest

from slack_sdk import WebClient
from slack_sdk.webhook import WebhookClient, WebhookResponse

from hub.transport.http import HttpClient, HttpRequest

_SILENT = logging.getLogger("hub.slack_sdk")
# slack-sdk asks the logger's own level, and writes whole URLs where it is not set.
_SILENT.setLevel(logging.CRITICAL + 1)


class Webhook(WebhookClient):
    """An incoming webhook, for one message that must be sent within `timeout_seconds`."""

    def __init__(self, url: str, http: HttpClient, timeout_seconds: float) -> None:
        super().__init__(url, logger=_SILENT, retry_handlers=[])
        self._http = http
        self._timeout_seconds = timeout_seconds

    def _perform_http_request(self, *, body: dict[str, Any], headers: dict[str, str]) -> WebhookResponse:
        request = HttpRequest(
            method="POST",
            url=self.url,
            headers=headers | {"Content-Type": "application/json;charset=utf-8"},
            body=json.dumps(body).encode(),
        )
        response = self._http.send(request, self._timeout_seconds)
        return WebhookResponse(
            url=self.url, status_code=response.status, body=response.text, headers=dict(response.headers)
        )


class Bot(WebClient):
    """The Web API, for one message that must be sent within `timeout_seconds`."""

    def __init__(self, token: str, api_url: str, http: HttpClient, timeout_seconds: float) -> None:
        super().__init__(token, base_url=api_url, logger=_SILENT, retry_handlers=[])
        self._http = http
        self._timeout_seconds = timeout_seconds

    def _perform_urllib_http_request_internal(self, url: str, req: UrllibRequest) -> dict[str, Any]:
        assert isinstance(req.data, bytes)
        request = HttpRequest(
            method="POST", url=req.full_url, headers=dict(req.header_items()), body=req.data
        )
        response = self._http.send(request, self._timeout_seconds)
        return {"status": response.status, "headers": response.headers, "body": _json_object(response.text)}


def _json_object(text: str) -> str:
    """Return the text, or an empty object where it is none: slack-sdk fails on any other JSON."""
    try:
        return text if isinstance(json.loads(text), dict) else "{}"
    except (ValueError, RecursionError):
        return "{}"
