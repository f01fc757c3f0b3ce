"""The two databases behind the store, and the way to each."""
