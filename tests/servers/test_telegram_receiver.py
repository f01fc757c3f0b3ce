import pytest

from servers.telegram_receiver import error_of, read


@pytest.mark.parametrize(
    ("source", "text", "entities"),
    [
        ("<b>A &amp; &#66; &quot;</b>", 'A & B "', []),
        ("&nbsp; &lt", "&nbsp; <", []),
        ('<a href="https://a.example/?a&amp;b">x</a>', "x", [("text_link", "x", "https://a.example/?a&b")]),
        ("hi @ada_l no@mention", "hi @ada_l no@mention", [("mention", "@ada_l", "")]),
        ("#tag /stop", "#tag /stop", [("hashtag", "#tag", ""), ("bot_command", "/stop", "")]),
        ("@\u2060ada_l #\u2060tag /\u2060stop", "@\u2060ada_l #\u2060tag /\u2060stop", []),
        ("<code>@ada_l</code>", "@ada_l", []),
        (
            "see https://a.example/x",
            "see https://a.example/x",
            [("url", "https://a.example/x", "https://a.example/x")],
        ),
    ],
)
def test_what_telegram_reads(source, text, entities):
    assert read({"text": source, "parse_mode": "HTML"}) == (text, entities)


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("<p>x</p>", 'Unsupported start tag "p"'),
        ("a < b", "Unclosed start tag"),
        ("<b>x", "Can't find end tag corresponding to start tag b"),
        ("<b>x</i>", 'Unmatched end tag, expected "</b>", found "</i>"'),
        ("x</b>", "Unexpected end tag"),
        ("<span class='x'>y</span>", 'must have class "tg-spoiler"'),
        ("<a href>x</a>", "Expected equal sign"),
    ],
)
def test_what_telegram_cannot_parse(source, error):
    assert error in error_of({"text": source, "parse_mode": "HTML"})


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "message text is empty"),
        ("<b></b>", "text must be non-empty"),
        ("x" * 4097, "message is too long"),
        ("<b>" + "x" * 4096 + "</b>", ""),
    ],
)
def test_what_telegram_counts(text, error):
    assert error_of({"text": text, "parse_mode": "HTML"}) == error
