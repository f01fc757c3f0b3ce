"""A Workflow of Microsoft Teams on loopback: a trigger that takes anything, and a flow that may fail after.

The trigger's answers are those of Azure Logic Apps' request trigger
(https://learn.microsoft.com/azure/connectors/connectors-native-reqres); that a flow fails after 202 on what
is no attachment with a card is reported by those who post to one. Cards are held against the schema,
https://adaptivecards.io/schemas/1.4.0/adaptive-card.json.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

from servers.http_receiver import CannedResponse, HttpReceiver, ReceivedRequest

PATH = "/workflows/0123456789abcdef/triggers/manual/paths/invoke"
SIZE_LIMIT = 28 * 1024
CARD_TYPE = "application/vnd.microsoft.card.adaptive"
ELEMENTS: dict[str, dict[str, type]] = {
    "TextBlock": {"text": str},
    "RichTextBlock": {"inlines": list},
    "Image": {"url": str},
    "Container": {"items": list},
    "ColumnSet": {},
    "FactSet": {"facts": list},
    "ActionSet": {"actions": list},
}
ACTIONS: dict[str, dict[str, type]] = {"Action.OpenUrl": {"url": str}}
STYLES = ("default", "emphasis", "good", "attention", "warning", "accent", None)


class WorkflowServer:
    """One flow, to be used in a `with`.

    `cards` are those that stand in the channel, `failed_runs` says why the others do not. `is_enabled` and
    `is_there` are what people do to a flow.
    """

    def __init__(self, responses: Iterable[CannedResponse] = (), *, signature: str = "s1g") -> None:
        self._signature = signature
        self.is_enabled = self.is_there = True
        self.cards: list[dict[str, Any]] = []
        self.failed_runs: list[str] = []
        self.http = HttpReceiver(responses, respond=self._respond)
        query = f"api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig={signature}"
        self.webhook_url = f"{self.http.url}{PATH}?{query}"

    def __enter__(self) -> WorkflowServer:
        self.http.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.http.__exit__()

    def _respond(self, request: ReceivedRequest) -> CannedResponse:
        url = urlsplit(request.path)
        if parse_qs(url.query).get("sig") != [self._signature]:
            return _error(401, "DirectApiAuthorizationRequired", "The request must be authenticated.")
        if not self.is_there or (request.method, url.path) != ("POST", PATH):
            return _error(404, "WorkflowNotFound", "The workflow could not be found.")
        if not self.is_enabled:
            return _error(400, "WorkflowTriggerIsNotEnabled", "The workflow is not enabled.")
        if len(request.body) > SIZE_LIMIT:
            return _error(413, "RequestEntityTooLarge", "The request is too large.")
        try:
            message = json.loads(request.body)
        except ValueError:
            return _error(400, "InvalidRequestContent", "The request content could not be deserialized.")
        reasons = list(_faults(message))
        if reasons:
            self.failed_runs.append("; ".join(reasons))
        else:
            self.cards.append(message["attachments"][0]["content"])
        return CannedResponse(status=202)


def _faults(message: Any) -> Iterator[str]:
    """Yield why a run fails on a message."""
    attachments = message.get("attachments") if isinstance(message, dict) else None
    if not isinstance(attachments, list) or len(attachments) != 1:
        yield "'attachments' must be a list with one attachment"
        return
    if attachments[0].get("contentType") != CARD_TYPE:
        yield f"'contentType' must be {CARD_TYPE}"
    card = attachments[0].get("content")
    if not isinstance(card, dict) or card.get("type") != "AdaptiveCard" or "version" not in card:
        yield "'content' must be an AdaptiveCard with a version"
        return
    if not card.get("body"):
        yield "the card shows nothing"
    yield from (fault for element in card.get("body", []) for fault in _element_faults(element))
    yield from (fault for action in card.get("actions", []) for fault in _kind_faults(action, ACTIONS))


def _element_faults(element: Any) -> Iterator[str]:
    yield from _kind_faults(element, ELEMENTS)
    if element.get("style") not in STYLES and element["type"] == "Container":
        yield f"no style {element['style']}"
    for fact in element.get("facts", []):
        if not isinstance(fact.get("title"), str) or not isinstance(fact.get("value"), str):
            yield "a fact needs a title and a value"
    for item in element.get("items", []):
        yield from _element_faults(item)


def _kind_faults(value: Any, kinds: dict[str, dict[str, type]]) -> Iterator[str]:
    needed = kinds.get(value.get("type"))
    if needed is None:
        yield f"no element {value.get('type')}"
        return
    for key, kind in needed.items():
        if not isinstance(value.get(key), kind):
            yield f"{value['type']} needs {key}"


def _error(status: int, code: str, message: str) -> CannedResponse:
    body = json.dumps({"error": {"code": code, "message": message}}).encode()
    return CannedResponse(status=status, headers={"Content-Type": "application/json"}, body=body)
