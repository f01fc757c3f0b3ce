"""`hub worker`: deliveries alone."""

import click

from hub import startup


@click.command()
def command() -> None:
    """Deliver what is due; run as many as you like on PostgreSQL."""
    settings, serving = startup.prepare()
    startup.run_worker(settings, serving, ends_with_parent=False)
