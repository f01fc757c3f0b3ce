"""Clerk's objects in the user's own database: their tables, made of the catalog, and all that writes them.

Two registers make a row: its columns are the newest version that was ever seen, `deleted_at` is the earliest
deletion. Neither touches the other, so the order of events, their repeats and crashes change nothing.
"""
