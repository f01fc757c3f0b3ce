"""Http, in a folder of its own: `destination.py` is the type."""

from hub.destinations.http.destination import HttpDestination

__all__ = ["HttpDestination"]
