"""From rows to destinations: claim, render, send, settle."""
