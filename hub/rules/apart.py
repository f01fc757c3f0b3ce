"""Work in a process of its own: what it loads and caches is gone with it, and a hub at rest stays small."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any


def apart(work: Callable[[], Any]) -> Any:
    """Return the JSON value that a function gives in a child process; None where the child dies of it."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            with open(writer, "wb", closefd=False) as pipe:
                pipe.write(json.dumps(work()).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader, "rb") as pipe:  # noqa: PTH123 - as above
        content = pipe.read()
    os.waitpid(child, 0)
    return json.loads(content) if content else None
