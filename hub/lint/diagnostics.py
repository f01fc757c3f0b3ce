"""What the reading of one text found, for one type of event: not yet a problem, which names all of them."""

from __future__ import annotations

from dataclasses import dataclass

from hub.model.problem import Code

Mark = tuple[int, str]
"""An offset, and the name that is read there."""


@dataclass(frozen=True, kw_only=True)
class Remark:
    """One thing at one place. `offset` counts in the text that was read, `mark` tells it from others there.

    `subject` is the path or value that it is about, `detail` what else its sentence needs, `known` the names
    that may have been meant. A `weak` one counts only if its mark was found to be fine for no type of event.
    """

    offset: int
    mark: Mark
    code: Code
    subject: str
    detail: str = ""
    known: frozenset[str] = frozenset()
    weak: bool = False


class Notebook:
    """Collects remarks, and the places where what could have been wrong was fine."""

    def __init__(self) -> None:
        self.remarks: dict[Remark, None] = {}
        self.cleared: set[Mark] = set()

    def add(self, remark: Remark) -> None:
        self.remarks[remark] = None

    def clear(self, mark: Mark) -> None:
        self.cleared.add(mark)
