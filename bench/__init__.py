"""The hub's figures: each is a ratio of the hub to a plain counterpart, measured in one run."""
