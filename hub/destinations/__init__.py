"""Places to send to, one file each; `base.py` says what a place must do."""
