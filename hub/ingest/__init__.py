"""From a request to rows: verify, route, and keep the event together with all it owes."""
