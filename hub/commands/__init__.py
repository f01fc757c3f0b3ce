"""The commands of the `hub` program, one file each, found by their name."""

from enum import StrEnum


class Section(StrEnum):
    """A part of the list of commands. Each command's file says to which it belongs."""

    RUN = "Run"
    WRITE = "Write and try routes"
    LOOK = "Look"
    OPERATE = "Operate"
