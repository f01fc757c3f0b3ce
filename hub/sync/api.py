"""Clerk's Backend API, read: one GET at a time, paced, and tried again where Clerk asks for time.

https://clerk.com/docs/reference/backend-api
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from hub.catalog.masking import mask
from hub.errors import ClerkError, SendError
from hub.model.config import BackendAccess
from hub.strings import one_line
from hub.transport.http import USER_AGENT, HttpClient, HttpRequest, HttpResponse, retry_after_seconds

API_VERSION = "2026-05-12"
"""The version of the documents by which the answers are read."""

BODY_LIMIT_BYTES = 32 * 1024 * 1024
"""A page of 500 users takes 1.5 MB, and ten times that where each has all the metadata that Clerk allows."""

REQUEST_SECONDS = 60.0

SHARE = 20
"""The hub takes one in so many of the requests that Clerk grants an instance."""

_GRANTED_PER_SECOND = {True: 100.0, False: 10.0}
"""Requests of a production instance, whose keys begin with sk_live_, and of a development instance."""

_ATTEMPTS = 8
_LONGEST_PAUSE_SECONDS = 60.0
_LONGEST_REST_SECONDS = 600.0
"""A rest that Clerk asks for and that is longer ends the run, which goes on where it was another time."""

_QUOTE_LIMIT = 200

OnRetry = Callable[[str, float], object]
"""Gets the reason of a failure and the seconds until it is tried again."""


def requests_per_second(access: BackendAccess) -> float:
    """Return the requests that the hub may send, by the kind of its key."""
    return _GRANTED_PER_SECOND[access.secret_key.startswith("sk_live_")] / SHARE


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A JSON value that Clerk answered.

    Both times are Clerk's, in milliseconds: `began_at_ms` is never later than when the request began, by
    which events that were sent while it ran are newer; `answered_at_ms` is the Date of the answer.
    """

    value: Any
    began_at_ms: int
    answered_at_ms: int


