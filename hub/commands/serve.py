"""`hub serve`: web and worker together, for one machine or one dyno."""

import click

from hub import startup
from hub.supervise import supervise
from hub.web.server import listen, serve_web


@click.command()
def command() -> None:
    """Receive, show and deliver, in processes that are started again should they die."""
    settings, serving = startup.prepare()
    listener = listen(settings.host, settings.port)
    startup.announce(settings, listener.getsockname()[1])

    def web() -> None:
        serve_web(
            listener,
            settings.web_processes,
            lambda: startup.make_app(settings, serving),
            ends_with_parent=True,
        )

    def worker() -> None:
        listener.close()
        startup.run_worker(settings, serving, ends_with_parent=True)

    supervise({"web": web, "worker": worker})
