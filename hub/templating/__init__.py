"""Users' templates and conditions: the sandbox they run in, its limits, filters and escapes."""
