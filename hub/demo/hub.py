"""The hub of a demo, in processes of its own: `python -m hub.demo.hub SOCKET ADDRESS...`.

Web and worker are those of `hub serve`, on a socket that is already listening, sending to the given
addresses and nowhere else.
"""

from __future__ import annotations

import os
import signal
import socket
import sys

from hub.demo.confine import confined
from hub.demo.mirror import with_mirror
from hub.model.config import Config
from hub.process import start
from hub.process.supervisor import supervise
from hub.web.server import serve_web


def main() -> None:
    """Serve until told to stop, or until the demo is gone."""
    descriptor, *addresses = sys.argv[1:]
    _end_with_demo()
    listener = socket.socket(fileno=int(descriptor))

    def adapt(config: Config) -> Config:
        return with_mirror(confined(config, addresses))

    settings, serving = start.prepare(adapt)

    def web() -> None:
        serve_web(listener, 1, lambda: start.make_app(settings, serving, adapt), ends_with_parent=True)

    def worker() -> None:
        listener.close()
        start.run_worker(settings, serving, adapt, ends_with_parent=True)

    supervise({"web": web, "worker": worker})


def _end_with_demo() -> None:
    """Stop when the parent dies, without a thread: what is forked here must have none."""
    parent = os.getppid()

    def check_parent(number: int, frame: object) -> None:
        if os.getppid() != parent:
            signal.setitimer(signal.ITIMER_REAL, 0)
            os.kill(os.getpid(), signal.SIGTERM)

    signal.signal(signal.SIGALRM, check_parent)
    signal.setitimer(signal.ITIMER_REAL, 0.5, 0.5)


if __name__ == "__main__":
    main()
