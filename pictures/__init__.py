"""Pictures of the built-in messages and of every page, from what the hub itself makes: `make pictures`."""
