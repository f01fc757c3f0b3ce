"""Processes of the hub: their start, their supervisor and their log."""
