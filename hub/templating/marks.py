"""Marks of the fields of a send block that hold templates: in place, in a structure, or in files."""

from __future__ import annotations

from typing import Annotated

from hub.templating.flaws import StructureCheck, TextCheck


class Inline:
    """Mark of a field of a send block that is a template written in place.

    `filled` means that no value in it may be empty: `hub check` warns of those that can be.
    """

    def __init__(self, *, filled: bool = False, check: TextCheck | None = None) -> None:
        self.filled = filled
        self.check = check


class Structure:
    """Mark of a field of a send block that is a structure whose strings are templates.

    `is_body` is False where it stands beside the content of the message, as headers do. `filled` is as in
    `Inline`. With `of_deletions` set only events that delete an object are rendered with it, or only others.
    """

    def __init__(
        self,
        *,
        is_body: bool = True,
        filled: bool = False,
        of_deletions: bool | None = None,
        check: StructureCheck | None = None,
    ) -> None:
        self.is_body = is_body
        self.filled = filled
        self.of_deletions = of_deletions
        self.check = check


class TemplateName:
    """Mark of a field of a send block that names files under `templates/`.

    The field's text and each of the suffixes make a file name; at least one of those files must exist.
    `check` is for those of them that hold a structure, `text_check` for the others.
    """

    def __init__(
        self, *suffixes: str, check: StructureCheck | None = None, text_check: TextCheck | None = None
    ) -> None:
        self.suffixes = suffixes
        self.check = check
        self.text_check = text_check


InlineText = Annotated[str, Inline()]
