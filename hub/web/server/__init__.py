"""The server below the app: a listening socket, and gunicorn with a worker that no slow client holds up."""

from hub.web.server.listen import listen
from hub.web.server.serve import serve_web

__all__ = ["listen", "serve_web"]
