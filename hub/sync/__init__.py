"""Clerk's Backend API beside what the hub received: a mirror is filled, compared and mended from it."""
