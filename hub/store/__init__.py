"""The database: `store.py` is what the hub asks of it, `sqlite.py` and `postgres.py` answer."""
