"""The nouns of the hub, one file each: frozen values that every other package passes around."""
