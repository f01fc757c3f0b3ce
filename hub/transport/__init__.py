"""Sockets under a wall clock, and the HTTP and SMTP clients on them: no destination knows a socket."""
