"""`make pictures`: every built-in message and every page into build/pictures, and a few into docs."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup
from playwright.sync_api import Browser, Page

from hub.destinations.base import destination_types
from hub.model.parts import Part, PartKind
from hub.preview.drawing import FOLDER, Sheet, draw, frame_within
from pictures.browser import find_program, opened
from pictures.messages import document, every_type, message_sheet, six
from pictures.pages import take_pages

BUILD = Path("build/pictures")
KEPT = Path("docs/pictures")
DOCUMENT = Path("docs/messages.md")
SHEETS_A_PICTURE = 12
ALONE = ("slack", "email")
"""Types of which every event type is shown; of the others six cases are."""

MACHINES = ("http", "console")

_GRID = Markup("""<!doctype html><meta charset="utf-8"><meta name="color-scheme" content="light dark">
<style>{css} body {{ margin: 0; padding: 24px; background: var(--msg-code); }} \
main {{ display: grid; grid-template-columns: repeat({columns}, minmax(0, 1fr)); gap: 24px; \
align-items: start; }} \
h2 {{ margin: 0 0 8px; font: 600 13px/16px system-ui; color: var(--msg-soft); }} \
.bare {{ width: 100%; border: 0; display: block; }}</style>
<main>{cells}</main>""")
_CELL = Markup("<section><h2>{}</h2>{}</section>")
_MAIL = Markup('<iframe class="bare" srcdoc="{}"></iframe>')

_FIT_FRAMES = """() => Promise.all([...document.querySelectorAll("iframe.bare")].map(async (frame) => {
  for (let turn = 0; turn < 50 && !frame.contentDocument.body?.childElementCount; turn++)
    await new Promise((done) => setTimeout(done, 20));
  frame.style.height = frame.contentDocument.documentElement.scrollHeight + "px";
}))"""


@dataclass(frozen=True, kw_only=True)
class View:
    """A way to look: the width of the window, the columns in it, light or dark."""

    name: str
    width: int
    columns: int
    dark: bool = False


VIEWS = (
    View(name="light", width=1560, columns=3),
    View(name="dark", width=1560, columns=3, dark=True),
    View(name="narrow", width=368, columns=1),
)

PICTURES_KEPT = ("slack-light-5", "email-light-4", "email-dark-5", "channels-light-1")


def main() -> None:
    program = find_program()
    if program is None:
        sys.exit("no Chromium or Chrome is installed here")
    DOCUMENT.write_text(document(), encoding="utf-8")
    for folder in (BUILD, KEPT):
        shutil.rmtree(folder, ignore_errors=True)
    with opened(program) as browser:
        for view in VIEWS:
            for picture in _take_all(browser, view):
                print(picture)
        for picture in take_pages(browser, BUILD, KEPT):
            print(picture)


def _take_all(browser: Browser, view: View) -> Iterator[Path]:
    page = browser.new_page(
        viewport={"width": view.width, "height": 100}, color_scheme="dark" if view.dark else "light"
    )
    for name, sheets in _series():
        for number, group in enumerate(_grouped(sheets), 1):
            yield from _take(page, f"{name}-{view.name}-{number}", group, view.columns)
    page.close()


def _series() -> Iterator[tuple[str, list[Sheet]]]:
    """Yield a name and its messages: all for Slack and mail, six for each other type that people read."""
    for type_name in ALONE:
        yield type_name, [message_sheet(case, type_name) for case in (*every_type(), *six())]
    others = [name for name in destination_types() if name not in (*ALONE, *MACHINES)]
    yield "channels", [message_sheet(case, name) for name in others for case in six()]


def _grouped(sheets: Sequence[Sheet]) -> Iterator[Sequence[Sheet]]:
    for start in range(0, len(sheets), SHEETS_A_PICTURE):
        yield sheets[start : start + SHEETS_A_PICTURE]


def _take(page: Page, name: str, sheets: Iterable[Sheet], columns: int) -> Iterator[Path]:
    """Take one picture, and a copy of it for the documents where it is one of those."""
    css = Markup((FOLDER / "static" / "message.css").read_text(encoding="utf-8"))  # noqa: S704 - our own
    cells = Markup("").join(_CELL.format(sheet.title, _drawn(sheet.parts)) for sheet in sheets)
    page.set_content(_GRID.format(css=css, columns=columns, cells=cells), wait_until="load")
    page.evaluate(_FIT_FRAMES)
    folders = [BUILD, KEPT] if name in PICTURES_KEPT else [BUILD]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=folder / f"{name}.png", full_page=True)
        yield folder / f"{name}.png"


def _drawn(parts: Sequence[Part]) -> Markup:
    """Return a message; a mail as the mail program shows it, below its subject."""
    html = next((part for part in parts if part.kind is PartKind.HTML), None)
    if html is None:
        return draw(parts, frame_within)
    subject = next(value for part in parts for name, value in part.pairs if name == "Subject")
    return draw([Part(kind=PartKind.HEADERS, pairs=(("Subject", subject),))], frame_within) + _MAIL.format(
        html.text
    )


if __name__ == "__main__":
    main()
