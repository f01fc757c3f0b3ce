"""`hub serve`: web and worker together, for one machine or one dyno."""

import click

from hub.commands import Section
from hub.process import start
from hub.process.supervisor import supervise
from hub.web.server import listen, serve_web

SECTION = Section.RUN


@click.command(short_help="Receive, show and deliver, on one machine.")
def command() -> None:
    """Receive, show and deliver, in processes that are started again should they die."""
    settings, serving = start.prepare()
    listener = listen(settings.host, settings.port)
    start.announce(settings, listener.getsockname()[1])

    def web() -> None:
        serve_web(
            listener,
            settings.web_processes,
            lambda: start.make_app(settings, serving),
            ends_with_parent=True,
        )

    def worker() -> None:
        listener.close()
        start.run_worker(settings, serving, ends_with_parent=True)

    supervise({"web": web, "worker": worker})
