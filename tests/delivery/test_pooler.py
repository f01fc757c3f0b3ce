"""Behind a pooler, where no wake-up arrives, a worker looks often while events come."""

from __future__ import annotations

import time
from contextlib import closing

import given
import pytest
from servers.http_receiver import HttpReceiver
from servers.pooler import Pooler
from working import working

from hub.delivery.worker import BUSY_POLL_SECONDS
from hub.ingest.fanout import fan_out
from hub.store.open import open_store


def test_while_events_come_the_next_one_does_not_wait_for_the_slow_poll(
    postgres_store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with HttpReceiver() as receiver, Pooler(postgres_store_url) as pooler:
        rules = given.rules(
            given.route("all", ("*",), "crm"), destinations=(given.destination("crm", url=receiver.url),)
        )
        with closing(open_store(pooler.url)) as store:
            # Of a poll so slow none would arrive in time.
            monkeypatch.setattr(store, "slow_poll_seconds", 600.0)
            fan_out(given.event(), rules, store)
            with working(store, rules):
                for number in range(1, 6):
                    receiver.wait_for(number)
                    time.sleep(BUSY_POLL_SECONDS)
                    fan_out(given.event(), rules, store)

    assert pooler.listens == 0
