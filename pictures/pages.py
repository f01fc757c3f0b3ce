"""Pictures of every page of one hub with a day behind it, on a desk and a phone, light and dark."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from playwright.sync_api import Browser, Page

from pictures.day import CONFIG, PASSWORD, Day, served_day

STATUS_PAGE = Path("docs/status-page.png")
SIZES = {"desk": (1280, 800), "phone": (390, 800)}
SCHEMES = ("light", "dark")

KEPT = (
    *("event-desk-light", "delivery-dead-desk-light", "mail-desk-light", "routes-desk-light"),
    *("overview-desk-dark", "overview-phone-light"),
)
"""Pictures that the documents show, besides the overview's own."""


def take_pages(browser: Browser, build: Path, kept: Path) -> Iterator[Path]:
    """Take all pictures into `build`, and those that the documents show into `kept`, too."""
    edit = (CONFIG / "routes.yaml").read_text(encoding="utf-8").replace("send: [partner", "sned: [partner")
    with tempfile.TemporaryDirectory() as folder:
        for name, half_hours, refused in (("day", 48, ""), ("new", 0, ""), ("refused", 4, edit)):
            path = Path(folder) / name
            path.mkdir()
            with served_day(path, half_hours=half_hours, refused=refused) as day:
                for size in SIZES:
                    for scheme in SCHEMES:
                        yield from _take_all(browser, day, _paths(name, day), (size, scheme), (build, kept))


def _paths(name: str, day: Day) -> Mapping[str, str]:
    """Return the pages to look at by the names of their pictures."""
    if name == "new":
        return {"empty": "/", "login": "/login"}
    if name == "refused":
        return {"routes-refused": "/routes"}
    return {
        "overview": "/",
        "events": "/events?q=jane",
        "event": f"/events/{day.event}",
        "deliveries": "/deliveries",
        "delivery-dead": f"/deliveries/{day.dead}",
        "slack": f"/deliveries/{day.owed['growth']}",
        "mail": f"/deliveries/{day.owed['mail']}",
        "held": f"/deliveries/{day.owed['warehouse']}",
        "destinations": "/destinations",
        "destination": "/destinations/crm",
        "routes": "/routes",
        "verdicts": f"/routes?q={day.event}",
        "try": "/try",
        "audit": "/audit",
    }


def _take_all(
    browser: Browser, day: Day, paths: Mapping[str, str], view: tuple[str, str], folders: tuple[Path, Path]
) -> Iterator[Path]:
    size, scheme = view
    width, height = SIZES[size]
    context = browser.new_context(
        base_url=day.url,
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.goto("/")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.locator("footer").wait_for()
    for name, path in paths.items():
        if name == "login":
            context.clear_cookies()
        page.goto(path, wait_until="networkidle")
        yield from _take(page, f"{name}-{size}-{scheme}", folders)
    context.close()


def _take(page: Page, name: str, folders: tuple[Path, Path]) -> Iterator[Path]:
    """Take a picture of the whole page; for the documents, of the first screen."""
    build, kept = folders
    build.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=build / f"{name}.png", full_page=True)
    yield build / f"{name}.png"
    if name == "overview-desk-light":
        page.screenshot(path=STATUS_PAGE)
        yield STATUS_PAGE
    elif name in KEPT:
        page.screenshot(path=kept / f"{name}.png")
        yield kept / f"{name}.png"
