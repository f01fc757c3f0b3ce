"""A delivery's message on its page, as its reader sees it; a mail's HTML in a frame of its own."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace

from flask import Blueprint, Response, abort, make_response, url_for
from markupsafe import Markup

from hub.delivery.earlier import EarlierEvents
from hub.delivery.render import RenderContext
from hub.destinations.base import parts_of
from hub.model.delivery import Message, State
from hub.model.parts import Part, PartKind
from hub.model.records import DeliveryRecord, EventRecord
from hub.model.routing import Send
from hub.preview.drawing import Frame, draw
from hub.preview.messages import shown_context
from hub.preview.renderings import Rendering, rendering_of
from hub.store.store import Transaction
from hub.strings import visible
from hub.templating.placeholders import shown
from hub.web import access
from hub.web.context import Context, context
from hub.web.markup import beginning_of
from hub.web.parameters import known_id

MAIL_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"
"""A mail in its frame runs nothing, loads nothing and leads nowhere."""

ONE_AT_A_TIME = threading.Lock()
"""Checking and rendering take processor time, which requests of senders need more."""

_READ_FIRST = ("from", "to", "cc", "reply-to", "subject", "content-type")
"""Headers that stand with the message itself."""

_FRAME = Markup('<iframe class="msg-frame" sandbox title="The mail" src="{}"></iframe>')

_CUT = Markup('<pre class="code" tabindex="0">{}</pre>')

styles = Blueprint("styles", "hub.preview", static_folder="static", static_url_path="/static/preview")
"""The styles of messages, which the files of `hub preview` have too."""

blueprint = Blueprint("messages", __name__)
blueprint.before_request(access.require_session)


@dataclass(frozen=True, kw_only=True)
class ShownMessage:
    """A delivery's message without secrets, in parts; none where there is none yet and none can be made.

    `is_preview` is set where it was rendered now, by the rules that serve; `failure` says why no message, or
    not the one of the user's own words, could be made.
    """

    parts: tuple[Part, ...] = ()
    is_preview: bool = False
    failure: str = ""


@dataclass(frozen=True, kw_only=True)
class View:
    """One way to look at a message, drawn; `key` is its name for the page."""

    key: str
    label: str
    drawing: Markup


@blueprint.get("/deliveries/<delivery_id>/mail")
def mail(delivery_id: str) -> Response:
    """Answer the HTML of a mail, for a frame."""
    here = context()
    with here.store.read() as snapshot:
        record = snapshot.delivery_list.record(known_id("delivery", delivery_id))
        event = event_to_render(record, snapshot)
    parts = shown_message(record, event, here).parts
    page = next((part.text for part in parts if part.kind is PartKind.HTML), None)
    if page is None:
        abort(404)
    response = make_response(visible(page).encode())
    response.headers["Content-Security-Policy"] = MAIL_POLICY
    return response


def views_of(parts: Sequence[Part], frame: Frame) -> list[View]:
    """Return the ways to look at a delivery's message, first as its reader sees it; none without parts.

    A mail's text and all headers have views of their own.
    """
    headers = [part for part in parts if part.kind is PartKind.HEADERS]
    body = [part for part in parts if part.kind is not PartKind.HEADERS]
    html = [replace(part, label="") for part in body if part.kind is PartKind.HTML]
    text = [replace(part, label="") for part in body if part.kind is PartKind.TEXT] if html else []
    read = [*map(_for_readers, headers), *(html or body)]
    groups = (("message", "Message", read), ("text", "Text", text), ("headers", "Headers", headers))
    return [View(key=key, label=label, drawing=_drawn(group, frame)) for key, label, group in groups if group]


def _drawn(parts: Sequence[Part], frame: Frame) -> Markup:
    """Return the parts as they are drawn; the beginning of their texts alone where that is too long."""
    drawing = draw(parts, frame)
    if beginning_of(drawing) == drawing:
        return drawing
    lines = (
        line for part in parts for line in (part.text, *(f"{name}: {value}" for name, value in part.pairs))
    )
    return _CUT.format(beginning_of("\n".join(filter(None, lines))))


def mail_frame(delivery_id: str) -> Frame:
    """Return what draws a delivery's mail: a frame that asks for it."""
    return lambda _: _FRAME.format(url_for("messages.mail", delivery_id=delivery_id))


def _for_readers(headers: Part) -> Part:
    """Return the line of a request, or whom a mail is from and for, without the other headers."""
    return replace(headers, pairs=tuple(pair for pair in headers.pairs if pair[0].lower() in _READ_FIRST))


def event_to_render(record: DeliveryRecord, snapshot: Transaction) -> EventRecord | None:
    """Return the event of a delivery without a message; None where it has one, or the payload is gone."""
    if record.message or record.payload is None:
        return None
    return snapshot.event_list.record(record.event)


def shown_message(record: DeliveryRecord, event: EventRecord | None, here: Context) -> ShownMessage:
    """Return the message that was kept, else the one that today's files make of its event."""
    if record.message:
        return ShownMessage(parts=_parts(record, shown(record.message), here))
    if event is None or record.destination not in here.rules().config.destinations:
        return ShownMessage()
    with ONE_AT_A_TIME:
        rendering = _rendered_now(record, event, here)
    own = here.redaction().of_event(record.type, record.payload)
    return ShownMessage(
        parts=_parts(record, rendering.message, here) if rendering.message else (),
        is_preview=True,
        failure=own.optional(rendering.failure) or "",
    )


def _rendered_now(record: DeliveryRecord, stored: EventRecord, here: Context) -> Rendering:
    rules = here.rules()
    event = stored.event
    rendered_for = RenderContext(
        event=event,
        route=record.route,
        link=f"{here.settings.public_url}/events/{event.id}" if here.settings.public_url else "",
        timezone=rules.config.destinations[record.destination].timezone,
        earlier=EarlierEvents(store=here.store, event=event),
        routes=rules.config.routes,
    )
    return rendering_of(_send_block(record, here), rendered_for, rules)


def _send_block(record: DeliveryRecord, here: Context) -> Send:
    """Return the send block that a delivery is rendered from: its own, or for a retry today's."""
    kept = Send(to=record.destination, fields=record.send, position=record.position)
    if record.state not in (State.DEAD, State.CANCELLED):
        return kept
    sends = [s for s in here.rules().config.sends_of(record.route) if s.to == record.destination]
    return next((send for send in sends if send.position == record.position), sends[0] if sends else kept)


def _parts(record: DeliveryRecord, message: Message, here: Context) -> tuple[Part, ...]:
    own = here.redaction().of_event(record.type, record.payload)
    destination = here.rules().config.destinations.get(record.destination)
    body = own.text((record.payload or b"").decode("utf-8", "replace"))
    facts = shown_context(destination, record.event, record.type, body, record.id)
    return parts_of(own.anything(message), destination.type if destination else None, facts)
