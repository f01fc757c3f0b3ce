"""A demo sends to its fakes only, and one sample of each event that the routes name."""

from dataclasses import replace

import pytest
from given import config, destination, route, source

from hub.demo.confine import confined, samples_to_send
from hub.destinations.base import find_destination
from hub.model.destination import RateLimit

FAKES = {"127.0.0.1:4001", "127.0.0.1:4002"}
BY_SERVICE = {"provider": "sendgrid", "api_key": "SG.x", "from": "a@example.com", "to": "b@example.com"}


def configured(type_, **options):
    parsed = find_destination(type_).Options.model_validate(options)
    limit = RateLimit(count=1, seconds=1)
    return replace(destination("crm"), type=type_, options=parsed, rate_limit=limit)


def confine(configured):
    return confined(config(destinations=(configured,)), FAKES).destinations["crm"]


@pytest.mark.parametrize(
    ("type_", "options"),
    [
        ("http", {"url": "http://127.0.0.1:4001/crm", "headers": {"X-Back": "https://example.com"}}),
        ("http", {"url": "http://user:password@127.0.0.1:4001"}),
        ("slack", {"webhook_url": "http://127.0.0.1:4001/services/x"}),
        ("slack", {"bot_token": "xoxb-1", "channel": "sales", "api_url": "http://127.0.0.1:4001/api/"}),
        ("email", {"smtp_url": "smtp://127.0.0.1:4002", "from": "a@example.com", "to": "b@example.com"}),
        ("email", {**BY_SERVICE, "api_url": "http://127.0.0.1:4001"}),
        ("console", {}),
    ],
)
def test_a_destination_at_a_fake_is_kept_without_its_rate_limit(type_, options):
    kept = confine(configured(type_, **options))

    assert kept.enabled
    assert kept.options is not None
    assert kept.rate_limit is None


@pytest.mark.parametrize(
    ("type_", "options"),
    [
        ("http", {"url": "https://crm.example.com/hooks"}),
        ("http", {"url": "http://127.0.0.1:4003"}),
        ("http", {"url": "http://127.0.0.1:4001@crm.example.com/"}),
        ("http", {"url": "http://127.0.0.1.example.com:4001/"}),
        ("http", {"url": "http://localhost:4001"}),
        ("slack", {"webhook_url": "https://hooks.slack.com/services/x"}),
        ("slack", {"bot_token": "xoxb-1", "channel": "sales"}),
        ("email", {"smtp_url": "smtp://127.0.0.1", "from": "a@example.com", "to": "b@example.com"}),
        ("email", {"smtp_url": "smtp://mail.example.com", "from": "a@example.com", "to": "b@example.com"}),
        ("email", BY_SERVICE),
        ("email", {**BY_SERVICE, "api_url": "https://api.eu.sendgrid.com"}),
    ],
)
def test_any_other_destination_is_switched_off_and_forgets_its_address(type_, options):
    kept = confine(configured(type_, **options))

    assert not kept.enabled
    assert kept.options is None


def test_a_destination_that_is_not_configured_stays_so():
    kept = confine(replace(destination("crm"), type="slack", options=None, missing=("SLACK_WEBHOOK_URL",)))

    assert kept.enabled
    assert kept.missing == ("SLACK_WEBHOOK_URL",)


def sent(*routes, **parts):
    return [(sample.source.name, sample.event_type) for sample in samples_to_send(config(*routes, **parts))]


def test_patterns_stand_for_what_the_catalog_has_and_each_event_is_sent_once():
    routes = (
        route("a", ("waitlistEntry.*", "order.paid")),
        route("b", ("waitlistEntry.created", "user.created")),
        route("c", ("role.created",), enabled=False),
    )

    assert sent(*routes) == [
        ("clerk", "waitlistEntry.created"),
        ("clerk", "waitlistEntry.updated"),
        ("clerk", "user.created"),
    ]


def test_what_a_source_ignores_is_left_out_and_a_route_gets_the_sources_it_names():
    sources = (source("clerk", ignore=("user.*",)), source("other", path="/other"))
    routes = (route("a", ("user.created",)), route("b", ("user.deleted",), sources=("other", "clerk")))

    assert sent(*routes, sources=sources) == [("other", "user.deleted")]
