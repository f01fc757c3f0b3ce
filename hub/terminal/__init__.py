"""Output of commands: tables, problems with their lines, reports for CI."""
