"""Processes of the hub: how they start, who looks after them, what they log."""
