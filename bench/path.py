"""`python -m bench.path`: the functions that one Slack message enters, from POST to delivered, in order.

A whole `hub serve` runs with a profiler in each thread of its processes. Comprehensions, logging, and the
modules of `hub.web` below the app are left out; the depth is the most frames of `hub` that stand on one
stack, those of its start included.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, NamedTuple

import hub
from bench.databases import fresh_settings, postgres
from bench.endpoint import fast_endpoint
from bench.figure import dialect
from bench.load import SECRET, signed_request, time_one
from bench.server import free_port, wait_until_up
from hub.model.delivery import State
from hub.store.open import open_store
from hub.store.store import Store

EVENTS = 6
"""The best of so many counts: no chore of a worker falls into each of them."""

QUIET_SECONDS = 0.02
"""An event is over when nothing new was entered for so long after its delivery was settled."""

PACKAGE = Path(hub.__file__).parent

ROUTES = """\
version: 1
sources:
  clerk: {type: clerk, path: /api/webhooks, signing_secret: "${CLERK_WEBHOOK_SIGNING_SECRET}"}
destinations:
  team: {type: slack, webhook_url: "${SLACK_WEBHOOK_URL}"}
routes:
  - {name: waitlist, events: waitlistEntry.created, send: [{to: team, template: slack/waitlist}]}
"""

Stack = tuple[str, ...]
"""Functions as `module:name`, the outermost first."""


class Call(NamedTuple):
    """A function that an event entered in one of the hub's processes: the last of the stack."""

    event: int
    pid: int
    stack: Stack


@dataclass(frozen=True)
class EventPath:
    """The functions that one event entered, in order, and the deepest stack among them."""

    functions: tuple[str, ...]
    deepest: Stack

    @property
    def modules(self) -> Counter[str]:
        """Number of functions by module."""
        return Counter(_module_of(function) for function in self.functions)

    @property
    def packages(self) -> set[str]:
        """Packages directly below `hub`; what stands beside them counts as `hub`."""
        return {_package_of(module) for module in self.modules}

    def __str__(self) -> str:
        return (
            f"{len(self.modules)} modules in {len(self.packages)} packages, "
            f"{len(self.functions)} functions, {len(self.deepest)} deep"
        )


def event_path(database_url: str) -> EventPath:
    """Return the path of the event that entered the fewest functions, of six, on this database."""
    event_number = multiprocessing.get_context("spawn").Value("i", 0, lock=False)
    with fast_endpoint() as endpoint:
        environment = {
            "DATABASE_URL": database_url,
            "CLERK_WEBHOOK_SIGNING_SECRET": SECRET,
            "SLACK_WEBHOOK_URL": f"http://127.0.0.1:{endpoint.port}/services/T0/B0/x",
            "HUB_PASSWORD": "the benchmark's own",
            "HUB_LOG_LEVEL": "error",
            "WEB_CONCURRENCY": "1",
            "PORT": str(free_port()),
        }
        port = int(environment["PORT"])
        with closing(open_store(database_url)) as store, _profiled_hub(environment, event_number) as calls:
            wait_until_up(port)
            # One event beforehand, for what is imported, connected and compiled once.
            for number in range(EVENTS + 1):
                event_number.value = number
                time_one(port, signed_request(number))
                _wait_until_delivered(store, number + 1)
                _wait_until_quiet(calls)
                event_number.value = 0
    paths = [_path_of([call for call in calls if call.event == number]) for number in range(1, EVENTS + 1)]
    return min(paths, key=lambda path: len(path.functions))


def _path_of(calls: list[Call]) -> EventPath:
    """Return the path of one event: first through the process that takes it in, then that which delivers."""
    processes = list(dict.fromkeys(call.pid for call in calls))
    stacks = [call.stack for call in sorted(calls, key=lambda call: processes.index(call.pid))]
    functions = dict.fromkeys(stack[-1] for stack in stacks)
    return EventPath(functions=tuple(functions), deepest=max(stacks, key=len))


def _wait_until_delivered(store: Store, count: int) -> None:
    ends = time.monotonic() + 90
    delivered = 0
    while delivered < count:
        if time.monotonic() > ends:
            raise TimeoutError(f"only {delivered} of {count} events were delivered")
        time.sleep(0.01)
        with store.read() as transaction:
            delivered = transaction.numbers.stats().deliveries.get(("team", State.DELIVERED), 0)


