"""A delivery is rendered by the version of the files that decided it, whatever those of its worker say."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import given
import pytest
from servers.http_receiver import HttpReceiver
from sqlalchemy import delete
from working import Today, working

from hub import operator
from hub.config.files import Files
from hub.delivery.executor import HANDOVER
from hub.delivery.render import RenderContext, render
from hub.delivery.versions import VERSIONS_LIMIT, Versions
from hub.destinations.slack.destination import SlackDestination
from hub.errors import VersionUnusable
from hub.ingest.fanout import fan_out
from hub.ingest.route import Rules, load_rules
from hub.model.delivery import State
from hub.model.event import Event
from hub.model.records import DeliveryRecord
from hub.model.routing import Send
from hub.rules.load import usable_config
from hub.rules.versions import register
from hub.store.store import Store
from hub.store.tables import versions

ROUTES = """\
version: 1
sources:
  clerk: {type: clerk, path: /api/webhooks, signing_secret: "${SECRET:-whsec_c2VjcmV0c2VjcmV0c2VjcmV0}"}
destinations:
  crm: {type: http, url: "URL"}
  log: {type: console}
routes:
  - {name: contact, events: user.created, send: [{to: TO, template: http/NAME}]}
"""

OF_OTHER_FILES = {
    "http/contact.j2": '{"id": {{ data.id }}, {% include "http/end.j2" %}',
    "http/names.j2": "{% macro old() %}old{% endmacro %}",
    "http/end.j2": '{% import "http/names.j2" as names %}"by": {{ names.old() }}}',
}


def files(
    name: str, templates: Mapping[str, str], *, to: str = "crm", url: str = "http://127.0.0.1:9"
) -> Files:
    routes = ROUTES.replace("NAME", name).replace("TO", to).replace("URL", url)
    return Files(
        path=Path("routes.yaml"),
        templates_folder=Path("templates"),
        content=routes.encode(),
        templates={path: text.encode() for path, text in templates.items()},
    )


def served(store: Store, version: Files) -> Rules:
    """The rules of a version that some process serves."""
    register(store, version)
    return load_rules(usable_config(version, {}))


def forget_versions(store: Store) -> None:
    with store.transaction() as transaction:
        transaction.session.connection.execute(delete(versions))


def only(store: Store) -> DeliveryRecord:
    with store.read() as snapshot:
        (record,) = snapshot.delivery_list.records()
        return snapshot.delivery_list.record(record.id)


def until_settled(store: Store, state: State, reason: str = "") -> DeliveryRecord:
    def settled() -> DeliveryRecord | None:
        record = only(store)
        return record if record.state is state and reason in (record.reason or "") else None

    record: DeliveryRecord = given.until(settled)
    return record


def old_event() -> Event:
    event = given.event()
    return given.event(received_at=event.received_at - HANDOVER - timedelta(seconds=1))


def test_a_template_that_was_renamed_renders_what_it_was_named_for(store: Store) -> None:
    with HttpReceiver() as receiver:
        before = served(store, files("contact", OF_OTHER_FILES, url=receiver.url))
        after = served(store, files("renamed", {"http/renamed.j2": '{"new": 1}'}, url=receiver.url))
        for rules in (before, after):
            fan_out(given.event(), rules, store)
        with working(store, after):
            requests = receiver.wait_for(2)

    assert sorted(request.body for request in requests) == [b'{"id": "user_1", "by": "old"}', b'{"new": 1}']


def test_an_edit_while_it_waits_for_its_destination_changes_no_delivery(store: Store) -> None:
    with HttpReceiver() as receiver:
        today = Today(served(store, files("contact", OF_OTHER_FILES, url=receiver.url)))
        operator.pause(store, today.rules, "crm")
        with working(store, today):
            for _ in range(3):
                fan_out(given.event(), today.rules, store)
            today.rules = served(store, files("a", {"http/a.j2": '{"new": 1}'}, url=receiver.url))
            operator.resume(store, today.rules, "crm")
            requests = receiver.wait_for(3)

    assert {request.body for request in requests} == {b'{"id": "user_1", "by": "old"}'}


def test_event_and_delivery_name_the_version_that_decided(store: Store) -> None:
    rules = served(store, files("contact", OF_OTHER_FILES))
    fan_out(given.event(), rules, store)
    record = only(store)
    with store.read() as snapshot:
        event = snapshot.event_list.record(record.event)

    assert (event.version, record.version) == (rules.config.version, rules.config.version)


def test_a_structure_of_another_version_comes_from_its_file(store: Store) -> None:
    old = files("contact", {**OF_OTHER_FILES, "slack/c.blocks.yaml": '[{"type": "old {{ data.id }}"}]'})
    register(store, old)
    sandbox = Versions(store).sandbox(old.version)
    send = Send(to="growth", fields={"text": "t", "template": "slack/c"})
    rendered = render(
        send, RenderContext(event=given.event(), route="contact"), SlackDestination, None, sandbox
    )

    assert rendered.message["blocks"] == [{"type": "old user_1"}]


def test_a_version_is_looked_up_once(store: Store) -> None:
    old = files("contact", OF_OTHER_FILES)
    register(store, old)
    held = Versions(store)
    sandbox = held.sandbox(old.version)
    forget_versions(store)

    assert held.sandbox(old.version) is sandbox


def test_a_few_versions_are_held_ready_those_that_were_used_last(store: Store) -> None:
    some = [files("contact", {"http/contact.j2": str(number)}) for number in range(VERSIONS_LIMIT + 1)]
    for version in some:
        register(store, version)
    held = Versions(store)
    for version in (*some[:-1], some[0], some[-1]):
        held.sandbox(version.version)
    forget_versions(store)

    for version in (some[0], *some[2:]):
        held.sandbox(version.version)
    with pytest.raises(VersionUnusable, match="not in the database"):
        held.sandbox(some[1].version)


def unusable(store: Store, to: str) -> Rules:
    """The rules of another process: this one has neither their files nor a way to look them up."""
    rules = load_rules(usable_config(files("contact", OF_OTHER_FILES, to=to), {}))
    forget_versions(store)
    return rules


@pytest.mark.parametrize("to", ["crm", "log"])
def test_a_version_that_is_not_in_the_store_yet_is_waited_for(store: Store, to: str) -> None:
    with HttpReceiver() as receiver:
        version = files("contact", OF_OTHER_FILES, to=to, url=receiver.url)
        fan_out(given.event(), load_rules(usable_config(version, {})), store)
        mine = served(store, files("a", {"http/a.j2": "1"}, url=receiver.url))
        with working(store, mine):
            waiting = until_settled(store, State.PENDING, "it is not in the database")
            register(store, version)
            with store.transaction() as transaction:
                transaction.operator.requeue([waiting.id])
            delivered = until_settled(store, State.DELIVERED)

    assert (waiting.attempts, waiting.message) == (0, None)
    assert waiting.due_at is not None
    assert (delivered.attempts, delivered.degraded) == (1, None)


@pytest.mark.parametrize("to", ["crm", "log"])
def test_a_template_for_a_newer_hub_is_left_to_that(store: Store, to: str) -> None:
    newer = files("contact", {"http/contact.j2": "{{ data.id | of_a_later_release }}"}, to=to)
    register(store, newer)
    mine = served(store, files("contact", {"http/contact.j2": "{{ data.id }}"}, to=to))
    with store.transaction() as transaction:
        send = Send(to=to, fields={"template": "http/contact"})
        given.keep(transaction, given.event(), given.of_version(send, newer.version))
    with working(store, mine):
        waiting = until_settled(store, State.PENDING, "of_a_later_release")

    assert (waiting.attempts, waiting.version) == (0, newer.version)


def test_people_get_the_built_in_message_once_nobody_has_the_version(store: Store) -> None:
    fan_out(old_event(), unusable(store, "log"), store)
    with working(store, given.rules()):
        record = until_settled(store, State.DELIVERED)

    assert "it is not in the database any more" in (record.degraded or "")


def test_for_machines_that_is_dead_with_the_reason(store: Store) -> None:
    fan_out(old_event(), unusable(store, "crm"), store)
    with working(store, served(store, files("a", {"http/a.j2": "1"}))):
        record = until_settled(store, State.DEAD)

    assert "it is not in the database any more" in (record.reason or "")
    assert record.attempts == 0


def test_an_operators_retry_goes_by_todays_version_or_the_kept_one_with_its_block(store: Store) -> None:
    with HttpReceiver() as receiver:
        before = served(store, files("contact", OF_OTHER_FILES, url=receiver.url))
        event = given.event()
        fan_out(event, before, store)
        renamed = files("renamed", {"http/renamed.j2": '{"new": 1}'}, url=receiver.url)
        after = served(store, renamed)
        operator.retry(store, after, only(store).id)

        assert only(store).version == after.config.version

        gone = served(store, files("gone", {"http/gone.j2": "1"}, to="log", url=receiver.url))
        operator.retry(store, gone, only(store).id)

        assert only(store).version == after.config.version

        with working(store, gone):
            (request,) = receiver.wait_for(1)

    assert request.body == b'{"new": 1}'


def test_a_replay_goes_by_todays_version(store: Store) -> None:
    event = given.event()
    fan_out(event, served(store, files("contact", OF_OTHER_FILES)), store)
    after = served(store, files("renamed", {"http/renamed.j2": "1"}))
    operator.replay(event.id, after, store)
    with store.read() as snapshot:
        named = [record.version for record in snapshot.delivery_list.records(event=event.id)]
        kept = snapshot.event_list.record(event.id)

    assert named[0] == after.config.version != named[1]
    assert kept.version == after.config.version
