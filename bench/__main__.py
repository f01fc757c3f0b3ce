"""`python -m bench [WORD ...]`: measures the figures whose name holds one of the words, and prints a table.

Without a word it measures all that have a goal and writes `results.md`; a part of them changes no file.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from functools import partial

from bench import clients, cost, latency, rates, results
from bench.apart import Measure, end_in_order, measure_apart
from bench.databases import postgres
from bench.figure import Figure
from bench.isolation import isolation
from bench.machine import describe
from bench.mail import mailed
from bench.matching import matched
from bench.mirroring import events_mirrored, pages_written
from bench.reads import reads
from bench.scale import backlog, memory

MeasureOn = Callable[..., Figure | Iterable[Figure]]

ON_BOTH: dict[str, MeasureOn] = {
    "accepted": rates.accepted,
    "slow-clients": clients.beside_slow_clients,
    "threads": clients.beside_threads,
    "answered": clients.answered,
    "drained": rates.drained,
    "rendered": rates.rendered,
    "end-to-end": rates.end_to_end,
    "fan-out": rates.fan_out_10,
    "share": cost.workers_share,
    "logged": rates.logged,
    "arrival": latency.arrival,
    "slack-arrival": latency.slack_arrival,
    "backlog": backlog,
    "isolation": isolation,
    "mailed": mailed,
    "memory": memory,
    "pages-mirrored": pages_written,
    "events-mirrored": events_mirrored,
    "at-rest": cost.at_rest,
    "reads": reads,
}
"""Figures that each database has, by the name that picks them."""


def measurements(postgres_url: str) -> dict[str, Measure]:
    """Return everything with a goal, by the name that picks it."""
    return {**_on_both(ON_BOTH, postgres_url), "match": matched}


def _on_both(measures: dict[str, MeasureOn], postgres_url: str) -> dict[str, Measure]:
    return {
        f"{name}-{database}": partial(measure, url)
        for name, measure in measures.items()
        for database, url in (("sqlite", None), ("postgres", postgres_url))
    }


def main(words: list[str]) -> int:
    """Return 0 once all was measured, goals reached or not; 1 for a failure, 2 for an unknown name."""
    end_in_order()
    began = time.monotonic()
    with postgres() as url:
        machine = describe(url)
        known = measurements(url)
        wanted = {name: measure for name, measure in known.items() if _is_asked_for(name, words)}
        if not wanted:
            print(f"no figure has such a name; there are {', '.join(known)}", file=sys.stderr)
            return 2
        print(", ".join(f"{name} {value}" for name, value in machine.items()))
        print(results.HEADING, flush=True)
        measured, failed = _measure_all(wanted)
    if words or failed:
        print(f"{results.RESULTS.name} was left as it is: only a whole run writes it")
    else:
        minutes = (time.monotonic() - began) / 60
        results.RESULTS.write_text(results.markdown(measured, machine, minutes))
        print(f"{results.RESULTS.name} was written, after {minutes:.0f} minutes")
    return 1 if failed else 0


def _measure_all(wanted: dict[str, Measure]) -> tuple[list[Figure], list[str]]:
    """Return the figures, each printed as soon as it is known, and the names of those that failed."""
    measured, failed = [], []
    for name, measure in wanted.items():
        try:
            for figure in measure_apart(measure):
                print(results.line(figure), flush=True)
                measured.append(figure)
        except (TimeoutError, RuntimeError) as error:
            print(f"{name}: not measured: {error}", flush=True)
            failed.append(name)
    return measured, failed


def _is_asked_for(name: str, words: list[str]) -> bool:
    return not words or any(word in name for word in words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
