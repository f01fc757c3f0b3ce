"""Cost: the processor time of a worker, and the memory of a whole hub that has nothing to do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psutil

from bench.databases import fresh_settings
from bench.endpoint import Endpoint, fast_endpoint
from bench.figure import Figure, Pair, dialect, paired
from bench.load import SECRET, event_body
from bench.rates import THREADS, owe
from bench.server import forked, free_port, rules_for, wait_until_up, worker
from hub.settings import Settings
from hub.store.open import open_store
from hub.transport.http import HttpClient, HttpRequest

REST_SECONDS = 5.0

HEADERS: dict[str, str | bytes] = {
    "Content-Type": "application/json",
    "webhook-id": "dlv_01234567890123456789012345",
    "webhook-timestamp": "1700000000",
    "hub-event-id": "evt_01234567890123456789012345",
    "hub-event-type": "waitlistEntry.created",
    "hub-attempt": "1",
}
"""Those that an `http` destination sends beside the client's own."""

CHECKOUT = Path(__file__).parents[1]


def workers_share(postgres_url: str | None, count: int = 4000) -> Figure:
    """Processor time of the HTTP exchanges alone ÷ all that a worker spends on as many deliveries."""

    def measure() -> Pair:
        with fast_endpoint() as endpoint, forked(lambda: _exchange(endpoint, count)) as (pid,):
            alone = _cpu_ms(pid, endpoint, count)
        with fast_endpoint() as endpoint, fresh_settings(postgres_url) as settings:
            rules = rules_for(endpoint.url, concurrency=THREADS)
            with closing(open_store(settings.database_url)) as store:
                owe(store, rules, count)
            with worker(settings, rules) as pid:
                return alone, _cpu_ms(pid, endpoint, count)

    name = f"processor time of the HTTP exchange alone ÷ of a worker, {dialect(postgres_url)}"
    return Figure(name, 0.45, 0.6, *paired(measure), "ms/delivery")


def at_rest(postgres_url: str | None) -> Figure:
    """Memory of `hub serve` that has started and waits, in MiB; beside it that of a bare interpreter."""
    with fresh_settings(postgres_url) as settings, _serving(settings) as pid:
        time.sleep(REST_SECONDS)
        of_hub = _family_mib(pid)
    with _running("-c", "import time; time.sleep(600)") as pid:
        time.sleep(1)
        of_plain = _family_mib(pid)
    must = 140.0 if postgres_url is None else 180.0
    name = f"MiB of memory of hub serve at rest, {dialect(postgres_url)}"
    return Figure(name, must, 80.0, of_hub, of_hub, of_plain, "MiB", smaller_is_better=True)


def _family_mib(pid: int) -> float:
    """Memory of a process and of all below it, with what they share counted once.

    The pages of files, which other programs on this machine may have as well, count as the largest's.
    """
    parent = psutil.Process(pid)
    family = [parent, *parent.children(recursive=True)]
    anonymous = sum(pss_mib(process.pid, "Pss_Anon") for process in family)
    return anonymous + float(max(process.memory_info().shared for process in family)) / 2**20


def pss_mib(pid: int, line: str = "Pss") -> float:
    """A process's own pages and its share of those that it has in common with others, from `/proc`."""
    rollup = dict(row.split(":") for row in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    return int(rollup[line].split()[0]) / 1024


def _exchange(endpoint: Endpoint, count: int) -> None:
    """Send by the hub's own client, one after the other and nothing around it; then wait for the end."""
    client = HttpClient(THREADS)
    request = HttpRequest(method="POST", url=endpoint.url, headers=HEADERS, body=event_body(0))
    for _ in range(count):
        client.send(request, 10.0)
    signal.pause()


def _cpu_ms(pid: int, endpoint: Endpoint, count: int) -> float:
    """Processor time for each message, from the first tenth of them on."""
    endpoint.expect(count // 10, 60)
    before, spent = endpoint.count.value, _cpu_seconds(pid)
    endpoint.expect(count, 120)
    return (_cpu_seconds(pid) - spent) / float(count - before) * 1000


def _cpu_seconds(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


@contextmanager
def _serving(settings: Settings) -> Iterator[int]:
    """`hub serve` with the shipped files, as on a machine of its own; yields its pid."""
    port = free_port()
    own = {"DATABASE_URL": settings.database_url, "CLERK_WEBHOOK_SIGNING_SECRET": SECRET, "PORT": str(port)}
    with _running("-m", "hub", "serve", **own, HUB_PASSWORD="the benchmark's own") as pid:
        wait_until_up(port)
        yield pid


@contextmanager
def _running(*arguments: str, **environment: str) -> Iterator[int]:
    """A Python program of this installation in a process of its own; yields its pid."""
    with subprocess.Popen(
        [sys.executable, *arguments],
        cwd=CHECKOUT,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            yield process.pid
        finally:
            process.terminate()
