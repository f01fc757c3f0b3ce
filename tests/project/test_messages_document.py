"""docs/messages.md says what the built-in messages say."""

from __future__ import annotations

import re
from pathlib import Path

from pictures.messages import document

DOCS = Path(__file__).parents[2] / "docs"


def test_the_document_of_messages_is_as_make_pictures_writes_it() -> None:
    assert (DOCS / "messages.md").read_text(encoding="utf-8") == document()


def test_its_pictures_are_there() -> None:
    missing = [
        name for name in re.findall(r"\]\((pictures/[^)]+)\)", document()) if not (DOCS / name).exists()
    ]

    assert missing == []
