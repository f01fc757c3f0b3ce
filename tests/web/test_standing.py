"""What the status page says first: trouble before tasks, and nothing where all is well."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from given_web import a_config

from hub.ingest.route import load_rules
from hub.model.config import Config
from hub.model.delivery import State
from hub.model.problem import Problem, Severity
from hub.model.stats import Stats
from hub.rules.reload import Serving
from hub.web.standing import Tone, standing

NOW = datetime(2026, 1, 31, tzinfo=UTC)
STATS = Stats(
    events=1,
    events_last_day=1,
    last_event_at=NOW,
    deliveries={("crm", State.DELIVERED): 4},
    oldest_due={},
    worker_seen_at=NOW - timedelta(seconds=5),
    now=NOW,
)


def place(state: str, **more: Any) -> dict[str, Any]:
    return {"name": "crm", "state": state, "paused_reason": None, "advice": None, **more}


def serving(config: Config, *refused: Problem) -> Serving:
    return Serving(rules=load_rules(config), since=NOW, refused=refused)


def warning(code: str) -> Problem:
    return Problem(
        file="routes.yaml", line=1, column=1, severity=Severity.WARNING, code=code, message="mind this"
    )


def test_all_is_right() -> None:
    told = standing(STATS, [place("ok"), place("disabled")], serving(a_config()))

    assert (told.tone, told.headline, told.notes) == (Tone.GOOD, "Everything is all right", ())


def test_what_is_to_be_set_up_is_no_trouble() -> None:
    config = replace(a_config(), warnings=(warning("unused-destination"), warning("unset-variable")))
    told = standing(STATS, [place("not_configured", advice="Set CRM_URL.")], serving(config))

    assert (told.tone, told.headline) == (Tone.TASK, "All right so far, 2 things left to set up")
    assert [note.title for note in told.notes] == ["crm is not configured", "1 warning in the configuration"]


def test_trouble_comes_first() -> None:
    stats = replace(
        STATS,
        deliveries={("crm", State.DEAD): 2, ("log", State.HELD): 1},
        worker_seen_at=NOW - timedelta(seconds=90),
    )
    paused = place("paused", paused_reason="it answered invalid_auth", advice="Put it right.")
    told = standing(stats, [place("not_configured", name="mail"), paused], serving(a_config()))

    assert (told.tone, told.headline) == (Tone.TROUBLE, "4 things need you")
    assert [(note.title, note.text) for note in told.notes][:2] == [
        (
            "No worker is running",
            "Silent for 1 min: events are kept, nothing is sent. Start hub worker, or hub serve for both.",
        ),
        ("crm is paused", "It answered invalid_auth. Put it right."),
    ]
    assert [note.title for note in told.notes][2:] == [
        "2 dead letters",
        "1 held delivery",
        "mail is not configured",
    ]


def test_a_worker_that_never_ran_is_trouble() -> None:
    told = standing(replace(STATS, worker_seen_at=None), [], serving(a_config()))

    assert told.headline == "1 thing needs you"
    assert told.notes[0].text.startswith("No worker has run yet")


def test_a_refused_edit_says_where_its_first_error_is_and_what_serves() -> None:
    errors = [replace(warning("unknown-key"), severity=Severity.ERROR, line=line) for line in (4, 9, 12)]
    told = standing(STATS, [place("ok")], serving(a_config(), warning("unset-variable"), *errors))

    assert told.tone is Tone.TROUBLE
    assert [note.title for note in told.notes] == ["The last edit of the configuration was refused"]
    assert told.notes[0].text == (
        "What served before it still does. routes.yaml:4: mind this, and 2 more problems."
    )
