"""Types that are found by the names of their files: a new source or destination is one new file or folder."""

from __future__ import annotations

import importlib
import pkgutil
from typing import TypeVar

T = TypeVar("T")


def type_names(package: str) -> tuple[str, ...]:
    """Return the types of a package, sorted: the names of the files and folders beside its `base`."""
    modules = pkgutil.iter_modules(importlib.import_module(package).__path__)
    return tuple(sorted(module.name for module in modules if module.name != "base"))


def find_class(package: str, base: type[T], type_name: str) -> type[T] | None:
    """Return the class whose `type` has that name; None for a type that no file or folder is named after.

    In a folder its module is called as `base` is: `slack/destination.py`.
    """
    if type_name not in type_names(package):
        return None
    module = importlib.import_module(f"{package}.{type_name}")
    if hasattr(module, "__path__"):
        module = importlib.import_module(f"{module.__name__}.{base.__name__.lower()}")
    return next(
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, base) and vars(value).get("type") == type_name
    )
