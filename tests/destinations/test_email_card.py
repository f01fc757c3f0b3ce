import pytest

from hub.destinations.email.card import card, lines
from hub.destinations.email.destination import EmailDestination
from hub.destinations.email.plain_text import plain_text
from hub.model.summary import COLOURS, Summary, Tone

LINK = "https://hub.test/events/evt_1"
FAILED = Summary(
    headline="Payment of 49.00 USD by Harbor & Pine failed",
    tone=Tone.BAD,
    fields=(("Card", "Visa ending 4242"), ("Plan", "Team"), ("Email", "tomas@example.com")),
    details="Recurring",
    time="12 Jun 2026, 19:12 CEST",
)


def test_the_subject_is_the_headline():
    message = EmailDestination.compose_builtin(None, FAILED, None, LINK)

    assert message["subject"] == FAILED.headline


def test_the_text_is_the_headline_the_fields_the_link_and_the_small_print():
    assert lines(FAILED, None, LINK) == (
        "Payment of 49.00 USD by Harbor & Pine failed\n"
        "\n"
        "Card: Visa ending 4242\n"
        "Plan: Team\n"
        "Email: tomas@example.com\n"
        "\n"
        "https://hub.test/events/evt_1\n"
        "\n"
        "Recurring · 12 Jun 2026, 19:12 CEST\n"
    )


def test_nothing_is_shown_of_what_is_not_there():
    summary = Summary(headline="Mara Lindqvist signed up", fields=(("Empty", " "),))

    assert lines(summary, None, "") == "Mara Lindqvist signed up\n"
    assert plain_text(card(summary, None, "")) == "Mara Lindqvist signed up\n"


def test_the_card_reads_like_the_text():
    words = plain_text(card(FAILED, "template failed: x", LINK)).split()

    assert " ".join(words) == (
        "Payment of 49.00 USD by Harbor & Pine failed "
        "Card Visa ending 4242 Plan Team Email tomas@example.com "
        f"Open in the hub ({LINK}) Recurring · 12 Jun 2026, 19:12 CEST template failed: x"
    )


def test_a_list_of_mails_shows_the_first_two_fields_behind_the_subject():
    html = card(FAILED, None, LINK)
    hidden = html.partition("display:none")[2].partition(">")[2].partition("<")[0]

    assert hidden.startswith("Card: Visa ending 4242 · Plan: Team&#8199;")


@pytest.mark.parametrize("tone", Tone)
def test_the_rule_has_the_colour_of_the_tone_and_a_bad_headline_in_its_first_word(tone):
    html = card(Summary(headline="Payment failed", tone=tone), None, "")
    headline = html.partition("<h1")[2].partition("</h1>")[0]

    assert (
        f'<td height="4" style="height:4px;line-height:4px;font-size:0;background:{COLOURS[tone]}">' in html
    )
    assert (f'{COLOURS[Tone.BAD]}">Payment</span> failed' in headline) is (tone is Tone.BAD)


def test_every_word_of_an_event_is_escaped():
    evil = "</td><script>x</script>{headline}{0}"
    summary = Summary(headline=evil, fields=((evil, evil),), details=evil, time=evil, tone=Tone.BAD)
    html = card(summary, evil, "https://hub.test/?a&b")

    assert "<script" not in html
    assert html.count("&lt;/td&gt;") == 9
    assert 'href="https://hub.test/?a&amp;b"' in html


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("evil.example joined", "evil.\u2060example joined"),
        ("Ada (https://evil.example/x)", "Ada (https:\u2060/\u2060/\u2060evil.\u2060example/\u2060x)"),
        ("bücher.example", "bücher.\u2060example"),
        ("mara@example.org signed up", "mara@example.org signed up"),
        ("49.00 USD, e.g. by Dr. Who", "49.00 USD, e.g. by Dr. Who"),
        ("Ada\r\nBcc: x \u202e evil\x00", "Ada Bcc: x evil"),
    ],
)
def test_a_name_is_no_link_and_an_address_can_be_copied(written, shown):
    summary = Summary(headline=written, fields=(("Name", written),), details=written)

    assert lines(summary, None, "").count(shown) == 3
    assert plain_text(card(summary, None, "")).count(shown) == 3


def test_what_is_not_displayed_is_no_text():
    hidden = '<div style="color:red; DISPLAY : none"><p>no<br><div>no</div></p></div>'
    html = f'{hidden}yes<img alt="no" style="display:none">'

    assert plain_text(html) == "yes\n"


def test_styles_for_some_screens_stay_when_others_are_written_into_the_elements(renderer):
    html = "<style>p{color:red} @media (prefers-color-scheme:dark){p{color:blue !important}}</style><p>x</p>"
    message = EmailDestination.compose(None, {"subject": "s", "html": html}, renderer())

    assert '<p style="color: red;">' in message["html"]
    assert "@media (prefers-color-scheme:dark){p{color:blue !important}}" in message["html"]
