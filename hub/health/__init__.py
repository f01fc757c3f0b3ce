"""The hub's own health: facts, the findings from them, and the messages that they give rise to."""
