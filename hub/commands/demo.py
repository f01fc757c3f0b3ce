"""`hub demo`: the whole hub on this machine with no account."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from hub.commands import Section
from hub.demo.fakes import Fakes
from hub.demo.run import run_demo

SECTION = Section.RUN

DEADLINE_SECONDS = 60.0
"""By then everything has arrived, or the demo says what has not. It takes seconds; a machine may be busy."""


@click.command(short_help="Run the whole hub on this machine, with no account.")
@click.option("--exit", "exits", is_flag=True, help="Stop once all is delivered; 0 only if all arrived.")
def command(exits: bool) -> None:
    """Run the whole hub on this machine, with stand-ins for Slack, email and HTTP, and show what arrives.

    The routes are those of config/routes.yaml. Nothing is sent to a real destination, whatever the
    environment holds.
    """
    deadline = time.monotonic() + DEADLINE_SECONDS
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        with (
            TemporaryDirectory(prefix="hub-demo-", ignore_cleanup_errors=True) as folder,
            Fakes() as fakes,
        ):
            everything_arrived = run_demo(Path(folder), fakes, deadline, exits=exits)
    except KeyboardInterrupt:
        raise click.exceptions.Exit(130) from None
    if not everything_arrived:
        raise click.exceptions.Exit(1)
