"""A delivery's message on its page, as its reader sees it; a mail's HTML in a frame of its own."""

from __future__ import annotations

from flask import Blueprint, Response, abort, make_response, url_for
from markupsafe import Markup

from hub.catalog.redaction import Redaction
from hub.destinations.base import parts_of
from hub.model.delivery import RAW
from hub.model.parts import Part, PartKind
from hub.model.records import DeliveryRecord
from hub.preview.drawing import draw
from hub.preview.messages import shown_context
from hub.store.store import Transaction
from hub.strings import visible
from hub.web import access
from hub.web.context import context
from hub.web.parameters import known_id

MAIL_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"
"""A mail in its frame runs nothing, loads nothing and leads nowhere."""

_FRAME = Markup('<iframe class="msg-frame" sandbox title="The mail" src="{}"></iframe>')

styles = Blueprint("styles", "hub.preview", static_folder="static", static_url_path="/static/preview")
"""The styles of messages, which the files of `hub preview` have too."""

blueprint = Blueprint("messages", __name__)
blueprint.before_request(access.require_session)


@blueprint.get("/deliveries/<delivery_id>/mail")
def mail(delivery_id: str) -> Response:
    """Answer the HTML of a mail, for a frame."""
    here = context()
    with here.store.read() as snapshot:
        record = snapshot.reports.delivery(known_id("delivery", delivery_id))
        parts = message_parts(record, snapshot, here.redaction())
    page = next((part.text for part in parts if part.kind is PartKind.HTML), None)
    if page is None:
        abort(404)
    response = make_response(visible(page).encode())
    response.headers["Content-Security-Policy"] = MAIL_POLICY
    return response


def drawn(record: DeliveryRecord, parts: tuple[Part, ...]) -> Markup:
    """Return a delivery's message as a piece of its page."""
    return draw(parts, lambda _: _FRAME.format(url_for("messages.mail", delivery_id=record.id)))


def message_parts(record: DeliveryRecord, snapshot: Transaction, redaction: Redaction) -> tuple[Part, ...]:
    """Return the parts of a delivery's message, without secrets; none before it was rendered."""
    if not record.message:
        return ()
    payload = record.payload
    if record.message.get(RAW):
        payload = snapshot.reports.event(record.event).payload
    own = redaction.of_event(record.type, payload)
    destination = context().rules().config.destinations.get(record.destination)
    body = own.text((payload or b"").decode("utf-8", "replace"))
    facts = shown_context(destination, record.event, record.type, body)
    return parts_of(own.anything(record.message), destination.type if destination else None, facts)
