"""The repositories of a transaction, one for each noun."""
