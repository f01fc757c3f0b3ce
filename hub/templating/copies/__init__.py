"""The built-in message as templates, which users take to begin their own from."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files

SUFFIXES: Mapping[str, tuple[str, ...]] = {
    "slack": (".j2", ".blocks.yaml"),
    "email": (".html.j2", ".txt.j2"),
    "text": (".j2",),
}
"""By the kind of message: the endings of the files that draw `summary` as the built-in message does."""


def copies(kind: str, name: str) -> dict[str, str]:
    """Return the templates of a kind by their paths below `templates/`, for `template: kind/name`."""
    folder = files(__name__)
    return {
        f"{kind}/{name}{suffix}": folder.joinpath(f"{kind}{suffix}").read_text(encoding="utf-8")
        for suffix in SUFFIXES[kind]
    }
