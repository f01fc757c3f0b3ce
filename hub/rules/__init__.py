"""The version of the user's files that serves: loaded, checked, and swapped in whole."""