def _wait_until_quiet(calls: Sequence[object]) -> None:
    before = -1
    while before != len(calls):
        before = len(calls)
        time.sleep(QUIET_SECONDS)


@contextmanager
def _profiled_hub(environment: dict[str, str], event_number: Any) -> Iterator[list[Call]]:
    """Run `hub serve`; yields the calls of its processes, a list that grows."""
    context = multiprocessing.get_context("spawn")
    reader, writer = context.Pipe(duplex=False)
    calls: list[Call] = []
    collector = threading.Thread(target=_collect, args=(reader, calls))
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        process = context.Process(target=_serve, args=(Path(folder), environment, event_number, writer))
        process.start()
        writer.close()
        collector.start()
        try:
            yield calls
        finally:
            process.terminate()
            process.join()
            collector.join()


def _collect(reader: Connection, calls: list[Call]) -> None:
    with suppress(EOFError):
        while True:
            calls.append(reader.recv())


def _serve(folder: Path, environment: dict[str, str], event_number: Any, writer: Connection) -> None:
    (folder / "config").mkdir()
    (folder / "config/routes.yaml").write_text(ROUTES)
    (folder / "templates").symlink_to(PACKAGE.parent / "templates")
    os.chdir(folder)
    os.environ.update(environment)
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    profile = _profiler(event_number, writer)
    threading.setprofile(profile)
    sys.setprofile(profile)
    from hub.__main__ import main

    main(["serve"])


def _profiler(event_number: Any, writer: Connection) -> Callable[[FrameType, str, Any], None]:
    """Return a profile function that sends the stack of each function entered first, or deeper than any.

    One message is at most 4 KiB, which a pipe takes from several processes without mixing.
    """
    names: dict[CodeType, str | None] = {}
    entered: set[CodeType] = set()
    current = deepest = 0
    supervisor = os.getpid()

    def name_of(code: CodeType) -> str | None:
        if code not in names:
            names[code] = _name_of(code)
        return names[code]

    def profile(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal current, deepest
        number = event_number.value
        if event != "call" or not number or name_of(frame.f_code) is None:
            return
        # What looks after the processes and the files does so by a clock of its own: no event enters it.
        if os.getpid() == supervisor or threading.current_thread().name in CLOCKED_THREADS:
            return
        if number != current:
            current, deepest = number, 0
            entered.clear()
        stack = tuple(name for name in map(name_of, _codes(frame)) if name)[::-1]
        if LOGS in map(_module_of, stack) or (frame.f_code in entered and len(stack) <= deepest):
            return
        entered.add(frame.f_code)
        deepest = max(deepest, len(stack))
        writer.send(Call(number, os.getpid(), stack))

    return profile


LOGS = "hub.process.logs"
CLOCKED_THREADS = {"reload", "maintenance", "requests"}
COMPREHENSIONS = {"<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"}


def _codes(frame: FrameType | None) -> Iterator[CodeType]:
    while frame is not None:
        yield frame.f_code
        frame = frame.f_back


def _name_of(code: CodeType) -> str | None:
    """The function as `module:name`; None where it is not counted."""
    path = Path(code.co_filename)
    if code.co_name in COMPREHENSIONS or not path.is_relative_to(PACKAGE):
        return None
    module = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
    if _package_of(module) == "hub.web" and module != "hub.web.app":
        return None
    return f"{module}:{code.co_qualname.replace('.<locals>', '')}"


def _module_of(function: str) -> str:
    return function.partition(":")[0]


def _package_of(module: str) -> str:
    parts = module.split(".")
    return ".".join(parts[:2]) if (PACKAGE.parent / Path(*parts[:2])).is_dir() else "hub"


def report(path: EventPath) -> str:
    """The path as Markdown: each module with the functions entered in turn, then the deepest stack."""
    turns = itertools.groupby(path.functions, _module_of)
    lines = [f"- `{module}`: {', '.join(map(_short, functions))}" for module, functions in turns]
    deepest = " > ".join(function.removeprefix("hub.") for function in path.deepest)
    return "\n".join((str(path), "", *lines, "", f"Deepest: {deepest}"))


def _short(function: str) -> str:
    return f"`{function.partition(':')[2]}`"


def main() -> None:
    with postgres() as url:
        for postgres_url in (None, url):
            with fresh_settings(postgres_url) as settings:
                path = event_path(settings.database_url)
            print(f"## {dialect(postgres_url)}\n\n{report(path)}\n", flush=True)


if __name__ == "__main__":
    main()
