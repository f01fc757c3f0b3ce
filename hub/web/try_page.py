"""The page on which an event, a payload or edited routes are tried: nothing is sent, nothing is kept."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from flask import Blueprint, Response, abort, make_response, request
from markupsafe import Markup

from hub import catalog
from hub.catalog.redaction import body_of
from hub.errors import NotFound
from hub.model.parts import Part, PartKind
from hub.preview.drawing import draw, pretty
from hub.preview.messages import rendered_parts
from hub.preview.renderings import Rendering
from hub.preview.try_out import ROUTES_LIMIT_BYTES, TryOut, try_out
from hub.strings import visible
from hub.web import access
from hub.web.context import context
from hub.web.markup import render_page
from hub.web.messages import MAIL_POLICY, ONE_AT_A_TIME
from hub.web.parameters import known_id

LAST = "last"
"""Stands for the last event that came, where a sample is chosen."""

_MAIL = Markup('<iframe class="msg-frame" sandbox name="mail-{0}" title="The mail"></iframe>')

blueprint = Blueprint("try_page", __name__)
blueprint.before_request(access.require_session)


@blueprint.before_request
def _take_large_fields() -> None:
    request.max_form_memory_size = catalog.BODY_LIMIT_BYTES


@blueprint.get("/try")
def form() -> Response:
    """Answer the page, with the payload of a sample, of the last event or of one that is stored."""
    chosen = request.args.get("event") or "user.created"
    payload, source, fault = _payload_of(chosen)
    return render_page(
        "try.html",
        chosen=chosen,
        source=source,
        types=catalog.event_types(),
        payload=payload,
        routes=_served_routes(),
        is_edited=False,
        outcome=TryOut(fault=fault),
    )


@blueprint.post("/try")
def outcome() -> Response:
    """Answer the outcome: as a part of the page where the page asks for it, else the whole page."""
    is_edited = request.form.get("which") == "edited"
    tried = _tried()
    template = "try_outcome.html" if "HX-Request" in request.headers else "try.html"
    return render_page(
        template,
        chosen=request.form.get("event", ""),
        source=request.form.get("source"),
        types=catalog.event_types(),
        payload=_text("payload"),
        routes=_text("routes"),
        is_edited=is_edited,
        outcome=tried,
        messages=list(_messages(tried)),
    )


@blueprint.post("/try/mail/<int:number>")
def mail(number: int) -> Response:
    """Answer the HTML of one of the mails, for its frame."""
    drawn = [parts for _, _, parts in _parts(_tried())]
    html = [
        part.text for part in (drawn[number] if number < len(drawn) else ()) if part.kind is PartKind.HTML
    ]
    if not html:
        abort(404)
    response = make_response(visible(html[0]).encode())
    response.headers["Content-Security-Policy"] = MAIL_POLICY
    return response


def _tried() -> TryOut:
    here, serving = context(), context().serving()
    edited = None
    if request.form.get("which") == "edited" and serving.files is not None:
        routes = _text("routes").encode("utf-8", "replace")
        if len(routes) > ROUTES_LIMIT_BYTES:
            return TryOut(fault=f"Only {ROUTES_LIMIT_BYTES // 1024} KiB of routes can be tried here.")
        edited = replace(serving.files, content=routes), here.settings.environment
    with ONE_AT_A_TIME:
        return try_out(
            _text("payload"),
            serving.rules,
            datetime.now(UTC),
            source=request.form.get("source"),
            edited=edited,
            public_url=here.settings.public_url or "",
        )


def _text(field: str) -> str:
    """Return the text of a field, its lines as they were before a browser sent them."""
    return request.form.get(field, "").replace("\r\n", "\n")


def _parts(tried: TryOut) -> list[tuple[Rendering, str, tuple[Part, ...]]]:
    """Return each rendering with its failure and the parts of its message, without secrets."""
    if tried.run is None or tried.rules is None:
        return []
    event = tried.run.event
    redaction = tried.rules.redaction.joined(context().redaction()).of_event(event.type, event.payload)
    return [
        (
            rendering,
            redaction.optional(rendering.failure) or "",
            rendered_parts(rendering, event, redaction),
        )
        for rendering in tried.run.renderings
    ]


def _messages(tried: TryOut) -> list[tuple[Rendering, str, Markup]]:
    """Return each rendering with its failure and its message as its reader sees it."""
    return [
        (rendering, failure, draw(parts, partial(_frame, number)))
        for number, (rendering, failure, parts) in enumerate(_parts(tried))
    ]


def _frame(number: int, _: Part) -> Markup:
    """Return the frame of a message's mail, which is asked for by a form of its own."""
    return _MAIL.format(number)


def _payload_of(chosen: str) -> tuple[str, str | None, str]:
    """Return the payload to start from, its source, and the reason where there is none."""
    if catalog.find_event_type(chosen):
        return pretty(catalog.sample(chosen)), None, ""
    with context().store.read() as snapshot:
        if chosen == LAST:
            newest = snapshot.numbers.newest_id()
            if newest is None:
                return "", None, "No event has come yet."
            chosen = newest
        try:
            record = snapshot.event_list.record(known_id("event", chosen))
        except NotFound:
            return "", None, "There is no such event, and no such type in the catalog."
    if record.payload is None:
        return "", None, "The payload of that event is older than HUB_RETENTION and was pruned."
    body = catalog.mask_body(record.type, body_of(record.payload))
    return pretty(context().redaction().anything(body)), record.source, ""


def _served_routes() -> str:
    files = context().serving().files
    return "" if files is None else files.content.decode("utf-8", "replace")
