"""Events taken through the rules without sending: dry runs, test cases, diffs of configurations."""
