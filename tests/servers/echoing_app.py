"""`python echoing_app.py PORT`: the hub's web server around an app that answers with what it was asked."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable
from typing import Any

from hub.web.server import listen, serve_web
from hub.web.server.limits import Limits


def echo(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    try:
        body = environ["wsgi.input"].read()
    except Exception as error:  # noqa: BLE001 - gunicorn's stream raises more than OSError
        start_response("400 Bad Request", [("Content-Length", "0")])
        del error
        return []
    asked = [environ["REQUEST_METHOD"], environ["RAW_URI"], hashlib.sha256(body).hexdigest()]
    answer = json.dumps(asked).encode() + b"\n"
    start_response("200 OK", [("Content-Length", str(len(answer)))])
    return [answer]


if __name__ == "__main__":
    serve_web(
        listen("127.0.0.1", int(sys.argv[1])),
        1,
        lambda: echo,  # type: ignore[arg-type, return-value]
        ends_with_parent=False,
        limits=Limits(request_seconds=2.0),
    )
