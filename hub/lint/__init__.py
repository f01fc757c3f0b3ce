"""Routes and templates against the event catalog: what is right in itself but not what its author wants."""

from __future__ import annotations

from hub.lint.checker import check_fields
from hub.lint.routes import check_routes, route_places
from hub.model.config import Config
from hub.model.problem import Problem
from hub.yamldoc import Document


def check(config: Config, document: Document, templates_folder: str, *, is_whole: bool) -> list[Problem]:
    """What only the catalog and all routes together can tell; at a start these are warnings.

    `document` has the places. `is_whole` is false where parts of the file were wrong and are not in `config`:
    then nothing is said to be unused or unreachable. A route's `allow` silences codes for that route.
    """
    return [
        *check_routes(config, document, is_whole=is_whole),
        *check_fields(config, document, templates_folder, route_places(document)),
    ]


__all__ = ["check"]
