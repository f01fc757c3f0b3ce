"""Sources by type, one file each; `base.py` is their contract."""
