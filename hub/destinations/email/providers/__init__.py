"""Mail services with an HTTP API, one file each, named as users write it under `provider`."""
