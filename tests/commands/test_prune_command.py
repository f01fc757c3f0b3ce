"""`hub prune` removes what is old, and nothing that is still owed."""

from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from given import event, keep, routing
from shell import shipped_environment

from hub.store.open import open_store


@pytest.fixture
def filled(sqlite_url):
    """Events of 40 and 10 days ago that nothing is owed for, and one of 40 days ago that is still owed."""
    with closing(open_store(sqlite_url)) as store:
        for days, owed in ((40, ()), (10, ()), (40, ("log",))):
            old = event(received_at=datetime.now(UTC) - timedelta(days=days))
            store.write(lambda tx, old=old, owed=owed: keep(tx, old, routing(*owed)))
    return shipped_environment(DATABASE_URL=sqlite_url)


def payloads(env):
    with closing(open_store(env["DATABASE_URL"])) as store, store.read() as snapshot:
        return sum(record.payload is not None for record in snapshot.event_list.records())


@pytest.mark.parametrize(
    ("arguments", "env", "kept"),
    [
        ((), {}, 2),
        ((), {"HUB_RETENTION": "60d"}, 3),
        (("--older-than", "5d"), {}, 1),
        (("--older-than", "5d"), {"HUB_RETENTION": "60d"}, 1),
    ],
)
def test_what_is_older_than_the_retention_goes_unless_it_is_owed(run, filled, arguments, env, kept):
    result = run("prune", *arguments, env=filled | env)

    assert result.exit_code == 0, result.output
    assert payloads(filled) == kept
    removed = 3 - kept
    assert result.stdout.startswith(f"{removed} row" if removed else "nothing is old enough")


def test_ids_stay_for_90_days(run, filled):
    run("prune", "--older-than", "1s", env=filled)

    with closing(open_store(filled["DATABASE_URL"])) as store, store.read() as snapshot:
        assert len(snapshot.event_list.records()) == 3


@pytest.mark.parametrize("text", ["30", "0d", "-1d", "soon", "30 d"])
def test_a_wrong_duration_is_wrong_usage(run, text):
    result = run("prune", "--older-than", text)

    assert result.exit_code == 2
    assert "say a duration above zero such as 30d or 12h" in result.stderr
