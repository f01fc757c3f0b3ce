"""A new destination, source or command is one new file: siblings never import each other."""

from __future__ import annotations

import grimp
import pytest

SHARED = {"base", "store"}
"""What siblings are made from; so is every module whose name begins with an underscore."""

A_KIND_OF = {("hub.sources.clerk", "hub.sources.svix")}
"""Clerk is Svix with typed events."""


@pytest.mark.parametrize("folder", ["commands", "destinations", "sources"])
def test_siblings_do_not_import_each_other(folder: str) -> None:
    graph = grimp.build_graph("hub", exclude_type_checking_imports=True)
    siblings = {
        module
        for module in graph.find_children(f"hub.{folder}")
        if not (name := module.rpartition(".")[2]).startswith("_") and name not in SHARED
    }
    imports = {
        (module, imported)
        for module in siblings
        for imported in graph.find_modules_directly_imported_by(module) & siblings
    }

    assert len(siblings) > 1
    assert imports - A_KIND_OF == set()
