"""The database: `store.py` is what the hub asks of it, `engine/sqlite.py` and `engine/postgres.py` answer."""
