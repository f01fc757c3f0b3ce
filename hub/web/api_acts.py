"""The API's acts on many deliveries or events at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response, jsonify

from hub import operator
from hub.model.filter import Filter
from hub.model.finding import HUB
from hub.operator import DeliveryAct, Outcome, Selection, Skipped
from hub.web import access, parameters, serializers
from hub.web.act_bodies import ActBody, deliveries_body, events_body
from hub.web.context import Context, context

blueprint = Blueprint("api_acts", __name__, url_prefix="/api")
blueprint.before_request(access.require_key)


@blueprint.post("/deliveries/acts")
def on_deliveries() -> Response:
    """Retry, cancel or resolve deliveries, and answer how many, and why not the others."""
    parameters.only()
    here, body = context(), deliveries_body()
    where, event = _conditions(body, here)
    selection = _named(body) if where is None else operator.select_deliveries(here.store, where, event)
    outcome = operator.act_on_deliveries(
        here.store,
        _act(body, here),
        selection.ids,
        access.actor(),
        state=where.state if where else None,
        subject=_subject(where),
        is_dry_run=body.is_dry_run,
    )
    is_owed = body.act == "retry" or body.as_ == "retry"
    return jsonify(
        changed=len(outcome.changed),
        skipped=_skipped(outcome.skipped, selection.ids, here),
        **(_waits(outcome, here) if is_owed else {}),
        **_more(selection),
    )


@blueprint.post("/events/acts")
def on_events() -> Response:
    """Replay events, and answer how many, what they are newly owed, and why not the others."""
    parameters.only()
    here, body = context(), events_body()
    where, _ = _conditions(body, here)
    selection = _named(body) if where is None else operator.select_events(here.store, where)
    outcome = operator.replay_events(
        here.store,
        here.rules(),
        selection.ids,
        access.actor(),
        destinations=body.destinations,
        subject=_subject(where),
        is_dry_run=body.is_dry_run,
    )
    return jsonify(
        changed=len(outcome.changed),
        deliveries=outcome.delivery_count,
        skipped=_skipped(outcome.skipped, selection.ids, here),
        **_waits(outcome, here),
        **_more(selection),
    )


def _conditions(body: ActBody, here: Context) -> tuple[Filter | None, str | None]:
    """Return the filter that is asked for, and the event; raises NotFound for names that never were."""
    if body.filter is None:
        return None, None
    parameters.take_filter(body.filter)
    with here.store.read() as snapshot:
        return parameters.chosen(here.rules(), snapshot), parameters.event(snapshot)


def _named(body: ActBody) -> Selection:
    return Selection(ids=body.ids)


def _subject(where: Filter | None) -> str:
    """Return the subject of the audit's entry: the destination that the act was about, else the hub."""
    return (where and where.destination) or HUB


def _more(selection: Selection) -> dict[str, bool]:
    """Return that a filter finds more than one act is done to; nothing where that is all."""
    return {"more": True} if selection.is_cut else {}


def _act(body: ActBody, here: Context) -> DeliveryAct:
    match body.act:
        case "retry":
            return operator.Retry(rules=here.rules())
        case "cancel":
            return operator.Cancel()
    return operator.Resolve(as_=str(body.as_))


def _skipped(skipped: Sequence[Skipped], ids: Sequence[str], here: Context) -> list[dict[str, str]]:
    """Return those that nothing was done to, in the order in which they were named."""
    reasons = {one.id: one.why for one in skipped}
    mask = here.redaction().text
    return [{"id": id_, "why": mask(reasons[id_])} for id_ in dict.fromkeys(ids) if id_ in reasons]


def _waits(outcome: Outcome, here: Context) -> dict[str, Any]:
    """Return what of it waits all the same, and why; nothing where all goes out."""
    waits = operator.waits_after(here.store, here.rules(), outcome)
    redaction = here.redaction()
    return {"waits": [serializers.wait_after_act(wait, redaction) for wait in waits]} if waits else {}
