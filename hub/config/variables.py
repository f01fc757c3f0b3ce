"""`${NAME}` in the values of routes.yaml -> the values of the environment.

Values are replaced after the YAML is parsed, one by one, so what a variable holds can never change what the
file means. `${NAME:-default}` ends at the first `}`; `$${` is a literal `${`; `${{` is a dollar sign before a
template's expression, because no name can begin with a brace. A variable that is empty counts as unset.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hub.yamldoc import Path

_OPENING = re.compile(r"\$\$\{|\$\{(?!\{)")
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")

MALFORMED = 'this "${" begins no variable: write ${NAME} or ${NAME:-default}, or "$${" for the text "${"'


@dataclass(frozen=True, kw_only=True)
class Replaced:
    """A text that held `${`. `set` and `unset` are the names in it; `malformed` where one has no form.

    In `text` an unset variable is nothing.
    """

    text: str
    set: tuple[str, ...] = ()
    unset: tuple[str, ...] = ()
    malformed: int | None = None


def replace(text: str, environment: Mapping[str, str]) -> Replaced:
    """Return a text with its variables replaced."""
    pieces: list[str] = []
    is_set: dict[str, bool] = {}
    malformed: int | None = None
    index = 0
    while opening := _OPENING.search(text, index):
        pieces.append(text[index : opening.start()])
        index = opening.end()
        variable = _VARIABLE.match(text, opening.start())
        if opening[0] == "$${":
            pieces.append("${")
        elif variable is None:
            malformed = opening.start() if malformed is None else malformed
            pieces.append("${")
        else:
            index = variable.end()
            value = environment.get(variable[1]) or variable[2]
            is_set[variable[1]] = value is not None
            pieces.append(value or "")
    return Replaced(
        text="".join([*pieces, text[index:]]),
        set=tuple(name for name in is_set if is_set[name]),
        unset=tuple(name for name in is_set if not is_set[name]),
        malformed=malformed,
    )


def replace_all(value: Any, environment: Mapping[str, str]) -> tuple[Any, dict[Path, Replaced]]:
    """Return a tree with the variables of all its texts replaced, and every text that held `${` by its path.

    Keys are left as they are.
    """
    texts: dict[Path, Replaced] = {}

    def walk(node: Any, path: Path) -> Any:
        if isinstance(node, dict):
            return {key: walk(item, (*path, key)) for key, item in node.items()}
        if isinstance(node, list):
            return [walk(item, (*path, index)) for index, item in enumerate(node)]
        if not isinstance(node, str) or "${" not in node:
            return node
        texts[path] = replace(node, environment)
        return texts[path].text

    return walk(value, ()), texts
