"""What the hub's figures are measured with: each is a ratio of the hub to a plain counterpart in one run."""
