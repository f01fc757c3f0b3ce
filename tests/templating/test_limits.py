"""A template costs a second of processor time at most, and makes nothing huge on its way."""

from __future__ import annotations

import pytest

from hub.errors import TemplateError
from hub.templating import limits
from hub.templating.escapes import as_json, plain
from hub.templating.sandbox import Sandbox

GROWS = "{% set ns = namespace(a=START) %}{% for i in range(60) %}{% set ns.a = ns.a OP ns.a %}{% endfor %}"
NESTED = "{% set a = ['x' * 99999] * 8 %}" + "{% set a = [a] * 8 %}" * 8
LOOPS = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
TIME = r"takes more than 0\.05 s of processor time; make it simpler"
LONG = "the result may be too long"
SLOW = "range(99999) | map('string')" + " | map('list') | map('sort') | map('join')" * 20 + " | list"
"""Small all the way, and for half a minute."""

LARGE = "makes something larger than 4 MiB on its way"
WIDE = "a width in this format is too large"


@pytest.fixture
def short_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that takes time takes too much."""
    monkeypatch.setattr(limits, "TIME_LIMIT_SECONDS", 0.05)


@pytest.fixture
def no_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing takes too long, on a slow machine neither: it is too large."""
    monkeypatch.setattr(limits, "TIME_LIMIT_SECONDS", 3600.0)


@pytest.mark.usefixtures("short_time")
@pytest.mark.parametrize(
    "source",
    [
        LOOPS,
        "{% macro f(n) %}{% if n %}{{ f(n-1) }}{{ f(n-1) }}{% endif %}{% endmacro %}{{ f(60) }}",
        f"{{{{ {SLOW} }}}}",
    ],
)
def test_what_takes_too_long_is_an_error(source: str) -> None:
    with pytest.raises(TemplateError, match=rf"^text:1: {TIME}$"):
        Sandbox({}).text(source, {"data": {"a": [1]}}, plain, name="text")


@pytest.mark.usefixtures("no_time_limit")
@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            "{{ range(10**9) | list }}",
            "Range too big. The sandbox blocks ranges larger than MAX_RANGE (100000).",
        ),
        ("{{ 'a' * 10**9 }}", "the result of * is too long"),
        ("{{ ([range(99999)] * 99999) | map('sum') | sum }}", LARGE),
        (GROWS.replace("START", "'aaa'").replace("OP", "~"), LARGE),
        (GROWS.replace("START", "'aaa'").replace("OP", "+"), LARGE),
        (GROWS.replace("START", "3").replace("OP", "*"), "the result of * is too large"),
        (NESTED + "{{ a }}", LARGE),
        (NESTED + "{{ a ~ 'x' }}", LARGE),
        (NESTED + "{{ '%s' % a }}", LARGE),
        (NESTED + "{{ '{}'.format(a) }}", LARGE),
        (NESTED + "{{ a | string }}", LARGE),
        ("{{ 'a' | center(10**9) }}", LONG),
        ("{{ 'a'.center(10**9) }}", LONG),
        ("{{ 'a' | indent(width=10**9) }}", LONG),
        ("{{ data | tojson(indent=10**9) }}", LONG),
        ("{{ [1] | batch(10**9, 'x') | list }}", LONG),
        ("{{ (1).to_bytes(10**9, 'big') }}", LONG),
        ("{{ ('a' * 99999).replace('', 'a' * 99999) }}", LONG),
        ("{{ ('a' * 99999) | replace('', 'a' * 99999) }}", LONG),
        ("{{ ('a ' * 99999) | wordwrap(1, wrapstring='a' * 99999) }}", LONG),
        ("{{ range(9999) | map('string') | join(',' * 99999) }}", LONG),
        ("{{ '%1000000000d' % 1 }}", WIDE),
        ("{{ '%*d' % (10**9, 1) }}", WIDE),
        ("{{ '%(a)1000000000d' % {'a': 1} }}", WIDE),
        ("{{ '%1000000000d' | format(1) }}", WIDE),
        ("{{ '{:1000000000}'.format(1) }}", WIDE),
        ("{{ '{:{w}}'.format(1, w=10**9) }}", WIDE),
        ("{{ ('{:1000000000}' | attr('format'))(1) }}", WIDE),
        ("{{ '{a:1000000000}'.format_map({'a': 1}) }}", WIDE),
    ],
)
def test_what_becomes_too_large_is_an_error_before(source: str, expected: str) -> None:
    with pytest.raises(TemplateError) as error:
        Sandbox({}).text(source, {"data": {"a": [1]}}, plain, name="text")

    assert str(error.value) == f"text:1: {expected}"


@pytest.mark.usefixtures("short_time")
def test_a_file_that_another_includes_has_the_same_limits() -> None:
    sandbox = Sandbox({"outer.j2": "{% include 'inner.j2' %}", "inner.j2": LOOPS})

    with pytest.raises(TemplateError, match=rf"^inner\.j2:1: {TIME}$"):
        sandbox.file("outer.j2", {}, plain)


@pytest.mark.usefixtures("short_time")
def test_a_condition_and_a_structure_have_the_same_limits() -> None:
    with pytest.raises(TemplateError, match=TIME):
        Sandbox({}).condition(SLOW)({})
    with pytest.raises(TemplateError, match=TIME):
        Sandbox({}).structure({"a": [f"{{{{ {SLOW} }}}}"] * 100}, {}, as_json, name="json")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            "{% for a in [1, 2, 3] %}{{ loop.index }}/{{ loop.length }},{% endfor %}",
            "1/3,2/3,3/3,",
        ),
        ("{% for a in missing %}{{ a }}{% else %}none{% endfor %}", "none"),
        ("{% for a in [1, [2]] recursive %}{{ loop(a) if a is iterable else a }}{% endfor %}", "12"),
        ("{{ 'a' ~ 1 ~ none ~ [1] }}", "a1None[1]"),
        ("{{ '{:,.2f}|{:>5}'.format(1234.5, 'x') }}", "1,234.50|    x"),
        ("{{ '%5.1f%% %s' % (1.25, 'x') }}{{ '%03d' | format(7) }}", "  1.2% x007"),
        (
            "{{ 'a b' | replace(' ', '-') }}{{ [1, 2] | join(', ') }}{{ 'x' | indent(4, true) }}",
            "a-b1, 2    x",
        ),
        ("{{ ('word ' * 20000) | wordwrap(79) | length }}", "99999"),
        ("{{ {'a': 1718000000000}.get('b', 1718000000000) }}", "1718000000000"),
        ("{{ 1718000000000 * 1000 }}", "1718000000000000"),
    ],
)
def test_what_costs_little_is_as_in_jinja(source: str, expected: str) -> None:
    assert Sandbox({}).text(source, {}, plain, name="text") == expected
