"""The little HTML that chats take: cut, read, and drawn."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.model.parts import Span
from hub.strings import utf16_length
from hub.templating.small_html import cut, spans, visible


@pytest.mark.parametrize(
    ("source", "limit", "kept"),
    [
        ("<b>Ada</b> &amp; Bo", 8, "<b>Ada</b> &amp; Bo"),
        ("<b>Ada</b> &amp; Bo", 7, "<b>Ada</b> &amp;…"),
        ("<b>Ada</b> &amp; Bo", 5, "<b>Ada</b>…"),
        ("<b>Ada <i>Lovelace</i></b>", 7, "<b>Ada <i>Lo…</i></b>"),
        (
            '<a href="https://a.example/?a=1&amp;b">link</a>',
            3,
            '<a href="https://a.example/?a=1&amp;b">li…</a>',
        ),
        ("one<br>two", 5, "one<br>…"),
        ("a < b and c", 6, "a < b…"),
        ("\U0001f600\U0001f600\U0001f600", 5, "\U0001f600\U0001f600…"),
    ],
)
def test_html_is_cut_by_what_is_seen_and_closed(source: str, limit: int, kept: str) -> None:
    assert cut(source, limit, utf16_length) == kept


PIECES = st.sampled_from(
    ["<b>", "</b>", '<a href="x">', "</a>", "&amp;", "&lt;", "word ", "\U0001f600", "<", "<br>"]
)


@given(st.lists(PIECES, max_size=20).map("".join), st.integers(2, 20))
def test_what_was_cut_fits_and_begins_as_it_was(source: str, limit: int) -> None:
    kept = visible(cut(source, limit, utf16_length))

    assert utf16_length(kept) <= limit
    assert visible(source).startswith(kept.removesuffix("…"))


def test_html_is_read_as_spans() -> None:
    source = "<b>Hi <i>Ada</i></b> &lt;x&gt;<br><a href='https://a.example/?a&amp;b'>there</a><code>c</code>"

    assert list(spans(source)) == [
        Span(text="Hi ", bold=True),
        Span(text="Ada", bold=True, italic=True),
        Span(text=" <x>"),
        Span(text="\n"),
        Span(text="there", url="https://a.example/?a&b"),
        Span(text="c", code=True),
    ]
    assert visible(source) == "Hi Ada <x>\ntherec"
