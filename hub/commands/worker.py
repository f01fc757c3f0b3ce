"""`hub worker`: deliveries alone."""

import click

from hub import startup


@click.command()
def command() -> None:
    """Deliver what is due; run as many as you like on PostgreSQL."""
    settings, rules = startup.prepare()
    startup.run_worker(settings, rules, ends_with_parent=False)
