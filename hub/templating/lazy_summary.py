"""`summary` as templates and conditions see it: made once, when the first of them names a part of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from hub.model.summary import Summary

PARTS = ("headline", "about", "tone", "fields", "note", "details", "time", "at")


class SummaryField(dict[str, str]):
    """A field of a summary, with its `label` and its `value`; a loop over two names takes these."""

    def __iter__(self) -> Iterator[str]:
        return iter(self.values())


@dataclass(frozen=True, eq=False, repr=False)
class LazySummary(Mapping[str, Any]):
    """The built-in words for one event; printed, the headline. Each of `fields` has a label and a value."""

    make: Callable[[], Summary]

    @cached_property
    def _values(self) -> Mapping[str, Any]:
        summary = self.make()
        return {
            "headline": summary.headline,
            "about": summary.about,
            "tone": summary.tone.value,
            "fields": [SummaryField(label=label, value=value) for label, value in summary.fields],
            "note": summary.note,
            "details": summary.details,
            "time": summary.time,
            "at": summary.at,
        }

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(PARTS)

    def __len__(self) -> int:
        return len(PARTS)

    def __str__(self) -> str:
        return str(self["headline"])

    def __repr__(self) -> str:
        return repr(str(self))
