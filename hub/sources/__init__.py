"""Senders, one file each; `base.py` says what a sender must do."""
