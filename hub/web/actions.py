"""The pages' buttons: each does one thing, says what came of it, and leads back."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, flash, redirect, request, url_for
from werkzeug.wrappers import Response

from hub import operator
from hub.errors import Conflict
from hub.humanize import counted
from hub.ingest import fanout
from hub.web import access
from hub.web.api import known_destination
from hub.web.context import context
from hub.web.parameters import known_id

blueprint = Blueprint("acts", __name__)
blueprint.before_request(access.require_session)


@blueprint.post("/events/<event_id>/replay")
def replay(event_id: str) -> Response:
    here = context()
    known_id("event", event_id)

    def act() -> str:
        done = fanout.replay(event_id, here.rules(), here.store)
        if not done.deliveries:
            return "Routed again by today's rules: no route takes it, so nothing new is owed."
        return f"Routed again: {counted(done.deliveries, 'new delivery', 'new deliveries')}."

    return _done(act, url_for("pages.event", event_id=event_id))


@blueprint.post("/deliveries/<delivery_id>/retry")
def retry(delivery_id: str) -> Response:
    here = context()
    known_id("delivery", delivery_id)

    def act() -> str:
        operator.retry(here.store, here.rules(), delivery_id)
        return "It will be sent again now, rendered by today's rules."

    return _done(act, url_for("pages.delivery", delivery_id=delivery_id))


@blueprint.post("/deliveries/<delivery_id>/cancel")
def cancel(delivery_id: str) -> Response:
    known_id("delivery", delivery_id)

    def act() -> str:
        operator.cancel(context().store, delivery_id)
        return "Cancelled: it will not be sent."

    return _done(act, url_for("pages.delivery", delivery_id=delivery_id))


@blueprint.post("/deliveries/<delivery_id>/resolve")
def resolve(delivery_id: str) -> Response:
    known_id("delivery", delivery_id)
    chosen = request.form.get("as", "")

    def act() -> str:
        operator.resolve(context().store, delivery_id, chosen)
        return (
            "Resolved as delivered." if chosen == "delivered" else "The same message will be sent again now."
        )

    return _done(act, url_for("pages.delivery", delivery_id=delivery_id))


@blueprint.post("/destinations/<name>/pause")
def pause(name: str) -> Response:
    here = context()
    known_destination(here, name)

    def act() -> str:
        operator.pause(here.store, here.rules(), name)
        return f"{name} is paused: what it is owed waits."

    return _done(act, url_for("pages.destinations"))


@blueprint.post("/destinations/<name>/resume")
def resume(name: str) -> Response:
    here = context()
    known_destination(here, name)

    def act() -> str:
        operator.resume(here.store, here.rules(), name)
        return f"{name} goes on: what it is owed is sent now."

    return _done(act, url_for("pages.destinations"))


def _done(act: Callable[[], str], back: str) -> Response:
    """Do it and lead back with what came of it, or with why it cannot be done."""
    try:
        flash(act(), "good")
    except Conflict as why:
        text = str(why)
        flash(text[0].upper() + text[1:] + ".", "trouble")
    return redirect(back, 303)
