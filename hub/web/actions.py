"""The pages' buttons that do one thing at once: they say what came of it, and lead back."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flask import Blueprint, flash, redirect, request, url_for
from werkzeug.wrappers import Response

from hub import operator
from hub.errors import Conflict
from hub.health.waiting import WaitCode, WaitReason
from hub.humanize import sentence
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
        reason = operator.wait_of_delivery(here.store, here.rules(), record)
        again = "It will be sent again now, rendered by today's rules."
        return {"text": _unless_it_waits(again, "It is owed again, and waits", reason)}

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
        goes_on = f"{name} goes on: what it is owed is sent now."
        text = _unless_it_waits(goes_on, f"{name} is not paused any more, but what it is owed waits", reason)
        return {"text": text, "undo": url_for("actions.pause", name=name)}

    return _done(act, _back(url_for("pages.destinations")))


@blueprint.post("/destinations/<name>/test")
def send_test(name: str) -> Response:
    here = context()
    known_destination(here, name)

    def act() -> Answer:
        delivery_id = operator.send_test(here.store, here.rules(), name)
        reason = operator.wait_of_destination(here.store, here.rules(), name)
        sent = f"A message marked [TEST] is sent to {name} now."
        text = _unless_it_waits(sent, f"A message marked [TEST] is owed to {name}, and waits", reason)
        return {"text": text, "see": url_for("pages.delivery", delivery_id=delivery_id)}

    return _done(act, _back(url_for("pages.destinations")))


def _back(otherwise: str) -> str:
    """Return the page on which a button was pressed, as its form says, else another."""
    back = request.form.get("back", "")
    return access.own_target(back) if back else otherwise


def _unless_it_waits(answer: str, waits: str, reason: WaitReason | None) -> str:
    """Return the answer to an act after which something is due, or that it `waits` all the same, and why."""
    if reason is None or reason.code is WaitCode.DUE:
        return answer
    return f"{waits}: {context().redaction().text(reason.text)}."


def _done(act: Callable[[], Answer], back: str) -> Response:
    """Act, and lead back with what came of it or with the conflict that forbids it."""
    try:
        flash(dict(act()), "good")  # type: ignore[arg-type]  # a session holds whatever JSON does
    except Conflict as conflict:
        flash(sentence(str(conflict)), "trouble")
    return redirect(back, 303)
