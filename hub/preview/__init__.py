"""What the rules would do: renderings, test cases and differences; sends nothing."""
