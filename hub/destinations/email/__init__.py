"""Email, in a folder of its own: `destination.py` is the type."""

from hub.destinations.email.destination import EmailDestination

__all__ = ["EmailDestination"]
