from __future__ import annotations

import time

import psycopg

from servers.counting_proxy import CountingProxy


def test_each_query_is_a_round_trip_and_connecting_is_none(postgres_store_url: str) -> None:
    with CountingProxy(postgres_store_url) as proxy:
        with psycopg.connect(proxy.url, autocommit=True) as connection:
            connected = proxy.round_trips(0)
            row = connection.execute("SELECT repeat('x', 200000), %s::int", [7]).fetchone()
            connection.execute("SELECT 1")
        counted = proxy.round_trips(0)

    assert row == ("x" * 200_000, 7)
    assert (connected, counted) == (0, 2)


def test_all_that_one_sync_ends_is_one_round_trip(postgres_store_url: str) -> None:
    with (
        CountingProxy(postgres_store_url) as proxy,
        psycopg.connect(proxy.url, autocommit=True) as connection,
    ):
        with connection.pipeline():
            for number in range(5):
                connection.execute("SELECT %s::int", [number])
        counted = proxy.round_trips(0)

    assert counted == 1


def test_they_are_counted_between_two_moments(postgres_store_url: str) -> None:
    with (
        CountingProxy(postgres_store_url) as proxy,
        psycopg.connect(proxy.url, autocommit=True) as connection,
    ):
        connection.execute("SELECT 1")
        between = time.monotonic()
        connection.execute("SELECT 2")
        connection.execute("SELECT 3")
        counted = proxy.round_trips(0, between), proxy.round_trips(between), proxy.round_trips(0)

    assert counted == (1, 2, 3)


def test_what_another_says_unasked_is_no_round_trip(postgres_store_url: str) -> None:
    with (
        CountingProxy(postgres_store_url) as proxy,
        psycopg.connect(proxy.url, autocommit=True) as connection,
    ):
        connection.execute("LISTEN somebody")
        with psycopg.connect(postgres_store_url, autocommit=True) as speaker:
            speaker.execute("NOTIFY somebody, 'hello'")
        (notification,) = connection.notifies(timeout=30, stop_after=1)
        counted = proxy.round_trips(0)

    assert notification.payload == "hello"
    assert counted == 1
