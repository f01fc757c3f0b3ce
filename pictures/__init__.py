"""Pictures of the built-in messages, from the payloads that the hub makes: `make pictures`."""
