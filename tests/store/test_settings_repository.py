"""Values that all processes share."""

from __future__ import annotations

from hub.store.store import Store


def test_a_shared_value_is_kept_once(store: Store) -> None:
    first = store.write(lambda t: t.settings.set_default("session_key", "a"))
    second = store.write(lambda t: t.settings.set_default("session_key", "b"))

    assert (first, second) == ("a", "a")
    assert [store.write(lambda t: t.settings.pop("session_key")) for _ in range(2)] == ["a", None]


def test_a_shared_value_that_is_set_says_whether_it_is_another(store: Store) -> None:
    changed = [store.write(lambda t, value=value: t.settings.set("name", value)) for value in ("a", "a", "b")]

    assert changed == [True, False, True]
