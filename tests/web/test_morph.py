"""What the reader of a page selects, opens or has focus on outlasts its updates, whatever else changes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.resources import files

import given
import pytest
from flask.testing import FlaskClient
from given_web import World, payload
from playwright.sync_api import Browser, Page
from sqlalchemy import update
from test_access import sign_in

from hub.delivery.retry import after_receipt
from hub.maintenance.heartbeat import beat
from hub.model.delivery import Receipt, State
from hub.model.filter import Filter
from hub.operator import pause, resume
from hub.store.tables import deliveries

STATIC = files("hub.web").joinpath("static")

CHECK = """([before, after, step]) => {
  const parse = (text) => new DOMParser().parseFromString(text, "text/html").getElementById("live");
  const [old, next] = [before, after].map(parse);
  const failures = [];
  // Uses places one after the other, each in a page of its own, and looks at it after an update.
  const forEach = (find, isHidden, use, isAsItWas, leave) => {
    for (let index = 0; ; index += step) {
      const live = document.adoptNode(old.cloneNode(true));
      live.hidden = isHidden;  // What is not laid out is quicker to select.
      document.body.replaceChildren(live);
      const places = find(live), place = places[index];
      if (!place) return;
      const state = use(place, places[index + index / step % 2] ?? place);
      morph(live, next.cloneNode(true));
      const words = `${place.localName ?? "text"} "${place.textContent.slice(0, 30)}"`;
      if (!isAsItWas(place, state)) failures.push(`${words} is lost`);
      leave(place);
      const isWhole = morph(live, next.cloneNode(true));
      if (!isWhole || !live.isEqualNode(next)) failures.push(`afterwards not all is there: ${words}`);
    }
  };
  const texts = (live) => {
    const nodes = [], walker = document.createTreeWalker(live, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) if (walker.currentNode.nodeValue.trim()) nodes.push(walker.currentNode);
    return nodes;
  };
  const range = () => getSelection().rangeCount && getSelection().getRangeAt(0);
  const partOf = (one) => one.closest("[id]").id;
  const isNext = (one) => [...next.querySelectorAll(one.localName)].some(
    (other) => other.isEqualNode(one) && partOf(other) === partOf(one));
  forEach(texts, true,
    (first, last) => { getSelection().setBaseAndExtent(first, 0, last, last.length); return `${range()}`; },
    (first, text) => range().startContainer === first && `${range()}` === text,
    () => getSelection().removeAllRanges());
  forEach((live) => [...live.querySelectorAll("details")], true,
    (one) => { one.open = true; return Boolean(next.querySelector(`#${one.id}`)); },
    (one, isKept) => !isKept || (one.open && one.isConnected),
    (one) => { one.open = false; });
  forEach((live) => [...live.querySelectorAll("a[href], button, summary")], false,
    (one) => { one.focus(); return document.activeElement === one && isNext(one); },
    (one, isKept) => !isKept || document.activeElement === one,
    (one) => one.blur());
  return failures;
}"""


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    idiomorph, morph = (
        STATIC.joinpath(name).read_text(encoding="utf-8") for name in ("idiomorph.min.js", "morph.js")
    )
    opened = browser.new_page()
    opened.set_content("<body></body>")
    # Not every browser has it: without it what is moved loses focus, too.
    opened.evaluate("() => delete Element.prototype.moveBefore")
    opened.add_script_tag(content=idiomorph)
    opened.add_script_tag(content=f"{morph}\nwindow.morph = morph;", type="module")
    opened.wait_for_function("() => Boolean(window.morph)")
    yield opened
    opened.close()


def owe(world: World, client: FlaskClient, number: int) -> None:
    world.send(client, payload(email_address=f"{number}@example.com"), f"msg_{number}")


def deliver(world: World, name: str) -> None:
    (claim,) = given.claim(world.store, name)
    settlement = after_receipt(claim, Receipt(status=200, detail="200 OK"), 0.1)
    world.store.write(lambda transaction: transaction.queue.settle([settlement]))


def hold(world: World) -> None:
    """Have all that waits held, as if no answer had come."""
    held = update(deliveries).where(deliveries.c.state == State.PENDING.value)
    held = held.values(state=State.HELD.value, reason="no answer")
    world.store.write(lambda transaction: transaction.session.connection.execute(held) and None)


def states(world: World, client: FlaskClient) -> Iterator[str]:
    """Take a hub step by step from nothing into trouble, and out of it."""
    yield "empty"
    owe(world, client, 1)
    yield "no worker"
    beat(world.store, "worker", datetime.now(UTC))
    yield "owed"
    deliver(world, "log")
    yield "delivered"
    given.fail(world.store, "crm", "answered 410 Gone", status=410, is_last=True)
    yield "dead"
    for number in range(2, 5):
        owe(world, client, number)
    pause(world.store, world.rules(), "crm")
    yield "paused"
    hold(world)
    yield "held"
    resume(world.store, world.rules(), "crm")
    yield "resumed"


def paths(world: World) -> Iterator[str]:
    yield from ("/", "/destinations/crm")
    with world.store.read() as snapshot:
        owed = snapshot.delivery_list.records(Filter(destination="crm"))
    if owed:
        yield from (f"/events/{owed[-1].event}", f"/deliveries/{owed[-1].id}")


CHANGES = [
    *(("owed", "no worker"), ("owed", "delivered"), ("delivered", "dead"), ("dead", "paused")),
    *(("paused", "held"), ("held", "resumed"), ("held", "owed"), ("resumed", "empty")),
]


@pytest.mark.timeout(900)
def test_whatever_is_selected_opened_or_focused_outlasts_every_change(
    world: World, client: FlaskClient, page: Page, request: pytest.FixtureRequest
) -> None:
    sign_in(client)
    shown = {state: {path: client.get(path).text for path in paths(world)} for state in states(world, client)}
    # At full length all places of all pages on the way from any state to any other.
    is_whole = request.config.getoption("--full")
    failures = {
        (before, after, path): failures
        for before, after in (itertools.permutations(shown, 2) if is_whole else CHANGES)
        for path in shown[before].keys() & shown[after].keys()
        if (failures := page.evaluate(CHECK, [shown[before][path], shown[after][path], 1 if is_whole else 5]))
    }

    assert failures == {}
