"""Destinations by type, one file or folder each; `base.py` is their contract."""
