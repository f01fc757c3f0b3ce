"""slack-sdk's client of the Web API on the hub's own HTTP client.

By itself it re-posts after a dropped connection, follows a redirect with the token and reports its target's
answer as success, and knows time-outs per read only. It leaves the request to one method, which is replaced
here; what it knows of Slack stays. Its client of webhooks knows nothing: a webhook takes one POST of JSON.
"""

from __future__ import annotations

import json
import logging
import time
from typing import Any
from urllib.request import Request as UrllibRequest

from slack_sdk import WebClient

from hub.errors import Retry
from hub.transport.http import HttpClient, HttpRequest

_SILENT = logging.getLogger("hub.slack_sdk")
# slack-sdk asks the logger's own level, and writes whole URLs where it is not set.
_SILENT.setLevel(logging.CRITICAL + 1)


class Bot(WebClient):
    """The Web API, for one message that must be sent within `timeout_seconds`, in one request or several.

    `answer` is the body of the last response, once there is one.
    """

    def __init__(self, token: str, api_url: str, http: HttpClient, timeout_seconds: float) -> None:
        super().__init__(token, base_url=api_url, logger=_SILENT, retry_handlers=[])
        self.answer = ""
        self._http = http
        self._timeout_seconds = timeout_seconds
        self._began_at: float | None = None

    def _perform_urllib_http_request_internal(self, url: str, req: UrllibRequest) -> dict[str, Any]:
        assert isinstance(req.data, bytes)
        request = HttpRequest(
            method="POST", url=req.full_url, headers=dict(req.header_items()), body=req.data
        )
        response = self._http.send(request, self._remaining_seconds())
        self.answer = response.text
        return {"status": response.status, "headers": response.headers, "body": _json_object(response.text)}

    def _remaining_seconds(self) -> float:
        """Return what is left of the attempt, which begins with its first request."""
        now = time.monotonic()
        self._began_at = now if self._began_at is None else self._began_at
        remaining_seconds = self._timeout_seconds - (now - self._began_at)
        if remaining_seconds <= 0:
            raise Retry("no time was left for all that its thread asks for", answer=self.answer)
        return remaining_seconds


def _json_object(text: str) -> str:
    """Return the text, or an empty object where it is none: slack-sdk fails on any other JSON."""
    try:
        return text if isinstance(json.loads(text), dict) else "{}"
    except (ValueError, RecursionError):
        return "{}"
