"""Finding a person in a real browser: the search box, chips, the next and the last one, and nothing found."""

from __future__ import annotations

import re

from given_web import payload
from playwright.sync_api import Page, expect
from test_browser import Hub, hub, page  # noqa: F401  # fixtures


def press(page: Page, key: str) -> None:  # noqa: F811
    """Press a key on a page whose scripts have run: text can be seen before that."""
    page.wait_for_load_state()
    page.keyboard.press(key)


def test_a_person_is_found_filtered_and_read_one_after_the_other(hub: Hub, page: Page) -> None:  # noqa: F811
    client = hub.world.app().test_client()
    for number, name in enumerate(("eve", "ada", "ada", "ada")):
        hub.world.send(client, payload(email_address=f"{name}@example.com"), f"msg_{number}")
    page.keyboard.press("/")
    page.keyboard.type("Ada@Example.com")
    page.keyboard.press("Enter")
    page.wait_for_url("**/events?q=Ada%40Example.com")
    # The index reads what arrived, and the page hears of it.
    expect(page.locator("#events tr")).to_have_count(3, timeout=30_000)
    page.reload()
    expect(page.locator(".count")).to_have_text("3 found · newest first")

    hub.crm.wait_for(4)
    page.goto("/deliveries")
    page.keyboard.press("/")
    page.keyboard.type("ada")
    page.keyboard.press("Enter")
    page.wait_for_url("**/deliveries?q=ada")
    page.get_by_text("+ filter").click()
    page.locator(".choices").get_by_role("link", name="crm").click()
    chips = page.get_by_role("list", name="Filters").get_by_role("link")
    expect(chips).to_have_text([re.compile("destination: crm")])
    page.get_by_text("+ filter").click()
    page.locator(".choices").get_by_role("link", name="pending").click()
    page.get_by_role("link", name="Remove state: pending").click()
    expect(chips).to_have_text([re.compile("destination: crm")])
    rows = page.locator("#deliveries tr")
    expect(rows).to_have_count(3)
    ids = [row.get_attribute("id") for row in rows.all()]

    press(page, "j")
    page.keyboard.press("Enter")
    for key, at in (("j", 1), ("j", 2), ("j", 2), ("k", 1)):
        expect(page.get_by_role("navigation", name="List").locator("a[rel=up]")).to_have_text(
            'Deliveries ("ada", destination: crm)'
        )
        press(page, key)
        page.wait_for_url(f"**/deliveries/{ids[at]}?from=*")
    page.keyboard.press("Escape")
    page.wait_for_url(f"**/deliveries?q=ada&destination=crm#{ids[1]}")

    page.keyboard.press("/")
    page.keyboard.type("zoe")
    page.keyboard.press("Enter")
    expect(page.locator(".empty")).to_contain_text('No delivery fits "zoe", destination: crm.')
    expect(page.locator(".empty")).to_contain_text("30 days are kept (HUB_RETENTION)")
