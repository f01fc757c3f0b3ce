"""Every page in a real browser: axe finds nothing in either theme, and what strangers wrote does nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import given
import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import update

from hub import catalog
from hub.ingest.fanout import fan_out
from hub.store.tables import attempts, destinations
from hub.strings import map_strings
from pictures.day import PASSWORD, Day, served_day

AXE = (Path(__file__).parent / "axe" / "axe.min.js").read_text(encoding="utf-8")
BY_THEME = ["color-contrast", "link-in-text-block"]
"""The rules of axe whose outcome depends on the theme: in dark the only ones, except at full length."""

RUN_AXE = """options => axe.run(document, options).then(({ violations }) => violations.flatMap(
  ({ id, nodes }) => nodes.map(({ target, html }) => `${id}: ${target.join(" ")} ${html.slice(0, 200)}`)))"""

BAD_EDIT = "version: 1\nroutes:\n  - name: a\n    events: user.created\n    send: growht\n"
PAGE_BYTES = 100_000
WIDTHS = (390, 768, 1000)
"""A phone, a tablet, half a screen."""

EVIL = (
    '"><script>window.pwned = 1</script><img src=x onerror="window.pwned = 2"><svg onload="window.pwned = 3">'
    "</textarea></pre></title><a href='javascript:window.pwned = 4'>{{ 7 * 7 }}${HOME}</a>\u202e"
)
WIDE = "W" * 300


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Day]]:
    """Two hubs: one with a day behind it, and one that is new, whose routes were edited badly."""
    with ExitStack() as stack:
        yield {
            "busy": stack.enter_context(served_day(tmp_path_factory.mktemp("busy"), half_hours=10)),
            "new": stack.enter_context(
                served_day(tmp_path_factory.mktemp("new"), half_hours=0, refused=BAD_EDIT)
            ),
        }


def signed_in(browser: Browser, day: Day, **options: Any) -> Page:
    """A page of a browser that has signed in; nothing moves in it, and it sees what the policy stops."""
    context = browser.new_context(base_url=day.url, reduced_motion="reduce", **options)
    context.add_init_script(
        "window.stopped = []; addEventListener('securitypolicyviolation', "
        "(event) => stopped.push(`${event.violatedDirective} ${event.blockedURI}`))"
    )
    page = context.new_page()
    page.goto("/")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("footer")).to_be_visible()
    return page


def every_path(day: Day) -> list[str]:
    lists = [
        "/",
        "/events?q=mara",
        "/deliveries?state=dead",
        "/destinations",
        "/audit",
        f"/routes?q={day.event}",
    ]
    one = ["/destinations/crm", f"/try?event={day.event}", f"/events/{day.event}"]
    return [*lists, *one, *(f"/deliveries/{day.owed[name]}" for name in ("growth", "mail", "crm"))]


def some_paths(day: Day) -> list[str]:
    """The pages that between them have every colour."""
    one = [f"/events/{day.event}", f"/deliveries/{day.owed['warehouse']}", "/destinations/crm"]
    return ["/", "/deliveries?state=held", *one, f"/try?event={day.event}"]


def violations(page: Page, rules: Sequence[str]) -> list[str]:
    """Return what axe finds by some of its rules, or by all where none is named."""
    options: dict[str, Any] = {"iframes": False}
    if rules:
        options["runOnly"] = rules
    page.evaluate(AXE)
    failures: list[str] = page.evaluate(RUN_AXE, options)
    return failures


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_any_page(
    browser: Browser,
    days: dict[str, Day],
    scheme: str,
    request: pytest.FixtureRequest,
) -> None:
    wrong: dict[str, Any] = {}
    is_whole = scheme == "light" or request.config.getoption("--full")
    paths_of, rules = (every_path, []) if is_whole else (some_paths, BY_THEME)
    pages = [(days["busy"], paths_of(days["busy"])), (days["new"], ["/", "/routes"])]
    for day, paths in pages:
        page = signed_in(browser, day, color_scheme=scheme)
        for path in [*paths, "/login"]:
            if path == "/login":
                page.context.clear_cookies()
            answer = page.goto(path)
            assert answer is not None
            page.locator("details:not([open])").evaluate_all(
                "all => all.forEach((one) => { one.open = true; })"
            )
            failures = violations(page, rules)
            if len(answer.body()) > PAGE_BYTES:
                failures.append(f"{len(answer.body())} bytes")
            if failures:
                wrong[path] = failures
        page.context.close()

    assert wrong == {}


# -- what strangers write ---------------------------------------------------------------------------------


def evil_payload(type_: str, address: str) -> bytes:
    """A sample in which every text would like to be run, the address of whom it is about aside."""
    body = catalog.sample(type_)
    own = {"type": type_, "object": "event"}
    data = map_strings(body["data"], lambda text: address if "@" in text and address else f"{EVIL}{WIDE}")
    return json.dumps({**body, **own, "data": data}).encode()


def send_evil(day: Day) -> list[str]:
    """Take in events whose texts are evil, and answers too; return the paths of pages that show them."""
    paths = ["/", "/events", "/deliveries", "/destinations", "/audit", "/routes?q=" + "W" * 80]
    for type_, address in (
        *(("user.created", "ada@example.com"), ("user.created", "")),
        *(
            ("waitlistEntry.created", ""),
            ("organizationInvitation.created", ""),
            ("subscription.updated", ""),
        ),
    ):
        event = given.event(type_, payload=evil_payload(type_, address), received_at=datetime.now(UTC))
        fan_out(event, day.rules, day.store)
        with day.store.read() as snapshot:
            owed = [record.id for record in snapshot.delivery_list.records(event=event.id)]
        paths += [f"/events/{event.id}", f"/try?event={event.id}", f"/routes?q={event.id}"]
        paths += [f"/deliveries/{delivery}" for delivery in owed]
    failed, paused = (
        update(attempts).where(attempts.c.outcome == "failed").values(answer=EVIL, detail=EVIL),
        update(destinations).where(destinations.c.name == "alerts").values(paused_reason=EVIL + WIDE),
    )
    with day.store.transaction() as transaction:
        for change in (failed, paused):
            transaction.session.connection.execute(change)
    return [*paths, "/destinations/crm", "/destinations/alerts", f"/deliveries/{day.owed['crm']}"]


def width_in(page: Page, width: int) -> int:
    """Return the width that a page takes in a window of so many pixels."""
    page.set_viewport_size({"width": width, "height": 800})
    taken: int = page.evaluate("document.documentElement.scrollWidth")
    return taken


def test_what_strangers_write_does_nothing_and_fits_any_window(
    browser: Browser,
    days: dict[str, Day],
) -> None:
    day = days["busy"]
    page = signed_in(browser, day)
    complaints: list[str] = []
    page.on("dialog", lambda dialog: complaints.append(f"dialog {dialog.message}"))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "request", lambda request: complaints.append(request.url) if _is_outside(request.url, day) else None
    )
    for path in send_evil(day):
        page.goto(path)
        widths = [width_in(page, width) for width in WIDTHS]
        pwned, stopped, own = page.evaluate(
            "[window.pwned ?? 0, window.stopped, "
            "document.querySelectorAll('main script, main img, main svg[onload]').length]"
        )
        if (widths, pwned, stopped, own) != ([*WIDTHS], 0, [], 0):
            complaints.append(f"{path}: {widths} px, {pwned}, {stopped}, {own} elements")
    page.context.close()

    assert complaints == []


def _is_outside(url: str, day: Day) -> bool:
    return not url.startswith((day.url, "data:", "about:"))


def test_a_moment_ahead_counts_down_without_a_request(browser: Browser, days: dict[str, Day]) -> None:
    page = signed_in(browser, days["busy"])
    page.locator("#pulse").click()
    page.wait_for_load_state("networkidle")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    moment = page.locator(".notes time[data-until]").first
    for ahead_seconds, words in ((599, re.compile(r"^in [89] min$")), (-1, "now")):
        moment.evaluate(
            "(time, ahead) => { time.textContent = 'in 1 h';"
            " time.dataset.until = new Date(Date.now() + ahead * 1000).toISOString(); }",
            ahead_seconds,
        )
        expect(moment).to_have_text(words, timeout=30_000)

    assert asked == []


def test_a_route_marks_what_it_shares_and_an_address_is_copied(
    browser: Browser,
    days: dict[str, Day],
) -> None:
    page = signed_in(browser, days["busy"])
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto("/routes")
    page.locator("#route-waitlist").hover()
    marked = page.locator(".target.shared").all_inner_texts()
    page.get_by_role("link", name="vip", exact=True).focus()
    expect(page.locator("#route-billing .shared")).to_have_text("alerts")
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    page.context.close()

    assert [name.strip() for name in marked] == ["growth", "crm", "growth", "growth", "crm", "growth"]
    assert copied.endswith("/api/webhooks")


def test_without_javascript_routes_answer_and_a_message_has_its_tabs(
    browser: Browser,
    days: dict[str, Day],
) -> None:
    day = days["busy"]
    page = signed_in(browser, day, java_script_enabled=False)
    page.goto("/routes")
    page.get_by_label("Which routes take").fill("waitlistEntry.created")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("row", name="waitlist takes every one")).to_be_visible()
    page.goto(f"/deliveries/{day.owed['mail']}")
    expect(page.get_by_text("Message-ID:")).to_be_hidden()
    page.get_by_text("Headers", exact=True).click()
    expect(page.get_by_text("Message-ID:")).to_be_visible()
    expect(page.locator(".view iframe")).to_be_hidden()
    page.context.close()
