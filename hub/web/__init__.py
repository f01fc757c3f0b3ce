"""The hub over HTTP: sources' paths, health, metrics, the API and the status page."""

from hub.web.app import create_app
from hub.web.links import new_link

__all__ = ["create_app", "new_link"]
