"""Servers on loopback that speak the real protocols and fail as they are told."""