class BackendApi:
    """Clerk's Backend API with one secret key; for one thread. It only reads.

    `wait` sleeps, for no time or more before each request, and may raise what is to end everything; `rate` is
    in requests a second; `requests` counts.
    """

    def __init__(
        self,
        access: BackendAccess,
        *,
        wait: Callable[[float], object] = time.sleep,
        rate: float | None = None,
        on_retry: OnRetry = lambda reason, seconds: None,
    ) -> None:
        rate = rate or requests_per_second(access)
        self._access = access
        self._wait = wait
        self._on_retry = on_retry
        self._interval_seconds = 1 / rate
        self._next_at = 0.0
        self._client = HttpClient(1)
        self._clock = int(time.time() * 1000), time.monotonic()
        self.requests = 0

    def get(self, path: str, parameters: Mapping[str, str] | None = None) -> Answer:
        """Return the answer to one request; raises ClerkError for any but 200."""
        return self._get(path, parameters or {}, is_sought=False)

    def find(self, path: str) -> Answer:
        """Return the answer as `get` does, with the value None where there is no such thing."""
        return self._get(path, {}, is_sought=True)

    def close(self) -> None:
        """Let go of the connection that is kept open."""
        self._client.close()

    @property
    def now_ms(self) -> int:
        """The time by Clerk's clock in milliseconds, as its last answer tells it; by ours before any."""
        date_ms, at = self._clock
        return date_ms + int((time.monotonic() - at) * 1000)

    def _get(self, path: str, parameters: Mapping[str, str], *, is_sought: bool) -> Answer:
        for attempt in range(1, _ATTEMPTS + 1):
            pause = min(2.0 ** (attempt - 1), _LONGEST_PAUSE_SECONDS)
            self._wait_for_turn()
            began = time.monotonic()
            try:
                response = self._client.send(self._request(path, parameters), REQUEST_SECONDS)
                self._clock = _date_ms(response), time.monotonic()
                if not _asks_for_time(response.status):
                    return self._answer(response, path, began, is_sought=is_sought)
                failure = self._failure(path, response)
                pause = max(self._rest(path, response), pause)
            except SendError as error:
                failure = ClerkError(f"Clerk's API at {path}: {error}")
            except (ValueError, RecursionError):
                failure = ClerkError(f"Clerk's answer at {path} is not JSON, or was cut off")
            if attempt < _ATTEMPTS:
                self._on_retry(str(failure), pause)
                self._wait(pause)
        raise failure

    def _answer(self, response: HttpResponse, path: str, began: float, *, is_sought: bool) -> Answer:
        """Return the answer of a response; raises ClerkError for a refusal, ValueError for no JSON."""
        is_absent = False
        if response.status != HTTPStatus.OK:
            failure = self._failure(path, response)
            is_absent = is_sought and failure.status == HTTPStatus.NOT_FOUND
            if not is_absent:
                raise failure
        answered_at_ms, at = self._clock
        return Answer(
            value=None if is_absent else json.loads(response.body),
            began_at_ms=answered_at_ms - math.ceil((at - began) * 1000),
            answered_at_ms=answered_at_ms,
        )

    def _failure(self, path: str, response: HttpResponse) -> ClerkError:
        status = response.status
        answer = f"{status} {HTTPStatus(status).phrase}" if status in set(HTTPStatus) else str(status)
        advice = {
            HTTPStatus.UNAUTHORIZED: "; secret_key is not one of its keys any more: copy it anew",
            HTTPStatus.FORBIDDEN: "; the instance, or its plan, does not have that",
        }.get(HTTPStatus(status) if status in set(HTTPStatus) else HTTPStatus.OK, "")
        words = mask(_words(response.body), (self._access.secret_key,))
        # One without Clerk's words is a proxy's: it tells of nothing that Clerk does not have it.
        is_clerks = bool(words) or status not in (HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN)
        advice = advice if is_clerks else "; not in Clerk's words: is api_url right, or does a proxy answer?"
        return ClerkError(
            f"Clerk answered {answer} at {path}{f': {words}' if words else ''}{advice}",
            status=status if is_clerks else None,
        )

    def _rest(self, path: str, response: HttpResponse) -> float:
        """Return the seconds that an answer asks for, by its own clock; raises ClerkError for too many."""
        now = datetime.fromtimestamp(self.now_ms / 1000, UTC)
        seconds = retry_after_seconds(response.headers, now) or 0.0
        if seconds > _LONGEST_REST_SECONDS:
            raise ClerkError(
                f"Clerk asks at {path} to wait for {seconds:.0f} s ({response.status}); try again after that",
                status=response.status,
            )
        return seconds

    def _wait_for_turn(self) -> None:
        self._wait(max(self._next_at - time.monotonic(), 0))
        self._next_at = time.monotonic() + self._interval_seconds
        self.requests += 1

    def _request(self, path: str, parameters: Mapping[str, str]) -> HttpRequest:
        query = f"?{urlencode(parameters)}" if parameters else ""
        return HttpRequest(
            method="GET",
            url=f"{self._access.api_url}{path}{query}",
            headers={
                "Authorization": f"Bearer {self._access.secret_key}",
                "Accept": "application/json",
                "Clerk-API-Version": API_VERSION,
                "User-Agent": USER_AGENT,
            },
            body=b"",
            body_limit_bytes=BODY_LIMIT_BYTES,
        )


def _asks_for_time(status: int) -> bool:
    return status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.REQUEST_TIMEOUT) or status >= 500


def _date_ms(response: HttpResponse) -> int:
    """Return the moment of an answer by Clerk's clock; by this machine's where it has no date."""
    try:
        at = parsedate_to_datetime(response.headers.get("Date", ""))
        return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
    except (TypeError, ValueError, IndexError, OverflowError):
        return int(time.time()) * 1000


def _words(body: bytes) -> str:
    """Return the first error of an answer in Clerk's words; empty where it has none."""
    try:
        errors = json.loads(body)["errors"]
        message = errors[0].get("long_message") or errors[0].get("message")
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return ""
    return one_line(message, _QUOTE_LIMIT) if isinstance(message, str) else ""
