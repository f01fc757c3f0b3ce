"""The type checker of templates and conditions, and checks of routes as wholes, against the event catalog.

`check_texts` is a library of its own: texts with their locations and event types in, diagnostics out. A text
is parsed to a tree with offsets (`parsing`), then read once for each type of event (`statements`,
`expressions`) with the variables of its type environment (`environments`). Mistakes are observed on the way;
`messages` turns the observations of all types of events into diagnostics.
"""

from hub.lint.checker import check_texts
from hub.lint.diagnostics import Diagnostic
from hub.lint.messages import SEND_NOUN
from hub.lint.paths import unknown_path
from hub.lint.positions import line_and_column
from hub.lint.routes import check_routes, event_types_of, route_paths
from hub.lint.texts import ANY_TYPE, Scope, Text, WholeEvent

__all__ = [
    "ANY_TYPE",
    "SEND_NOUN",
    "Diagnostic",
    "Scope",
    "Text",
    "WholeEvent",
    "check_routes",
    "check_texts",
    "event_types_of",
    "line_and_column",
    "route_paths",
    "unknown_path",
]
