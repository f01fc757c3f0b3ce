"""A signing secret is rotated as docs/deploy.md says: nothing is owed twice, and nothing is lost."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import given
import signing
from servers.http_receiver import HttpReceiver
from working import Today, working

from hub.ingest.route import Rules
from hub.model.delivery import State
from hub.rules.reload import Serving
from hub.settings import Settings
from hub.store.store import Store
from hub.web.app import Hub, create_app

OLD = given.SECRET
NEW = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"


def rules(url: str, *secrets: str) -> Rules:
    return given.rules(
        given.route("all", ("*",), "crm"),
        destinations=(given.destination("crm", url=url),),
        sources=(given.source(secrets=secrets),),
    )


def body(number: int) -> bytes:
    return json.dumps({"type": "user.created", "data": {"id": f"user_{number}"}}).encode()


class Clerk:
    """A sender with one endpoint for each secret: every event goes to all of them at once."""

    def __init__(self, app: Hub) -> None:
        self._app = app
        self._failed: list[tuple[int, str]] = []

    def send(self, numbers: range, *secrets: str) -> list[int]:
        """Post events to each endpoint, and return the statuses. What fails is tried again by `retry`."""
        return self._post_all([(number, secret) for number in numbers for secret in secrets])

    def retry(self, *secrets: str) -> list[int]:
        """Post again what failed at the endpoints that are still there."""
        failed, self._failed = self._failed, []
        return self._post_all([attempt for attempt in failed if attempt[1] in secrets])

    def _post_all(self, attempts: list[tuple[int, str]]) -> list[int]:
        with ThreadPoolExecutor(8) as pool:
            return list(pool.map(self._post, attempts))

    def _post(self, attempt: tuple[int, str]) -> int:
        number, secret = attempt
        headers = signing.headers(body(number), message_id=f"msg_{number}", secret=secret)
        response = self._app.test_client().post("/api/webhooks", data=body(number), headers=headers)
        if response.status_code != 200:
            self._failed.append(attempt)
        return response.status_code


def test_a_secret_is_rotated_by_a_second_endpoint_without_a_loss_or_a_second_delivery(store: Store) -> None:
    with HttpReceiver() as crm:
        today = Today(rules(crm.url, OLD))
        app = create_app(store, lambda: Serving(rules=today(), since=given.NOON), Settings())
        clerk = Clerk(app)
        with working(store, today):
            before = clerk.send(range(5), OLD)
            # The second endpoint is there, and the hub does not know its secret yet.
            second = clerk.send(range(5, 15), OLD, NEW)
            # The hub knows both.
            today.rules = rules(crm.url, OLD, NEW)
            both = clerk.send(range(15, 30), OLD, NEW) + clerk.retry(OLD, NEW)
            # The first endpoint is gone; then the hub knows the new secret alone.
            alone = clerk.send(range(30, 35), NEW)
            today.rules = rules(crm.url, NEW)
            after = clerk.send(range(35, 40), NEW) + clerk.retry(NEW)
            crm.inbox.wait_for(40, 40)
        app.requests.flush()
        with store.read() as snapshot:
            state, refused = snapshot.sources.all()["clerk"], snapshot.metrics.refused()
            deliveries = snapshot.numbers.stats().deliveries

    assert before + both + alone + after == [200] * (5 + 30 + 10 + 5 + 5)
    assert (second.count(200), second.count(400)) == (10, 10)
    arrived = [json.loads(request.body)["data"]["id"] for request in crm.inbox.all()]
    assert sorted(arrived) == sorted(f"user_{number}" for number in range(40))
    assert deliveries == {("crm", State.DELIVERED): 40}
    assert (refused, state.refused) == ({("clerk", "invalid_signature"): 10}, None)
