"""The lists of events and deliveries: their rows, the filters above them, and the way back from a record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import request, url_for

from hub.ingest.route import Rules
from hub.model.config import SourceConfig
from hub.model.filter import Filter, Matches, Neighbours
from hub.store.repositories.delivery_list import DeliveryList
from hub.store.repositories.event_list import EventList
from hub.store.store import Transaction
from hub.web import parameters, serializers
from hub.web.chips import chips_of, in_words, options_of, origin_of
from hub.web.context import Context
from hub.web.event_words import words_of_event
from hub.web.nothing_found import COUNTED, Search, count_words, nothing_words
from hub.web.paging import page_of

PAGE_SIZE = 50

Values = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Crumbs:
    """The way from a record back to its list, and to those beside it; None at an end of the list."""

    name: str
    words: str
    up: str
    origin: Mapping[str, str]
    newer: str | None
    older: str | None


def found_events(here: Context) -> Values:
    """Return what the list of events shows."""
    rules = here.rules()
    with here.store.read() as snapshot:
        where, matches = _searched(snapshot.event_list, rules, snapshot)
        chosen = page_of([(one, 0) for one in matches.ids[: PAGE_SIZE + 1]], PAGE_SIZE, matches.resume)
        records = snapshot.event_list.records_of(chosen.ids)
        around = _around(here, snapshot, where, matches, "event")
        now = snapshot.now
    return {
        **around,
        "now": now,
        "next": chosen.next,
        "events": [serializers.event(record, words_of_event(record, rules)) for record in records],
        "addresses": [source_address(here, source) for source in rules.config.sources.values()],
    }


def found_deliveries(here: Context) -> Values:
    """Return what the list of deliveries shows."""
    rules = here.rules()
    with here.store.read() as snapshot:
        where, matches = _searched(snapshot.delivery_list, rules, snapshot)
        sizes = snapshot.delivery_list.sizes_of(matches.ids[: PAGE_SIZE + 1])
        chosen = page_of(sizes, PAGE_SIZE, matches.resume)
        records = snapshot.delivery_list.records_of(chosen.ids, messages=False)
        facts = here.waiting_facts(snapshot)
        around = _around(here, snapshot, where, matches, "delivery")
    items = list(serializers.deliveries(records, rules, facts))
    return {**around, "now": facts.now, "next": chosen.next, "deliveries": items}


def crumbs_of(kind: str, id_: str, query: Mapping[str, Any], beside: Neighbours) -> Crumbs:
    """Return the way back from an event or a delivery to the list that a query filters."""
    name = {"event": "events", "delivery": "deliveries"}[kind]

    def url(of: str | None) -> str | None:
        values: dict[str, Any] = {f"{kind}_id": of, **origin_of(query)}
        return of and url_for(f"pages.{kind}", **values)

    return Crumbs(
        name=name.capitalize(),
        words=in_words(query),
        up=url_for(f"pages.{name}", **query, _anchor=id_),
        origin=origin_of(query),
        newer=url(beside.newer),
        older=url(beside.older),
    )


def neighbours(kind: str, id_: str, rules: Rules, snapshot: Transaction) -> Crumbs:
    """Return the way back to the list that this page was reached from, and to those beside its record."""
    query = parameters.take_origin()
    found_by = snapshot.event_list if kind == "event" else snapshot.delivery_list
    return crumbs_of(kind, id_, query, found_by.neighbours(id_, parameters.chosen(rules, snapshot)))


def source_address(here: Context, source: SourceConfig) -> str:
    """Return the whole URL to paste into the sender's dashboard."""
    return (here.settings.public_url or request.url_root.rstrip("/")) + source.path


def _searched(
    records: EventList | DeliveryList, rules: Rules, snapshot: Transaction
) -> tuple[Filter | None, Matches]:
    """Return the filter of a list and the ids that it finds; None and none for words that find nothing."""
    try:
        where = parameters.chosen(rules, snapshot)
    except parameters.UnusableWords:
        return None, Matches(ids=())
    before = parameters.before()
    return where, records.find(where, limit=PAGE_SIZE + 1, counted=COUNTED + 1, before=before)


def _around(
    here: Context, snapshot: Transaction, where: Filter | None, matches: Matches, noun: str
) -> Values:
    """Return the values of what stands around the rows of a list."""
    query, before = parameters.given(), parameters.before()
    is_empty = bool(query) and not matches.ids
    has_words = where is not None and bool(where.words)
    search = Search(
        noun=noun,
        query=query,
        before=before,
        matches=matches,
        is_searchable=where is not None,
        read_until=snapshot.terms.read_until() if has_words else None,
        retention=here.settings.retention,
        pruned=snapshot.event_list.pruned(query["q"].strip()) if is_empty and has_words else None,
        now=snapshot.now,
    )
    return {
        "query": query,
        "origin": origin_of(query),
        "chips": chips_of(query),
        "options": options_of(snapshot.choices.values(), query),
        "count": count_words(search),
        "nothing": nothing_words(search),
        "pruned": search.pruned,
        "before": before,
    }
