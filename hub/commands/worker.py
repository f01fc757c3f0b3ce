"""`hub worker`: deliveries alone."""

import click

from hub.commands import Section
from hub.process import start

SECTION = Section.RUN


@click.command(short_help="Deliver, but receive nothing.")
def command() -> None:
    """Deliver what is due; run as many as you like on PostgreSQL."""
    settings, serving = start.prepare()
    start.run_worker(settings, serving, ends_with_parent=False)
