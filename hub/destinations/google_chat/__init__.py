"""Google Chat: a space by its webhook."""
