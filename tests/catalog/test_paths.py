"""The language of the catalog's paths."""

import pytest

from hub.catalog.paths import parse, values

DATA = {
    "name": "Ada",
    "nothing": None,
    "items": [{"id": "a", "tag": 1}, {"id": "b", "tag": 2}, "odd", None, {"id": "b"}, {"tag": 3}],
    "nested": {"list": [{"list": [1, 2]}, {"list": [3]}]},
}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("name", ["Ada"]),
        ("nothing", [None]),
        ("missing", []),
        ("name.below", []),
        ("nothing.below", []),
        ("items[].tag", [1, 2, 3]),
        ("items[].id", ["a", "b", "b"]),
        ("name[].x", []),
        ("items.tag", []),
        ("nested.list[].list[]", [1, 2, 3]),
    ],
)
def test_a_path_leads_to_values(path, expected):
    assert values(DATA, parse(path)) == expected


@pytest.mark.parametrize("data", [None, 1, "x", [], [{}], {"items": {"id": 1}}])
def test_data_of_another_shape_leads_nowhere(data):
    assert values(data, parse("items[].tag")) == []


@pytest.mark.parametrize("path", ["", "a..b", "a[0]", "a[", "a b", "a[x==y]", "a.{b,c}"])
def test_what_is_no_path_is_refused(path):
    with pytest.raises(ValueError, match="is no path"):
        parse(path)
