"""A mirror on its destination's page: each table's rows, when it was filled and compared, what differs."""

from __future__ import annotations

from dataclasses import dataclass

from hub.health.facts import Facts
from hub.model.config import Config
from hub.model.mirror import MirrorTable
from hub.rules.mirrors import fed_tables, mirrored_tables
from hub.sync.lists import LISTED_TABLES

EVENTS_ALONE = "from events alone: neither filled nor compared"
UNFED = "no route feeds it whole: neither filled nor compared"


@dataclass(frozen=True, kw_only=True)
class MirrorLine:
    """One table of a mirror. `note` says why it is neither filled nor compared; empty where it is."""

    table: MirrorTable
    note: str = ""


def mirror_lines(name: str, config: Config, facts: Facts) -> list[MirrorLine]:
    """Return a line for each table of a mirror; none for a destination that is no mirror."""
    if name not in config.mirrors:
        return []
    known = facts.store.mirrors.tables.get(name, ()) if facts.store is not None else ()
    by_name = {table.name: table for table in known}
    fed = fed_tables(config, name)
    return [
        MirrorLine(
            table=by_name.get(table, MirrorTable(name=table)),
            note=EVENTS_ALONE if table not in LISTED_TABLES else "" if table in fed else UNFED,
        )
        for table in mirrored_tables(config, name)
    ]
