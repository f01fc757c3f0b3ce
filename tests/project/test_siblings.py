"""A new destination, source or command is one new file or folder: siblings never import each other."""

from __future__ import annotations

import grimp
import pytest

SHARED = {"hub.destinations.base", "hub.sources.base"}
"""The contracts that siblings are made from."""

A_KIND_OF = {("hub.sources.clerk", "hub.sources.svix"), ("hub.commands.sync", "hub.commands.mirror")}
"""Clerk is Svix with typed events; `hub sync` has its own commands in a folder."""


def sibling_imports(folder: str) -> set[tuple[str, str]]:
    graph = grimp.build_graph("hub", exclude_type_checking_imports=True, cache_dir=None)
    siblings = graph.find_children(folder) - SHARED
    home = {module: sibling for sibling in siblings for module in {sibling, *graph.find_descendants(sibling)}}

    assert len(siblings) > 1
    return {
        (home[module], home[imported])
        for module in home
        for imported in graph.find_modules_directly_imported_by(module)
        if home.get(imported, home[module]) != home[module]
    }


@pytest.mark.parametrize("folder", ["hub.commands", "hub.destinations", "hub.sources"])
def test_siblings_do_not_import_each_other(folder: str) -> None:
    assert sibling_imports(folder) - A_KIND_OF == set()
