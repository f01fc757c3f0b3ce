"""Clerk's objects in the user's own database: their tables, made of the catalog, and all that writes them.

Two registers make a row: its columns are the newest version that was ever seen, `deleted_at` is the earliest
deletion. Neither touches the other, so the order of events, their repeats and crashes change nothing.

An event becomes a change (`reading`), the mirror (`mirror`) looks whether its tables are there (`readiness`),
and it is written in two transactions (`changing`) by the statements of `writes`, `sets` and `parents`. A row
of a table of the user's own goes by `own_tables`. What a table that is there refuses is judged in `refusals`.
"""
