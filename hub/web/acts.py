"""Acts that say before what will happen: a dialog asks, its form does it, and an answer says what was done.

Each is a page of its own, and the same without its frame for a page that opens it as a dialog.
"""

from __future__ import annotations

from urllib.parse import urlencode

from flask import Blueprint, Response, flash, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from hub import operator
from hub.errors import HubError
from hub.operator import LARGEST, Outcome
from hub.web import access
from hub.web.act_forms import LISTED_IDS, ActForm, Confirmed, act_form, confirmed
from hub.web.act_parts import PART, Progress, act_on_deliveries, begin, go_on, select, signed, signed_progress
from hub.web.act_targets import places_of
from hub.web.act_words import BUTTONS, Tally, Verb, answer_of, dialog_of
from hub.web.context import Context, context
from hub.web.markup import render_page

blueprint = Blueprint("acts", __name__)
blueprint.before_request(access.require_session)


@blueprint.get("/deliveries/acts")
def deliveries() -> Response:
    """Answer the dialog of an act on deliveries."""
    return _ask("deliveries")


@blueprint.get("/events/acts")
def events() -> Response:
    """Answer the dialog of a replay."""
    return _ask("events")


@blueprint.post("/deliveries/acts")
def act_on_deliveries_of_form() -> AnyResponse:
    """Retry, cancel or resolve deliveries as a dialog said it."""
    return _act("deliveries")


@blueprint.post("/events/acts")
def replay_events_of_form() -> AnyResponse:
    """Replay events as a dialog said it."""
    return _act("events")


def _ask(kind: str) -> Response:
    here = context()
    form = act_form(kind, here)
    selection = select(form, here, None, LARGEST)
    if kind == "events":
        forecast = operator.forecast_replay(here.store, here.rules(), selection.ids)
    else:
        act = act_on_deliveries(form, None, here)
        state = form.where.state
        forecast = operator.forecast_deliveries(here.store, here.rules(), act, selection.ids, state)
    places = places_of(forecast, kind, here)
    return _shown(
        "act.html",
        form=form,
        dialog=dialog_of(form.act, forecast, places, len(selection.ids)),
        buttons=BUTTONS[form.act],
        ids=" ".join(selection.ids) if len(selection.ids) <= LISTED_IDS else "",
        newest=selection.ids[0] if selection.ids else "",
        count=len(selection.ids),
        is_cut=selection.is_cut,
        back=_back(form),
    )


def _act(kind: str) -> AnyResponse:
    here = context()
    form = act_form(kind, here)
    answer = confirmed(form)
    is_dialog = "HX-Request" in request.headers
    so_far = request.form.get("so_far")
    progress = signed_progress(so_far, form) if so_far else begin(form, answer)
    if not answer.targets:
        return _answered("Nothing was done: nothing was ticked.", form, is_dialog)
    while True:
        try:
            progress = go_on(progress, form, answer, here, PART)
        except HubError as error:
            words = f"{_words(answer.verb, progress.tally, here)} Then it went wrong: {error}."
            return _answered(words, form, is_dialog)
        if not progress.remaining:
            break
        if is_dialog:
            return _going_on(form, answer, progress)
    is_cut = request.form.get("more") == "yes"
    return _answered(_words(answer.verb, progress.tally, here, is_cut), form, is_dialog)


def _going_on(form: ActForm, answer: Confirmed, progress: Progress) -> Response:
    return _shown(
        "act_progress.html",
        form=form,
        answer=answer,
        so_far=signed(progress),
        handled=progress.tally.handled,
        more=request.form.get("more", ""),
    )


def _answered(words: str, form: ActForm, is_dialog: bool) -> AnyResponse:
    if is_dialog:
        return _shown("act_answer.html", words=words)
    flash(words, "good")
    return redirect(_back(form), 303)


def _words(verb: Verb, tally: Tally, here: Context, is_cut: bool = False) -> str:
    """Return what an act did; the reasons of waits and refusals may quote others."""
    waits: dict[str, tuple[int, str]] = {}
    if verb in (Verb.RETRY, Verb.REPLAY, Verb.RESEND):
        outcome = Outcome(deliveries=tally.deliveries, examples=tally.examples)
        for wait in operator.waits_after(here.store, here.rules(), outcome):
            waits[wait.destination] = (wait.count, wait.reason.text)
    return here.redaction().text(answer_of(verb, tally, waits, is_cut))


def _back(form: ActForm) -> str:
    """Return the page that an act leads back to: that of the one thing that it was done to, or the list."""
    if len(form.ids) != 1:
        query = f"?{urlencode(form.filter)}" if form.filter else ""
        return url_for(f"pages.{form.kind}") + query
    if form.kind == "events":
        return url_for("pages.event", event_id=form.ids[0])
    return url_for("pages.delivery", delivery_id=form.ids[0])


def _shown(template: str, **values: object) -> Response:
    """Answer a piece for the dialog of the page that asks for it, else a page around that."""
    if "HX-Request" in request.headers:
        return render_page(template, **values)
    return render_page("act_page.html", piece=template, **values)
