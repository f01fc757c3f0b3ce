"""Payloads that note which of their fields are read: a change in any other field changes no outcome."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class TracedObject(dict[str, Any]):
    """An object of a payload; `reads` gets the path of each key that is asked for, there or not."""

    def __init__(self, value: dict[str, Any], path: str, reads: set[str]) -> None:
        super().__init__({key: traced(item, f"{path}.{key}", reads) for key, item in value.items()})
        self._path = path
        self._reads = reads

    def __getitem__(self, key: str) -> Any:
        self._note((key,))
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        self._note((key,))
        return super().__contains__(key)

    def get(self, key: str, default: Any = None) -> Any:
        self._note((key,))
        return super().get(key, default)

    def items(self) -> Any:
        self._note(self)
        return super().items()

    def values(self) -> Any:
        self._note(self)
        return super().values()

    def _note(self, keys: Iterable[object]) -> None:
        self._reads.update(f"{self._path}.{key}" for key in keys)


# Errors of templates name the type of a value.
TracedObject.__name__, TracedObject.__module__ = "dict", "builtins"


def traced(value: Any, path: str, reads: set[str]) -> Any:
    """Return a JSON value whose objects note what is read; `path` is its own, with `[]` for items."""
    if isinstance(value, dict):
        return TracedObject(value, path, reads)
    if isinstance(value, list):
        return [traced(item, f"{path}[]", reads) for item in value]
    return value
