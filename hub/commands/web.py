"""`hub web`: receiving and the status page alone."""

import click

from hub.commands import Section
from hub.process import start
from hub.web.server import listen, serve_web

SECTION = Section.RUN


@click.command(short_help="Receive and show, but deliver nothing.")
def command() -> None:
    """Receive webhooks and show the status page; deliveries need a `hub worker` beside it."""
    settings, serving = start.prepare()
    listener = listen(settings.host, settings.port)
    start.announce(settings, listener.getsockname()[1])
    serve_web(
        listener, settings.web_processes, lambda: start.make_app(settings, serving), ends_with_parent=False
    )
