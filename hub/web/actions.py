"""The pages' buttons: each does one thing, says what came of it, and leads back."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, flash, redirect, request, url_for
from werkzeug.wrappers import Response

from hub import operator
from hub.errors import Conflict
from hub.health.waiting import WaitCode
from hub.humanize import counted, sentence
from hub.model.records import DeliveryRecord
from hub.web import access
from hub.web.api import known_destination
from hub.web.context import context
from hub.web.parameters import known_id

blueprint = Blueprint("actions", __name__)
blueprint.before_request(access.require_session)


@blueprint.post("/events/<event_id>/replay")
def replay(event_id: str) -> Response:
    here = context()
    known_id("event", event_id)

    def act() -> str:
        replayed = operator.replay(event_id, here.rules(), here.store, access.actor())
        if not replayed.deliveries:
            return "Routed again by today's rules: no route takes it, so nothing new is owed."
        return f"Routed again: {counted(replayed.deliveries, 'new delivery', 'new deliveries')}."

    return _done(act, url_for("pages.event", event_id=event_id))


@blueprint.post("/deliveries/<delivery_id>/retry")
def retry(delivery_id: str) -> Response:
    here = context()
    known_id("delivery", delivery_id)

    def act() -> str:
        record = operator.retry(here.store, here.rules(), delivery_id, access.actor())
        return _unless_it_waits("It will be sent again now, rendered by today's rules.", record)

    return _done(act, url_for("pages.delivery", delivery_id=delivery_id))


@blueprint.post("/deliveries/<delivery_id>/cancel")
def cancel(delivery_id: str) -> Response:
    known_id("delivery", delivery_id)

    def act() -> str:
        operator.cancel(context().store, delivery_id, access.actor())
        return "Cancelled: it will not be sent."

    return _done(act, url_for("pages.delivery", delivery_id=delivery_id))


@blueprint.post("/deliveries/<delivery_id>/resolve")
def resolve(delivery_id: str) -> Response:
    known_id("delivery", delivery_id)
    chosen = request.form.get("as", "")

    def act() -> str:
        record = operator.resolve(context().store, delivery_id, chosen, access.actor())
        if chosen == "delivered":
            return "Resolved as delivered."
        return _unless_it_waits("The same message will be sent again now.", record)

    return _done(act, url_for("pages.delivery", delivery_id=delivery_id))


@blueprint.post("/destinations/<name>/pause")
def pause(name: str) -> Response:
    here = context()
    known_destination(here, name)

    def act() -> str:
        operator.pause(here.store, here.rules(), name, access.actor())
        return f"{name} is paused: what it is owed waits."

    return _done(act, _back_from(name))


@blueprint.post("/destinations/<name>/resume")
def resume(name: str) -> Response:
    here = context()
    known_destination(here, name)

    def act() -> str:
        operator.resume(here.store, here.rules(), name, access.actor())
        reason = operator.wait_of_destination(here.store, here.rules(), name)
        if reason is not None:
            return f"{name} is not paused any more, but what it is owed waits: {reason.text}."
        return f"{name} goes on: what it is owed is sent now."

    return _done(act, _back_from(name))


def _back_from(name: str) -> str:
    """Return the page on which a destination's button was pressed: its own, or the table of all."""
    return (
        url_for("pages.destination", name=name) if "alone" in request.form else url_for("pages.destinations")
    )


def _unless_it_waits(answer: str, record: DeliveryRecord) -> str:
    """Return the answer to an act after which a delivery is due, or why it waits all the same."""
    here = context()
    reason = operator.wait_of_delivery(here.store, here.rules(), record)
    if reason is None or reason.code is WaitCode.DUE:
        return answer
    return f"It is owed again, and waits: {here.redaction().text(reason.text)}."


def _done(act: Callable[[], str], back: str) -> Response:
    """Act, and lead back with what came of it or with the conflict that forbids it."""
    try:
        flash(act(), "good")
    except Conflict as conflict:
        flash(sentence(str(conflict)), "trouble")
    return redirect(back, 303)
