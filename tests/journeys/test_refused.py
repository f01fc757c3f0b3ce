"""Requests signed with an old secret: a hub that is stopped at once has counted every one of them."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import requests
import signing
from journeys.serving import serving
from servers.program import PATIENCE_SECONDS

from hub.store.open import open_store

ROUTES = """\
version: 1
sources:
  clerk: {type: clerk, path: /api/webhooks, signing_secret: "${CLERK_WEBHOOK_SIGNING_SECRET}"}
destinations:
  log: {type: console}
unmatched: {send: log}
"""
OLD_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
BODY = b'{"type":"user.created"}'


def test_what_a_hub_refused_is_in_the_store_once_it_has_stopped(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/hub.db"
    with serving(tmp_path, ROUTES, url, {}) as hub:
        for number in range(30):
            headers = signing.headers(BODY, message_id=f"msg_{number}", secret=OLD_SECRET)
            answer = requests.post(
                f"{hub.url}/api/webhooks", data=BODY, headers=headers, timeout=PATIENCE_SECONDS
            )
            assert answer.status_code == 400
    with closing(open_store(url)) as store, store.read() as snapshot:
        totals, states = snapshot.metrics.refused(), snapshot.sources.all()

    assert totals == {("clerk", "invalid_signature"): 30}
    assert states["clerk"].refused is not None
    assert states["clerk"].refused.count == 30
