"""What commands print: tables, problems with their lines, reports for CI."""
