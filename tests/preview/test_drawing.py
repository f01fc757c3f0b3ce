"""Parts of messages as HTML: whatever strangers wrote in them stays text."""

from __future__ import annotations

import pytest

from hub.model.parts import Part, PartKind, Role, Span
from hub.model.summary import Tone
from hub.preview.drawing import Sheet, draw, frame_within, page

EVIL = "</td><script>alert(1)</script><img src=x onerror=alert(1)>"


@pytest.mark.parametrize("kind", list(PartKind))
def test_no_part_can_add_markup(kind: PartKind) -> None:
    part = Part(kind=kind, label=EVIL, text=EVIL, spans=(Span(text=EVIL, url=EVIL),), pairs=((EVIL, EVIL),))
    drawn = str(draw([part], frame_within))

    assert "&lt;script&gt;" in drawn
    assert "<script" not in drawn
    assert "<img" not in drawn


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", " https://a.test", "//a.test"])
def test_only_links_of_the_web_and_of_mail_are_drawn_as_links(url: str) -> None:
    drawn = draw([Part(kind=PartKind.RICH, spans=(Span(text="here", url=url),))], frame_within)

    assert "<a " not in drawn
    assert "here" in drawn


def test_a_part_is_drawn_by_its_kind() -> None:
    spans = (
        Span(text="now ", bold=True),
        Span(text="x=1", code=True),
        Span(text="Open", url="https://a.test"),
    )
    parts = [
        Part(kind=PartKind.RICH, role=Role.HEADING, spans=spans),
        Part(kind=PartKind.FIELDS, pairs=(("Plan", "Team"),), tone=Tone.BAD),
        Part(kind=PartKind.JSON, label="body", text='{"a":[1]}'),
    ]
    drawn = draw(parts, frame_within)

    assert '<b>now </b><code>x=1</code><a href="https://a.test" rel="noreferrer">Open</a>' in drawn
    assert '<div class="msg-part msg-body msg-kind-fields msg-bar msg-bad">' in drawn
    assert "<div><dt>Plan</dt><dd>Team</dd></div>" in drawn
    assert (
        '<p class="msg-label">Body</p><pre class="msg-code" tabindex="0">'
        "{\n  &#34;a&#34;: [\n    1\n  ]\n}</pre>" in drawn
    )


def test_a_page_is_complete_in_itself() -> None:
    mail = Part(kind=PartKind.HTML, text="<p>Hello</p>")
    html = page("user.created", [Sheet(title="welcome → mail", parts=(mail,), warning="template failed")])

    assert ".msg-frame" in html
    assert "&lt;p&gt;Hello&lt;/p&gt;" in html
    assert "template failed" in html
    assert "http" not in html.partition("</head>")[2]
