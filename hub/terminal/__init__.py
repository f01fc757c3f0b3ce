"""Prints for commands: tables, problems with their lines, reports for CI."""
