"""The pages' buttons that do one thing at once: they say what came of it, and lead back."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flask import Blueprint, flash, redirect, request, url_for
from werkzeug.wrappers import Response

from hub import operator
from hub.errors import Conflict
from hub.health.waiting import WaitCode
from hub.humanize import sentence
from hub.model.records import DeliveryRecord
from hub.web import access
from hub.web.api import known_destination
from hub.web.context import context
from hub.web.parameters import known_id

blueprint = Blueprint("actions", __name__)
blueprint.before_request(access.require_session)

Answer = Mapping[str, str]
"""What came of an act: its `text`; `undo` is the path that takes it back, `see` that of what it made."""


@blueprint.post("/deliveries/<delivery_id>/retry")
def retry(delivery_id: str) -> Response:
    here = context()
    known_id("delivery", delivery_id)

    def act() -> Answer:
        record = operator.retry(here.store, here.rules(), delivery_id, access.actor())
        return {"text": _unless_it_waits("It will be sent again now, rendered by today's rules.", record)}

    return _done(act, _back(url_for("pages.delivery", delivery_id=delivery_id)))


@blueprint.post("/destinations/<name>/pause")
def pause(name: str) -> Response:
    here = context()
    known_destination(here, name)

    def act() -> Answer:
        operator.pause(here.store, here.rules(), name, access.actor())
        text = f"{name} is paused: what it is owed waits."
        return {"text": text, "undo": url_for("actions.resume", name=name)}

    return _done(act, _back(url_for("pages.destinations")))


@blueprint.post("/destinations/<name>/resume")
def resume(name: str) -> Response:
    here = context()
    known_destination(here, name)

    def act() -> Answer:
        operator.resume(here.store, here.rules(), name, access.actor())
        reason = operator.wait_of_destination(here.store, here.rules(), name)
        text = f"{name} goes on: what it is owed is sent now."
        if reason is not None:
            text = f"{name} is not paused any more, but what it is owed waits: {_masked(reason.text)}."
        return {"text": text, "undo": url_for("actions.pause", name=name)}

    return _done(act, _back(url_for("pages.destinations")))


@blueprint.post("/destinations/<name>/test")
def send_test(name: str) -> Response:
    here = context()
    known_destination(here, name)

    def act() -> Answer:
        delivery_id = operator.send_test(here.store, here.rules(), name)
        reason = operator.wait_of_destination(here.store, here.rules(), name)
        text = f"A message marked [TEST] is sent to {name} now."
        if reason is not None:
            text = f"A message marked [TEST] is owed to {name}, and waits: {_masked(reason.text)}."
        return {"text": text, "see": url_for("pages.delivery", delivery_id=delivery_id)}

    return _done(act, _back(url_for("pages.destinations")))


def _back(otherwise: str) -> str:
    """Return the page on which a button was pressed, as its form says, else another."""
    back = request.form.get("back", "")
    return access.own_target(back) if back else otherwise


def _unless_it_waits(answer: str, record: DeliveryRecord) -> str:
    """Return the answer to an act after which a delivery is due, or why it waits all the same."""
    here = context()
    reason = operator.wait_of_delivery(here.store, here.rules(), record)
    if reason is None or reason.code is WaitCode.DUE:
        return answer
    return f"It is owed again, and waits: {_masked(reason.text)}."


def _masked(text: str) -> str:
    return context().redaction().text(text)


def _done(act: Callable[[], Answer], back: str) -> Response:
    """Act, and lead back with what came of it or with the conflict that forbids it."""
    try:
        flash(dict(act()), "good")  # type: ignore[arg-type]  # a session holds whatever JSON does
    except Conflict as conflict:
        flash(sentence(str(conflict)), "trouble")
    return redirect(back, 303)
