"""An earlier event that is given along stands for every object of its kind."""

from __future__ import annotations

import given
import pytest

from hub import catalog
from hub.preview.earlier import GivenEarlier, earlier_type


def test_it_answers_for_its_kind_alone() -> None:
    earlier = GivenEarlier(event=given.event("user.updated", data={"id": "user_1", "first_name": "Ada"}))

    assert earlier.of("user", "user_2") == {"id": "user_1", "first_name": "Ada"}
    assert earlier.of("userGroup", "user_1") is None
    assert earlier.of("organization", "user_1") is None


@pytest.mark.parametrize("name", [name for name in catalog.event_types() if name.endswith(".deleted")])
def test_what_was_deleted_was_an_object_with_all_of_its_fields(name: str) -> None:
    earlier = catalog.sample(earlier_type(name))["data"]

    assert set(catalog.sample(name)["data"]) - {"deleted"} <= set(earlier)
    assert "deleted" not in earlier


def test_a_type_that_the_catalog_does_not_have_is_its_own() -> None:
    assert earlier_type("order.paid") == "order.paid"
