"""The demo: the whole hub on this machine, with small fakes of the services it sends to."""
