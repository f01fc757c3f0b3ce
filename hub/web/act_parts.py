"""An act on many in parts: each is one request of its dialog, which shows how far it is and asks on."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from flask import current_app
from itsdangerous import BadSignature, URLSafeSerializer

from hub import operator
from hub.model.audit import Act, AuditEntry
from hub.model.finding import HUB
from hub.operator import DeliveryAct, OnlyTo, Outcome, Selection
from hub.web import access
from hub.web.act_forms import ActForm, Confirmed
from hub.web.act_words import Tally, Verb
from hub.web.context import Context
from hub.web.error_handlers import BadParameter

PART = 500
"""So many things one request of a dialog does it to."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """An act between two of its parts.

    `entry` is its entry in the audit, `before` the id below which it goes on; `remaining` may follow.
    """

    entry: AuditEntry
    before: str
    remaining: int
    tally: Tally


def begin(form: ActForm, confirmed: Confirmed) -> Progress:
    """Return the progress of an act that has not begun."""
    subject = form.ids[0] if len(form.ids) == 1 else form.where.destination or HUB
    # The newest that was spoken of is done, too: no id lies between it and this.
    before = f"{form.newest}0" if form.newest else ""
    entry = operator.entry_of(Act(form.act), access.actor(), subject)
    return Progress(entry=entry, before=before, remaining=confirmed.count, tally=Tally())


def go_on(progress: Progress, form: ActForm, confirmed: Confirmed, here: Context, part: int) -> Progress:
    """Do at most so many of an act, each batch whole, and return how far it is then."""
    selection = select(form, here, progress.before, min(part, progress.remaining))
    outcome = _do(form, confirmed, selection, progress.entry, here)
    is_over = bool(form.ids) or not selection.is_cut
    return Progress(
        entry=progress.entry,
        before=selection.ids[-1] if selection.ids else progress.before,
        remaining=0 if is_over else progress.remaining - len(selection.ids),
        tally=progress.tally.plus(_tally(outcome)),
    )


def select(form: ActForm, here: Context, before: str | None, limit: int) -> Selection:
    """Return the ids that a form names, or the newest of those that its filter finds."""
    if form.ids:
        return Selection(ids=form.ids)
    find = operator.select_events if form.kind == "events" else operator.select_deliveries
    return find(here.store, form.where, before=before or None, limit=limit)


def act_on_deliveries(form: ActForm, verb: Verb | None, here: Context) -> DeliveryAct:
    """Return the act on deliveries; of two ways to resolve, that of the verb."""
    match form.act:
        case "retry":
            return operator.Retry(rules=here.rules())
        case "cancel":
            return operator.Cancel()
    return operator.Resolve(as_="delivered" if verb is Verb.ARRIVED else "retry")


def _do(
    form: ActForm, confirmed: Confirmed, selection: Selection, entry: AuditEntry, here: Context
) -> Outcome:
    rules = here.rules()
    if form.kind == "events":
        takes = operator.takes_only(confirmed.targets, rules)
        return operator.replay_events(here.store, rules, selection.ids, takes=takes, entry=entry)
    act = act_on_deliveries(form, confirmed.verb, here)
    chosen = OnlyTo(whole=act, targets=confirmed.targets, rules=rules)
    state = form.where.state
    return operator.act_on_deliveries(here.store, chosen, selection.ids, state=state, entry=entry)


def _tally(outcome: Outcome) -> Tally:
    return Tally(
        changed=len(outcome.changed),
        deliveries=outcome.deliveries,
        examples=outcome.examples,
        skipped=Counter(skipped.why for skipped in outcome.skipped),
    )


def signed(progress: Progress) -> str:
    """Return a progress for the form of the next request, which nobody else can make."""
    entry = progress.entry
    values = {
        "id": entry.id,
        "at": entry.at.isoformat(),
        "subject": entry.subject,
        "before": progress.before,
        "remaining": progress.remaining,
        "tally": vars(progress.tally),
    }
    return str(_signer().dumps(values))


def signed_progress(text: str, form: ActForm) -> Progress:
    """Return the progress that `signed` made; raises BadParameter for any other text."""
    try:
        values: dict[str, Any] = _signer().loads(text)
    except BadSignature as error:
        raise BadParameter("the form is not one that the hub made; open the dialog again") from error
    entry = operator.entry_of(Act(form.act), access.actor(), values["subject"])
    return Progress(
        entry=replace(entry, id=values["id"], at=datetime.fromisoformat(values["at"])),
        before=values["before"],
        remaining=values["remaining"],
        tally=Tally(**values["tally"]),
    )


def _signer() -> URLSafeSerializer:
    return URLSafeSerializer(str(current_app.secret_key), salt="act in parts")
