"""A database of the user's own: Clerk's objects as rows, or rows of a table that is there already."""
