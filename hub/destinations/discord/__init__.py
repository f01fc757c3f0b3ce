"""Discord: a channel by its webhook, or a thread in it."""
