"""Whether all is well, and who is told where it is not."""
