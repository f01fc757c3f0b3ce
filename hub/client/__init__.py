"""Clients of a running hub: its API for commands, and a sender that signs as Clerk does."""
