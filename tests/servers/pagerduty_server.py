"""PagerDuty's Events API v2 on loopback, as strict as its documents.

https://developer.pagerduty.com/docs/send-alert-event and
https://developer.pagerduty.com/docs/events-api-v2-overview; that an invalid routing key is a 400 with these
words is reported by others (robusta-dev/robusta#571).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from servers.http_receiver import CannedResponse, HttpReceiver, ReceivedRequest

PATH = "/v2/enqueue"
SIZE_LIMIT = 512 * 1024
REQUIRED = ("summary", "source", "severity")
SEVERITIES = ("critical", "error", "warning", "info")


class PagerDutyServer:
    """One service with one integration, to be used in a `with`.

    `open_alerts` has the payload of each by its dedup_key; `dropped` are events that were answered 202 and
    changed nothing, as those for a key without an open alert are.
    """

    def __init__(self, responses: Iterable[CannedResponse] = (), *, routing_key: str) -> None:
        self._routing_key = routing_key
        self.open_alerts: dict[str, Any] = {}
        self.dropped: list[str] = []
        self.http = HttpReceiver(responses, respond=self._respond)
        self.api_url = self.http.url

    def __enter__(self) -> PagerDutyServer:
        self.http.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.http.__exit__()

    def _respond(self, request: ReceivedRequest) -> CannedResponse:
        if (request.method, request.path) != ("POST", PATH):
            return _response(404, status="error", message="Not Found")
        if len(request.body) > SIZE_LIMIT:
            return _response(413, status="error", message="Request Entity Too Large")
        try:
            event = json.loads(request.body)
        except ValueError:
            return _invalid(["JSON is invalid"])
        errors = list(_errors(event))
        if errors:
            return _invalid(errors)
        if event["routing_key"] != self._routing_key:
            return _invalid(["Invalid routing key"])
        key = event.get("dedup_key") or f"key-{len(self.http.received)}"
        self._apply(event, key)
        return _response(202, status="success", message="Event processed", dedup_key=key)

    def _apply(self, event: dict[str, Any], key: str) -> None:
        if event["event_action"] == "trigger":
            self.open_alerts[key] = event["payload"]
        elif key not in self.open_alerts:
            self.dropped.append(key)
        elif event["event_action"] == "resolve":
            del self.open_alerts[key]


def _errors(event: Any) -> Iterator[str]:
    if not isinstance(event, dict):
        yield "event must be an object"
        return
    action, key = event.get("event_action"), event.get("dedup_key")
    if len(str(event.get("routing_key", ""))) != 32:
        yield "Length of 'routing_key' is incorrect (should be 32 characters)"
    if action not in ("trigger", "acknowledge", "resolve"):
        yield "'event_action' is invalid (must be one of 'trigger', 'acknowledge' or 'resolve')"
    if key is not None and (not isinstance(key, str) or len(key) > 255):
        yield "'dedup_key' is too long (maximum is 255 characters)"
    if action != "trigger":
        if not key:
            yield "'dedup_key' is missing or blank"
        return
    payload = event.get("payload")
    if not isinstance(payload, dict):
        yield "'payload' is missing or blank"
        return
    yield from (f"'payload.{name}' is missing or blank" for name in REQUIRED if not payload.get(name))
    if payload.get("severity") not in SEVERITIES:
        yield "'payload.severity' is invalid"
    if len(str(payload.get("summary"))) > 1024:
        yield "'payload.summary' is too long (maximum is 1024 characters)"
    if not isinstance(payload.get("custom_details", {}), dict):
        yield "'payload.custom_details' must be an object"
    if not all(isinstance(link, dict) and link.get("href") for link in event.get("links", [])):
        yield "'links' must have an href each"


def _invalid(errors: list[str]) -> CannedResponse:
    return _response(400, status="invalid event", message="Event object is invalid", errors=errors)


def _response(code: int, **body: Any) -> CannedResponse:
    return CannedResponse(status=code, headers={"Content-Type": "application/json"}, body=_json(body))


def _json(body: Any) -> bytes:
    return json.dumps(body).encode()
