"""Databases by their URLs and in their words, for the store and for mirrors: no driver is needed here."""
