"""The API's acts on many deliveries or events at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response, jsonify

from hub import operator
from hub.operator import DeliveryAct, Outcome, Skipped
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
    outcome = operator.act_on_deliveries(
        here.store, _act(body, here), body.ids, access.actor(), is_dry_run=body.is_dry_run
    )
    is_owed = body.act == "retry" or body.as_ == "retry"
    return jsonify(
        changed=len(outcome.changed),
        skipped=_skipped(outcome.skipped, body.ids, here),
        **(_waits(outcome, here) if is_owed else {}),
    )


@blueprint.post("/events/acts")
def on_events() -> Response:
    """Replay events, and answer how many, what they are newly owed, and why not the others."""
    parameters.only()
    here, body = context(), events_body()
    outcome = operator.replay_events(
        here.store,
        here.rules(),
        body.ids,
        access.actor(),
        destinations=body.destinations,
        is_dry_run=body.is_dry_run,
    )
    return jsonify(
        changed=len(outcome.changed),
        deliveries=outcome.delivery_count,
        skipped=_skipped(outcome.skipped, body.ids, here),
        **_waits(outcome, here),
    )


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
