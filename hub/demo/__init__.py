"""Stand-ins that speak the real protocols on loopback, for `hub demo` and the tests."""
