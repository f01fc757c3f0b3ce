"""slack-sdk's two clients on the hub's own HTTP exchange.

By themselves they re-post after a dropped connection, follow a redirect (with the token) and report its
target's answer as success, log the webhook URL at debug level, and know time-outs per read only. Both leave
the request to one method each, which is replaced here; what they know of Slack stays.
"""

from __future__ import annotations

import json
import logging
from typing import Any
from urllib.request import Request as UrllibRequest

from slack_sdk import WebClient
from slack_sdk.webhook import WebhookClient, WebhookResponse

from hub.transport.http import Answer, HttpClient, Request

_SILENT = logging.getLogger("hub.slack_sdk")
# slack-sdk asks the logger's own level, and writes whole URLs where it is not set.
_SILENT.setLevel(logging.CRITICAL + 1)


class Webhook(WebhookClient):
    """An incoming webhook, for one message: it must be sent within `seconds`."""

    def __init__(self, url: str, http: HttpClient, seconds: float) -> None:
        super().__init__(url, logger=_SILENT, retry_handlers=[])
        self._http = http
        self._seconds = seconds

    def _perform_http_request(self, *, body: dict[str, Any], headers: dict[str, str]) -> WebhookResponse:
        request = UrllibRequest(self.url, dump(body), headers, method="POST")  # noqa: S310 - only carries
        answer = _exchange(self._http, request, self._seconds)
        return WebhookResponse(
            url=self.url, status_code=answer.status, body=answer.text, headers=dict(answer.headers)
        )


class Bot(WebClient):
    """The Web API, for one message: it must be sent within `seconds`."""

    def __init__(self, token: str, api_url: str, http: HttpClient, seconds: float) -> None:
        super().__init__(token, base_url=api_url, logger=_SILENT, retry_handlers=[])
        self._http = http
        self._seconds = seconds

    def _perform_urllib_http_request_internal(self, url: str, req: UrllibRequest) -> dict[str, Any]:
        answer = _exchange(self._http, req, self._seconds)
        return {"status": answer.status, "headers": answer.headers, "body": _json_object(answer.text)}


def dump(body: dict[str, Any]) -> bytes:
    """A message as slack-sdk writes it."""
    return json.dumps(body).encode()


def _json_object(text: str) -> str:
    """The text, or an empty object where it is none: slack-sdk fails on any other JSON."""
    try:
        return text if isinstance(json.loads(text), dict) else "{}"
    except (ValueError, RecursionError):
        return "{}"


def _exchange(http: HttpClient, request: UrllibRequest, seconds: float) -> Answer:
    headers = dict(request.header_items()) | {"Content-Type": "application/json; charset=utf-8"}
    data = request.data
    assert isinstance(data, bytes)
    return http.exchange(Request(method="POST", url=request.full_url, headers=headers, body=data), seconds)
