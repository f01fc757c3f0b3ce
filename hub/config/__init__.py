"""The sections of routes.yaml, one module each: what users write there, and how it is read."""
