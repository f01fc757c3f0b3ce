"""Live pages in a real browser: their reader loses nothing; keys; and all of it without JavaScript."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import given
import pytest
from given_web import payload
from playwright.sync_api import Browser, Locator, Page, Request, expect
from test_browser import Hub, hub, sign_in  # noqa: F401  # a fixture

from hub.operator import pause, resume


@pytest.fixture
def page(browser: Browser, hub: Hub) -> Iterator[Page]:  # noqa: F811
    """A signed-in page whose clock goes when it is told to."""
    context = browser.new_context(base_url=hub.url, viewport={"width": 1280, "height": 600})
    opened = context.new_page()
    opened.clock.install()
    sign_in(opened)
    opened.clock.pause_at(opened.evaluate("Date.now()") + 1_000)  # Once installed it goes by itself.
    yield opened
    context.close()


class Asked:
    """The requests of a page for itself."""

    def __init__(self, page: Page) -> None:
        self.count = 0
        page.on("request", self._note)

    def _note(self, request: Request) -> None:
        self.count += "hub-seen" in request.headers


def update(page: Page) -> int:
    """Let the page ask once; returns the status that it was answered with."""
    with page.expect_response(lambda response: "hub-seen" in response.request.headers) as response:
        page.clock.run_for(4_000)
    response.value.finished()
    page.evaluate(
        "() => new Promise((done) => { const port = new MessageChannel(); "
        "port.port1.onmessage = done; port.port2.postMessage(0); })"
    )
    return response.value.status


def top_of(place: Locator) -> float:
    box = place.bounding_box()
    assert box is not None
    return box["y"]


def test_ten_updates_take_nothing_from_a_reader(hub: Hub, page: Page) -> None:  # noqa: F811
    hub.send(payload(email_address="ada@example.com", note="n" * 4000))
    row = page.get_by_role("link", name="ada@example.com")
    given.until(lambda: page.goto("/deliveries?state=dead&destination=crm") and row.count())
    row.click()
    details = page.locator("#live details").first
    details.locator("summary").click()
    page.get_by_role("button", name="Retry").evaluate(
        "(button) => { window.button = button; button.focus(); }"
    )
    page.evaluate("scrollTo(0, 200)")
    text = page.locator("#live time").first.evaluate(
        "(time) => { getSelection().selectAllChildren(time); return time.textContent; }"
    )
    before = page.evaluate("scrollY")
    statuses = set()
    for number in range(10):
        hub.world.send(hub.world.app().test_client(), payload(), f"msg_more_{number}")
        statuses.add(update(page))

    assert statuses == {200}
    assert page.evaluate("String(getSelection())") == text
    assert details.get_attribute("open") is not None
    assert page.evaluate("document.activeElement === window.button")
    assert page.evaluate("scrollY") == before > 0


def test_a_selected_part_stays_as_it_was_while_the_others_go_on(hub: Hub, page: Page) -> None:  # noqa: F811
    hub.crm.next_response()  # It takes everything.
    hub.send(payload())
    given.until(lambda: page.goto("/") and not page.locator("#steps").count())
    line = page.locator("p.of-day")
    text = line.inner_text()
    line.evaluate("(line) => getSelection().selectAllChildren(line)")
    # A note comes above it, where none was.
    expect(page.locator("#live > .notes")).to_have_count(0)
    pause(hub.world.store, hub.world.rules(), "crm")
    update(page)
    expect(page.locator("#live > .notes")).to_have_count(1)
    for number in range(3):
        hub.world.send(hub.world.app().test_client(), payload(), f"msg_more_{number}")
        update(page)
    assert (line.inner_text(), page.evaluate("String(getSelection())")) == (text, text)
    expect(page.locator(".arrived")).to_have_text("3 new ↑")

    page.evaluate("getSelection().removeAllRanges()")
    update(page)
    expect(line).to_contain_text("4")


def test_what_changes_is_changed_in_place_and_findings_are_announced(hub: Hub, page: Page) -> None:  # noqa: F811
    hub.send(payload())
    hub.crm.wait_for(1)
    page.goto("/")
    row = page.locator("#destination-crm")
    row.evaluate("(row) => { window.row = row; }")
    pause(hub.world.store, hub.world.rules(), "crm")
    assert update(page) == 200
    expect(row.locator(".matter")).to_have_text("paused by an operator")
    assert row.evaluate("(row) => row === window.row")
    expect(page.locator("#news")).to_contain_text("crm")
    resume(hub.world.store, hub.world.rules(), "crm")
    update(page)

    expect(page.locator("#news")).to_contain_text("No longer: ")


def test_what_is_typed_and_ticked_stays(hub: Hub, page: Page) -> None:  # noqa: F811
    page.goto("/destinations")
    page.locator("#destination-crm td").first.evaluate(
        "(cell) => { cell.innerHTML = '<input id=ticked type=checkbox><input id=typed>'; }"
    )
    page.locator("#ticked").check()
    page.locator("#typed").fill("half a w")
    pause(hub.world.store, hub.world.rules(), "crm")
    update(page)

    expect(page.locator("#typed")).to_be_focused()
    expect(page.locator("#typed")).to_have_value("half a w")
    expect(page.locator("#ticked")).to_be_checked()
    # What waited for the reader is shown once they are gone, though nothing new happened.
    page.locator("#typed").blur()
    update(page)
    expect(page.locator("#destination-crm .matter")).to_have_text("paused by an operator")


def test_rows_do_not_move_and_new_ones_wait_behind_a_link(hub: Hub, page: Page) -> None:  # noqa: F811
    client = hub.world.app().test_client()
    for number in range(3):
        hub.world.send(client, payload(email_address=f"{number}@example.com"), f"msg_{number}")
    page.goto("/events?type=waitlistEntry.*&destination=crm")
    rows = page.locator("#events tr")
    first, before = rows.first, top_of(rows.first)
    about = first.inner_text()
    for number in range(3, 5):
        hub.world.send(client, payload(email_address=f"{number}@example.com"), f"msg_{number}")
        update(page)

    expect(page.locator(".arrived")).to_have_text("2 new ↑")
    assert (rows.count(), top_of(first)) == (3, before)
    assert first.inner_text().split("\t")[0] == about.split("\t")[0]
    page.locator(".arrived").click()
    expect(rows).to_have_count(5)
    expect(page.locator(".arrived")).to_have_count(0)


def test_a_row_that_left_its_filter_stays_and_says_so(hub: Hub, page: Page) -> None:  # noqa: F811
    hub.send(payload(email_address="ada@example.com"))
    hub.crm.wait_for(1)
    page.goto("/deliveries")
    page.evaluate(
        """() => {
          const copy = document.querySelector("#deliveries tr").cloneNode(true);
          copy.id = "dlv_elsewhere";
          document.querySelector("#deliveries").prepend(copy);
        }"""
    )
    pause(hub.world.store, hub.world.rules(), "log")
    update(page)

    expect(page.locator("#dlv_elsewhere")).to_have_class("gone")
    expect(page.locator("#deliveries tr")).to_have_count(3)


def test_nothing_changed_is_answered_without_a_page(hub: Hub, page: Page) -> None:  # noqa: F811
    page.goto("/")
    statuses = [update(page) for _ in range(3)]

    # A minute may begin between two.
    assert statuses.count(204) >= 2


def test_times_go_on_between_two_updates(hub: Hub, page: Page) -> None:  # noqa: F811
    hub.send(payload())
    page.goto("/events")
    page.route("**/*", lambda route: route.abort())
    at = page.locator("#events time").first
    at.evaluate("(time) => { time.dateTime = document.getElementById('main').dataset.now; }")
    for milliseconds, words in ((30_000, "30 s ago"), (60_000, "90 s ago"), (7_200_000, "2 h ago")):
        page.clock.run_for(milliseconds)
        expect(at).to_have_text(words)


def test_paused_stays_paused_and_a_hidden_tab_asks_nothing(hub: Hub, page: Page) -> None:  # noqa: F811
    page.goto("/")
    asked = Asked(page)
    page.keyboard.press(".")
    expect(page.locator("#pulse")).to_have_text("paused")
    page.clock.run_for(20_000)
    page.goto("/events")
    expect(page.locator("#pulse")).to_have_text("paused")
    page.clock.run_for(20_000)
    assert asked.count == 0

    page.evaluate("Object.defineProperty(document, 'hidden', { value: true, configurable: true })")
    page.locator("#pulse").click()
    page.clock.run_for(20_000)
    assert asked.count == 0

    page.evaluate("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("#pulse")).to_have_text("live")
    assert asked.count == 1


def test_everything_is_reached_by_keys(hub: Hub, page: Page) -> None:  # noqa: F811
    client = hub.world.app().test_client()
    for number in range(3):
        hub.world.send(client, payload(email_address=f"{number}@example.com"), f"msg_{number}")
    for keys, path in (("ge", "/events"), ("gd", "/deliveries"), ("gr", "/routes"), ("go", "/")):
        for key in keys:
            page.keyboard.press(key)
        page.wait_for_url(f"**{path}")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("g")
    page.keyboard.press("e")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Keys")).to_be_hidden()
    assert page.url.endswith("/")

    page.goto("/events")
    for key in "jjk":
        page.keyboard.press(key)
    expect(page.locator("#events tr").first.locator("a")).to_be_focused()
    has_outline = page.evaluate("getComputedStyle(document.activeElement.closest('tr')).outlineStyle")
    page.keyboard.press("x")
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("x")
    ticks = page.locator("#list td.tick input")
    expect(ticks.nth(0)).to_be_checked()
    hub.world.send(client, payload(email_address="new@example.com"), "msg_new")
    update(page)
    page.keyboard.press("k")
    ticked = ticks.evaluate_all("(boxes) => boxes.map((box) => box.checked)")
    page.keyboard.press("/")
    field = page.evaluate("document.activeElement.localName")
    page.keyboard.type("g?.")
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/events/evt_*")
    page.keyboard.press("Escape")
    page.wait_for_url("**/events#evt_*")
    page.keyboard.press("j")
    expect(page.locator("tr:target + tr a")).to_be_focused()

    assert (has_outline, field) == ("solid", "input")
    assert ticked == [True, False, False]


def test_without_javascript_every_page_works(browser: Browser, hub: Hub) -> None:  # noqa: F811
    context = browser.new_context(base_url=hub.url, java_script_enabled=False)
    page = context.new_page()
    sign_in(page)
    event = hub.send(payload(email_address="ada@example.com"))
    hub.crm.wait_for(1)
    for path in (
        "/",
        "/events",
        f"/events/{event}",
        "/deliveries",
        "/destinations",
        "/routes",
        "/try",
        "/audit",
    ):
        answer: Any = page.goto(path)
        assert answer.status == 200
        expect(page.locator("h1")).to_be_visible()
        expect(page.locator("#pulse, #show-keys, #keys").locator("visible=true")).to_have_count(0)
    row = page.get_by_role("link", name="ada@example.com")
    given.until(lambda: page.goto("/deliveries?state=dead") and row.count())
    expect(page.locator(".tick").locator("visible=true")).to_have_count(0)
    row.click()
    page.get_by_role("button", name="Retry").click()
    expect(page.get_by_role("status")).to_contain_text("sent again")
    page.goto("/destinations")
    row = page.locator("#destination-crm")
    row.get_by_role("button", name="Pause").click()
    expect(row.locator(".matter")).to_have_text("paused by an operator")
    context.close()
