"""The commands of the `hub` program, one file each, found by their name."""
