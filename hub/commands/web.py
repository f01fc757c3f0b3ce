"""`hub web`: receiving and the status page alone."""

import click

from hub import startup
from hub.web.server import listen, serve_web


@click.command()
def command() -> None:
    """Receive webhooks and show the status page; deliveries need a `hub worker` beside it."""
    settings, serving = startup.prepare()
    listener = listen(settings.host, settings.port)
    startup.announce(settings, listener.getsockname()[1])
    serve_web(
        listener, settings.web_processes, lambda: startup.make_app(settings, serving), ends_with_parent=False
    )
