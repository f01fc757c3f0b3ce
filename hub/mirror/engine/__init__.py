"""SQLAlchemy Core on three databases: the ways of each, and what they share."""
