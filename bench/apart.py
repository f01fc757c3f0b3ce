"""Each figure in a process of its own: what it forks inherits nothing of the figures before."""

from __future__ import annotations

import multiprocessing
import signal
import sys
from collections.abc import Callable, Iterable
from multiprocessing.connection import Connection

from bench.figure import Figure

Measure = Callable[[], Figure | Iterable[Figure]]


def measure_apart(measure: Measure) -> list[Figure]:
    """Return the figures of a process of its own; raise TimeoutError or RuntimeError for its failure."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_send_figures, args=(measure, there))
    process.start()
    there.close()
    try:
        result = here.recv()
    except EOFError:
        raise RuntimeError("its process ended") from None
    except BaseException:
        process.terminate()
        raise
    finally:
        process.join()
    if isinstance(result, Exception):
        raise result
    return list(result)


def end_in_order() -> None:
    """Let a SIGTERM end what was started, too."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def _send_figures(measure: Measure, to: Connection) -> None:
    end_in_order()
    try:
        measured = measure()
        to.send([measured] if isinstance(measured, Figure) else list(measured))
    except (TimeoutError, RuntimeError) as error:
        to.send(error)
