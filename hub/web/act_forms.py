"""The forms of acts: which things, to which targets, as the query opens a dialog and its form confirms it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from flask import request

from hub.model.filter import Filter
from hub.operator import LARGEST, Target
from hub.web import parameters
from hub.web.act_words import BUTTONS, Verb
from hub.web.context import Context
from hub.web.error_handlers import BadParameter
from hub.web.parameters import FILTERS

LISTED_IDS = 1_000
"""So many things at most are named one by one by the form of a dialog; more are named by their filter."""

_ID = {"deliveries": re.compile(r"dlv_[0-9a-f]{1,29}"), "events": re.compile(r"evt_[0-9a-f]{1,29}")}


@dataclass(frozen=True, kw_only=True)
class ActForm:
    """An act that is asked for on `ids`, or without any on all that `filter` finds up to the id `newest`.

    `kind` is `deliveries` or `events`. The filter also says, beside ids, in which state they were seen.
    """

    kind: str
    act: str
    where: Filter
    filter: Mapping[str, str]
    ids: tuple[str, ...] = ()
    newest: str = ""


@dataclass(frozen=True, kw_only=True)
class Confirmed:
    """The confirmation of an act: its verb, and the targets that were ticked.

    `count` is the number of things that were spoken of.
    """

    verb: Verb
    targets: frozenset[Target]
    count: int


def act_form(kind: str, here: Context) -> ActForm:
    """Return the act that a query or a form asks for; raises BadParameter, and NotFound for names."""
    values = request.values
    acts = ("replay",) if kind == "events" else ("retry", "cancel", "resolve")
    conditions = {name: values[name] for name in FILTERS if values.get(name)}
    parameters.take_filter({**conditions, "act": values.get("act", "")})
    act = parameters.choice("act", acts)
    with here.store.read() as snapshot:
        where = parameters.chosen(here.rules(), snapshot)
    is_all = values.get("all") == "yes"
    if is_all and not conditions:
        raise BadParameter("say which: a filter that has no condition would find everything")
    newest = values.get("newest", "")
    if newest and not _ID[kind].fullmatch(newest):
        raise BadParameter(f"newest is no id of {kind}")
    ids = () if is_all else _ids(kind)
    return ActForm(kind=kind, act=act, where=where, filter=conditions, ids=ids, newest=newest)


def confirmed(form: ActForm) -> Confirmed:
    """Return what the form of a dialog confirms; raises BadParameter."""
    verb = request.form.get("verb", "")
    if verb not in [button.verb for button in BUTTONS[form.act]]:
        raise BadParameter("the form says no act that goes with it")
    count = request.form.get("count", "")
    if not re.fullmatch(r"[0-9]{1,5}", count):
        raise BadParameter("the form does not say how many")
    return Confirmed(
        verb=Verb(verb),
        targets=frozenset(
            Target(destination=name, is_outside=key == "outside")
            for key in ("to", "outside")
            for name in request.form.getlist(key)
        ),
        count=min(int(count), LARGEST),
    )


def _ids(kind: str) -> tuple[str, ...]:
    """Return the ids that are given one by one, or as one text with spaces between."""
    ids = tuple(dict.fromkeys(" ".join(request.values.getlist("id")).split()))
    if not ids:
        raise BadParameter(f"tick the {kind} that it is to be done to")
    if len(ids) > LISTED_IDS:
        raise BadParameter(f"at most {LISTED_IDS:,} are named one by one; take a filter for more")
    if not all(_ID[kind].fullmatch(id_) for id_ in ids):
        raise BadParameter(f"one of the ids is none of {kind}")
    return ids
