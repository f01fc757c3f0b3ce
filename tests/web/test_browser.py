"""The status page in a real browser: signing in, looking, and pressing its buttons."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from given_web import PASSWORD, World, destination, payload
from playwright.sync_api import Browser, ConsoleMessage, Page, expect
from servers.http_receiver import CannedResponse, HttpReceiver
from test_below_a_path import proxied
from werkzeug.serving import make_server
from working import working

from hub.destinations.email.card import card
from hub.destinations.http.options import HttpOptions
from hub.model.summary import Summary, Tone

LIVELY = "const plain = setInterval; setInterval = (act, ms) => plain(act, ms / 8);"
"""A script that lets a page ask for itself twice a second, instead of every 4 s."""

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>&amp;\"'@example.com"


@dataclass
class Hub:
    """The hub at work: web and worker, and the place that its `crm` sends to."""

    url: str
    world: World
    crm: HttpReceiver

    def send(self, body: bytes) -> str:
        return str(self.world.send(self.world.app().test_client(), body)["event"])


@pytest.fixture
def hub(world: World) -> Iterator[Hub]:
    with HttpReceiver([CannedResponse(status=410)]) as crm:
        config = destination("crm", HttpOptions(url=f"{crm.url}/hooks"))
        world.config = replace(world.config, destinations={**world.config.destinations, "crm": config})
        server = make_server("127.0.0.1", 0, world.app(), threaded=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        with working(world.store, world.rules(), threads=4):
            yield Hub(url=f"http://127.0.0.1:{server.port}", world=world, crm=crm)
        server.shutdown()
        thread.join()


@pytest.fixture
def page(browser: Browser, hub: Hub) -> Iterator[Page]:
    """A signed-in page; afterwards nothing of it may have gone against the policy, or failed."""
    context = browser.new_context(base_url=hub.url)
    context.add_init_script(LIVELY)
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("console", lambda message: complaints.extend(_complaint(message)))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("dialog", lambda dialog: complaints.append(f"dialog {dialog.message}"))
    sign_in(opened)
    yield opened
    context.close()

    assert complaints == []


def sign_in(page: Page) -> None:
    page.goto("/")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    page.wait_for_load_state()  # Scripts have run: before that a key does nothing.


def _complaint(message: ConsoleMessage) -> list[str]:
    return [message.text] if message.type in ("error", "warning") else []


def test_a_dead_letter_is_found_and_retried(hub: Hub, page: Page) -> None:
    hub.send(payload(email_address="ada@example.com"))
    hub.crm.wait_for(1)
    page.goto("/")
    expect(page.get_by_role("heading", name="1 thing needs you")).to_be_visible()
    page.locator("#destination-crm").get_by_role("link", name="1").click()
    page.get_by_role("link", name="ada@example.com").click()
    expect(page.locator(".lead")).to_have_text("dead · 410 Gone. It is not tried again by itself.")
    page.get_by_role("button", name="Retry").click()

    expect(page.get_by_role("status")).to_have_text("It will be sent again now, rendered by today's rules.")
    # The page refreshes itself until the worker has sent it.
    expect(page.locator("#live .lead .state")).to_have_text("sent")
    assert len(hub.crm.received) == 2


def test_a_destination_is_paused_and_resumed(hub: Hub, page: Page) -> None:
    page.get_by_role("navigation").get_by_role("link", name="Destinations").click()
    crm = page.locator("#destination-crm")
    crm.get_by_role("button", name="Pause").click()
    expect(crm.locator(".matter")).to_contain_text("paused")
    hub.send(payload())
    expect(crm.get_by_role("link", name="1")).to_be_visible()
    crm.get_by_role("button", name="Resume").click()

    expect(crm.locator(".matter")).to_be_empty()
    assert hub.crm.wait_for(1)


def test_a_failing_destination_is_found_with_its_cause_and_paused(hub: Hub, page: Page) -> None:
    hub.send(payload(email_address="ada@example.com"))
    hub.crm.wait_for(1)
    page.get_by_role("navigation").get_by_role("link", name="Destinations").click()
    page.get_by_role("link", name="crm", exact=True).click()
    expect(page.get_by_role("row", name="410 Gone")).to_be_visible()
    page.get_by_role("button", name="Pause").click()

    expect(page.locator("h1 .state")).to_have_text("paused")
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    page.get_by_role("link", name="Show one").click()
    expect(page.locator("#attempt-1")).to_contain_text("410 Gone")


def test_an_event_is_replayed(hub: Hub, page: Page) -> None:
    page.goto(f"/events/{hub.send(payload())}")
    page.get_by_role("link", name="Replay…").click()
    expect(page.get_by_role("dialog")).to_contain_text("Sends 2 new messages: crm and log.")
    page.get_by_role("button", name="Send 2").click()
    expect(page.get_by_role("status")).to_have_text("2 new messages will be sent now.")
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_role("link", name="Replay…")).to_be_focused()
    expect(page.locator(".to", has_text="crm")).to_have_count(2)


def test_an_event_leads_from_a_mark_in_time_to_what_came_back(hub: Hub, page: Page) -> None:
    event = hub.send(payload(email_address="ada@example.com"))
    hub.crm.wait_for(1)
    page.goto(f"/events/{event}")
    page.get_by_role("link", name="try 1 after").first.click()

    expect(page.locator("#attempt-1:target")).to_contain_text("410 Gone")
    page.get_by_role("link", name="event evt_").click()
    expect(page.get_by_text("1 other is not for waitlistEntry.created")).to_be_visible()


def test_a_page_says_when_the_hub_no_longer_answers(browser: Browser, hub: Hub) -> None:
    context = browser.new_context(base_url=hub.url)
    page = context.new_page()
    page.clock.install()
    sign_in(page)
    page.route("**/*", lambda route: route.fulfill(status=503, body=""))
    page.clock.run_for(6_000)
    expect(page.locator("#stale")).to_be_visible()
    page.unroute("**/*")
    page.clock.run_for(6_000)
    expect(page.locator("#stale")).to_be_hidden()
    context.close()


def test_below_a_path_everything_is_found_behind_a_proxy_that_takes_it_off(
    browser: Browser, world: World
) -> None:
    server = make_server("127.0.0.1", 0, world.app(), threaded=True)
    url = f"http://127.0.0.1:{server.port}/tools/hub"
    server.app = proxied(world.app(public_url=url), is_taken_off=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    failures: list[str] = []
    page = browser.new_page()
    page.on("response", lambda response: failures.append(response.url) if response.status >= 400 else None)
    page.clock.install()
    page.goto(f"{url}/destinations")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{url}/destinations")
    crm = page.locator("#destination-crm")
    crm.get_by_role("button", name="Pause").click()
    expect(crm.locator(".matter")).to_contain_text("paused")
    page.get_by_role("link", name="Overview").click()
    with page.expect_response(lambda response: "hx-request" in response.request.headers):
        page.clock.run_for(6_000)
    page.get_by_role("link", name="Audit").click()
    expect(page.get_by_role("cell", name="pause")).to_be_visible()
    has_style = page.evaluate("getComputedStyle(document.querySelector('table')).borderCollapse")
    page.close()
    server.shutdown()
    thread.join()

    assert (failures, has_style) == ([], "collapse")


def test_a_mail_fits_a_narrow_window_and_is_dark_where_its_reader_is(browser: Browser) -> None:
    fields = (("Organization", "W" * 120), ("Role in the company", f"https://evil.test/{'a' * 100}"))
    summary = Summary(headline=f"{HOSTILE} joined {'Wolkenkratzer' * 5}", tone=Tone.BAD, fields=fields)
    page = browser.new_page(viewport={"width": 320, "height": 400}, color_scheme="dark")
    page.set_content(card(summary, None, "https://hub.test/events/evt_1"))
    width = page.evaluate("document.documentElement.scrollWidth")
    colours = {
        name: page.evaluate(f"getComputedStyle(document.querySelector('{name}')).{style}")
        for name, style in (("body", "backgroundColor"), (".card", "backgroundColor"), ("h1", "color"))
    }
    page.close()

    assert width == 320
    assert colours == {"body": "rgb(17, 20, 25)", ".card": "rgb(25, 29, 36)", "h1": "rgb(230, 233, 238)"}


def test_a_payload_is_tried_as_it_is_typed_and_its_mail_is_shown(hub: Hub, page: Page) -> None:
    mail = destination("crm", None, "email")
    hub.world.config = replace(hub.world.config, destinations={**hub.world.config.destinations, "crm": mail})
    page.goto("/try?event=waitlistEntry.created")
    outcome = page.locator("#outcome")
    expect(outcome).to_contain_text("noor.haddad@example.org waits")
    frame = page.frame_locator("iframe[title='The mail']")
    expect(frame.get_by_role("heading")).to_have_text("noor.haddad@example.org joined the waitlist")

    page.get_by_label("Payload").fill(payload(email_address=HOSTILE).decode())
    expect(outcome).to_contain_text(f"{HOSTILE} waits")
    page.get_by_label("Payload").fill('{"type": "user.created",\n"data": {},}')
    outcome.get_by_role("link", name="Line 2").click()

    field = page.get_by_label("Payload")
    expect(field).to_be_focused()
    assert (
        field.evaluate("field => field.value.slice(field.selectionStart, field.selectionEnd)")
        == '"data": {},}'
    )
