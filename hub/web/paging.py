"""Pages of lists: at most so many items, and at most 8 MiB, whichever comes first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Response, current_app

PAGE_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class IdPage:
    """The ids of a page; `has_more` says that another page follows.

    `resume` is where the search behind it ended unfinished; None where it is complete.
    """

    ids: Sequence[str]
    has_more: bool
    resume: str | None = None

    @property
    def next(self) -> str | None:
        """The cursor of the page that follows; None where this is the last."""
        return self.ids[-1] if self.has_more and self.ids else self.resume


def page_of(sizes: Sequence[tuple[str, int]], limit: int, resume: str | None = None) -> IdPage:
    """Return the first ids whose sizes go on a page; at least one. `sizes` were read one item further.

    `resume` is where the search for them ended unfinished.
    """
    ids: list[str] = []
    total = 0
    for id_, size in sizes[:limit]:
        total += size
        if ids and total > PAGE_BYTES:
            break
        ids.append(id_)
    return IdPage(ids=ids, has_more=len(ids) < len(sizes), resume=resume)


def answer_page(
    items: Iterable[tuple[str, dict[str, Any]]], following: str | None, read_until: datetime | None = None
) -> Response:
    """Answer a page of items, each with its cursor, as JSON.

    `following` is the cursor of the page behind them. What an item takes is known once it is written: a page
    that grows too long ends before, and the cursor is that of its last item. `read_until` is answered where
    a search has not read all that arrived.
    """
    texts: list[str] = []
    total, cursor = 0, None
    for next_cursor, item in items:
        text = current_app.json.dumps(item, separators=(",", ":"))
        total += len(text)
        if texts and total > PAGE_BYTES:
            following = cursor
            break
        texts.append(text)
        cursor = next_cursor
    further: dict[str, Any] = {"next": following}
    if read_until is not None:
        further["read_until"] = read_until
    body = f'{{"items":[{",".join(texts)}],{current_app.json.dumps(further, separators=(",", ":"))[1:]}\n'
    return current_app.response_class(body, mimetype="application/json")
