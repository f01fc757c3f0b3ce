"""Acts in a real browser, on one hub at work: what died goes out again, what is held is decided."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
from given_web import PASSWORD, World, a_config, destination, payload
from playwright.sync_api import Browser, Page, Response, expect
from servers.http_receiver import CannedResponse, HttpReceiver, ReceivedRequest
from sqlalchemy import update
from test_browser import LIVELY, Hub, sign_in
from werkzeug.serving import make_server
from working import working

from hub.destinations.http.options import HttpOptions
from hub.model.delivery import State
from hub.model.filter import Filter
from hub.settings import Settings
from hub.store.open import open_store
from hub.store.tables import deliveries


def gone(_: ReceivedRequest) -> CannedResponse:
    return CannedResponse(status=410)


def mended(_: ReceivedRequest) -> CannedResponse:
    return CannedResponse()


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    store = open_store(f"sqlite:///{tmp_path_factory.mktemp('acts') / 'hub.db'}")
    store.migrate()
    world = World(store=store, config=a_config(), settings=Settings(password=PASSWORD))
    with HttpReceiver(respond=gone) as crm:
        config = destination("crm", HttpOptions(url=f"{crm.url}/hooks"))
        world.config = replace(world.config, destinations={**world.config.destinations, "crm": config})
        server = make_server("127.0.0.1", 0, world.app(), threaded=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        with working(store, world.rules(), threads=4):
            yield Hub(url=f"http://127.0.0.1:{server.port}", world=world, crm=crm)
        server.shutdown()
        thread.join()
    world.close()
    store.close()


@pytest.fixture
def page(browser: Browser, hub: Hub) -> Iterator[Page]:
    """A signed-in page; afterwards nothing of it may have failed, or gone against the policy."""
    context = browser.new_context(base_url=hub.url)
    context.add_init_script(LIVELY)
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    sign_in(opened)
    yield opened
    context.close()

    assert complaints == []


def send(hub: Hub, name: str, count: int) -> None:
    client = hub.world.app().test_client()
    for number in range(count):
        body = payload(email_address=f"{name}{number}@example.com")
        hub.world.send(client, body, f"msg_{name}_{number}")


def is_news(response: Response) -> bool:
    return response.status == 200 and "hub-seen" in response.request.headers


def wait_for_dead(hub: Hub, page: Page, name: str, count: int) -> None:
    page.goto(f"/deliveries?state=dead&destination=crm&q={name}")
    for _ in range(60):
        if page.locator("#deliveries tr").count() >= count:
            return
        page.wait_for_timeout(500)
        page.reload()
    raise AssertionError("they did not die")


def hold_newest(hub: Hub, page: Page, name: str, count: int) -> None:
    """Have deliveries that were sent held, as if no answer had come."""
    for _ in range(60):
        with hub.world.store.read() as snapshot:
            records = snapshot.delivery_list.records(Filter(destination=name), limit=count)
        if all(record.state is State.DELIVERED for record in records):
            break
        page.wait_for_timeout(500)
    ids = [record.id for record in records]
    held = update(deliveries).where(deliveries.c.id.in_(ids)).values(state=State.HELD, reason="no answer")
    hub.world.store.write(lambda transaction: transaction.session.connection.execute(held) and None)


def test_what_died_of_an_endpoint_is_sent_again_once_that_is_mended(hub: Hub, page: Page) -> None:
    hub.crm.respond = gone
    page.goto("/destinations/crm")
    send(hub, "died", 3)
    # The page came without it: one that is put in later opens the dialog in its place, too.
    opener = page.get_by_role("link", name="Retry 3 dead…")
    expect(opener).to_be_visible()
    hub.crm.respond = mended
    opener.click()
    dialog = page.locator("#act")
    expect(dialog).to_contain_text("Sends 3 messages again to crm.")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Escape")
    expect(opener).to_be_focused()
    opener.click()
    dialog.get_by_label("crm").uncheck()
    expect(dialog.get_by_role("button", name="Send 0")).to_be_disabled()
    dialog.get_by_label("crm").check()
    dialog.get_by_role("button", name="Send 3").click()
    expect(dialog.get_by_role("status")).to_have_text("3 will be sent now.")
    dialog.get_by_role("button", name="Close").click()

    # The page goes on by itself until none is dead.
    expect(opener).to_have_count(0)
    page.goto("/deliveries?destination=crm&state=delivered&q=died")
    expect(page.locator("#deliveries .state.delivered")).to_have_count(3)


def test_twelve_held_ones_are_decided_in_five_clicks(hub: Hub, page: Page) -> None:
    send(hub, "held", 12)
    hold_newest(hub, page, "log", 12)
    page.goto("/destinations/log")
    clicks = (
        page.get_by_role("link", name="Decide 12"),
        page.get_by_label("Tick all rows"),
        page.locator("#ticks").get_by_role("button", name="Resolve…"),
        page.get_by_role("button", name="Mark 12 as arrived"),
        page.get_by_role("button", name="Close"),
    )
    for place in clicks:
        page.wait_for_load_state()  # Scripts have run: before that a tick shows no bar.
        place.click()

    expect(page.locator("#ticks")).to_be_hidden()
    page.reload()
    expect(page.locator("#deliveries tr")).to_have_count(0)


def test_ticks_outlast_updates_and_keys_alone_retry(hub: Hub, page: Page) -> None:
    hub.crm.respond = gone
    send(hub, "keyed", 3)
    wait_for_dead(hub, page, "keyed", 3)
    hub.crm.respond = mended
    for key in "jxjx":
        page.keyboard.press(key)
    with page.expect_response(
        lambda response: response.status == 200 and "hub-seen" in response.request.headers
    ):
        send(hub, "later", 1)
    expect(page.locator("#ticks")).to_contain_text("2 ticked")
    page.keyboard.press("r")
    expect(page.locator("#act").get_by_role("button", name="Send 2")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#act").get_by_role("status")).to_have_text("2 will be sent now.")
    page.keyboard.press("Enter")

    expect(page.locator("#act")).to_be_hidden()
    expect(page.locator("td.tick :checked")).to_have_count(0)
    expect(page.locator("#deliveries tr").nth(1).locator("a")).to_be_focused()
    page.keyboard.press("j")
    page.keyboard.press("r")
    expect(page.locator("#act")).to_contain_text("Retry 1 message")
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    page.wait_for_url("**/deliveries/dlv_*")
    page.keyboard.press("r")
    expect(page.locator("#act").get_by_role("button", name="Send 1")).to_be_focused()
