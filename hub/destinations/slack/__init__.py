"""Slack, in a folder of its own: `destination.py` is the type."""

from hub.destinations.slack.destination import SlackDestination

__all__ = ["SlackDestination"]
