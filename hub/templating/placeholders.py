"""`${NAME}` in the texts of routes.yaml: a value of the environment, never template source.

A condition is bound to the values. A message is rendered with a random mark for each `${NAME}`, which no
escape changes and no event can hold; it is kept with its marks, and filled in whenever it is sent.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jinja2 import nodes

from hub.errors import VariableNotSet
from hub.model.delivery import MARKS, Message
from hub.strings import map_strings
from hub.templating.escapes import Escape
from hub.templating.filters import JsonText

OPENING = re.compile(r"\$\$\{|\$\{(?!\{)")
VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")

Marks = dict[str, list[str | None]]
"""The marks of a message: of each the variable's name, its default, and the name of the escape there."""

_JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_LITERAL = re.compile(r"\$\{[^}]*\}|'(?:[^'\\]|\\.)*'|" + _QUOTED, re.DOTALL)
"""A default, in which a quote begins no text; or a text in quotes."""

_MARK_BYTES = 10
_SHORTEST_CUT = 6
"""Characters of a mark that was cut short which are known for its beginning."""


@dataclass(frozen=True, kw_only=True)
class Placeholder:
    """A `${NAME}` or `${NAME:-default}` in a text."""

    name: str
    default: str | None = None

    def value(self, environment: Mapping[str, str]) -> str | None:
        """Return what stands for it; None where it is not set. An empty variable counts as unset."""
        return environment.get(self.name) or self.default

    @property
    def identifier(self) -> str:
        """The name of its value in a condition: the same for the same, and of nothing else."""
        return f"__{self.name}" + ("" if self.default is None else f"__{self.default.encode().hex()}")


def split(text: str) -> Iterator[str | Placeholder]:
    """Yield the parts of a text in order; `$${` is `${` in them, and a `${` that is no variable stays."""
    index = 0
    while opening := OPENING.search(text, index):
        yield text[index : opening.start()]
        index = opening.end()
        variable = VARIABLE.match(text, opening.start())
        if variable is None:
            yield "${"
        else:
            index = variable.end()
            yield Placeholder(name=variable[1], default=variable[2])
    yield text[index:]


def malformed_at(text: str) -> int | None:
    """Return the offset of the first `${` that begins no variable; None where there is none."""
    index = 0
    while opening := OPENING.search(text, index):
        variable = VARIABLE.match(text, opening.start())
        if variable is None and opening[0] != "$${":
            return opening.start()
        index = variable.end() if variable else opening.end()
    return None


def inside_at(template: str) -> int | None:
    """Return the offset of the first `${NAME}` that touches a `{{ }}` or `{% %}`; None where none does."""
    tags = [tag.span() for tag in _JINJA.finditer(template)]
    for variable in VARIABLE.finditer(template):
        if any(start < variable.end() and variable.start() < end for start, end in tags):
            return variable.start()
    return None


def bind(condition: str) -> tuple[str, tuple[Placeholder, ...]]:
    """Return a condition with an identifier for each `${NAME}`, and the variables that it needs.

    Within quotes a `${NAME}` is a part of that text.
    """
    bound: list[Placeholder] = []

    def named(piece: str | Placeholder) -> str:
        if isinstance(piece, str):
            return piece
        bound.append(piece)
        return piece.identifier

    pieces, index = [], 0
    for literal in _LITERAL.finditer(condition):
        if literal[0][0] == "$":
            continue
        pieces += [named(piece) for piece in split(condition[index : literal.start()])]
        quote, text = literal[0][0], literal[0][1:-1]
        parts = [piece for piece in split(text) if piece]
        if any(isinstance(part, Placeholder) for part in parts):
            joined = " ~ ".join(
                named(part) if isinstance(part, Placeholder) else f"{quote}{part}{quote}" for part in parts
            )
            pieces.append(f"({joined})")
        else:
            pieces.append(f"{quote}{''.join(map(str, parts))}{quote}")
        index = literal.end()
    pieces += [named(piece) for piece in split(condition[index:])]
    return "".join(pieces), tuple(bound)


def placed(tree: nodes.Template, escape: Escape) -> nodes.Template:
    """Put a call of `mark` for each `${NAME}` of a template's plain text into its syntax tree."""
    for output in list(tree.find_all(nodes.Output)):
        output.nodes = [part for node in output.nodes for part in _parts(node, escape)]
    return tree


def mark(context: Any, name: str, default: str | None, escape: str) -> JsonText:
    """Return the mark that stands for a variable in the message that is being rendered."""
    marks: Marks = context.get(MARKS)
    place = [name, default, escape]
    known = next((text for text, its_place in marks.items() if its_place == place), None)
    if known is None:
        known = f"v{secrets.token_hex(_MARK_BYTES)}"
        marks[known] = place
    # Letters and digits need no escape, so none may put quotes around them.
    return JsonText(known)


def quoted(text: str, marks: Marks) -> str:
    """Put marks outside of a JSON text's strings into quotes: there a `{{ }}` prints them, too."""
    if not marks:
        return text
    pattern = re.compile(f"{_QUOTED}|({'|'.join(marks)})", re.DOTALL)
    return pattern.sub(lambda matched: f'"{matched[1]}"' if matched[1] else matched[0], text)


def with_escape(text: str, marks: Marks, escape: str) -> str:
    """Return a text with marks for another escape: its own was undone, or it was put into other text."""
    for known, (name, default, _) in list(marks.items()):
        if known in text:
            text = text.replace(known, mark({MARKS: marks}, str(name), default, escape))
    return text


def of_another_kind(message: Message, escape: Escape) -> Message:
    """Return a kept message whose texts were made into another kind, whose escape its variables then get."""
    if MARKS not in message:
        return message
    marks = {known: [name, default, escape.__name__] for known, (name, default, _) in message[MARKS].items()}
    return {**message, MARKS: marks}


def is_marked(text: str, marks: Marks) -> bool:
    """Return True where a mark stands in the text: what it will be is not known yet."""
    return any(known in text for known in marks)


def with_marks(message: Message, marks: Marks) -> Message:
    """Return a rendered message to be kept: with its marks, and without what was cut off of any."""
    if not marks:
        return message
    cuts = (f"{known[:_SHORTEST_CUT]}[0-9a-f]{{0,{len(known) - _SHORTEST_CUT - 1}}}…" for known in marks)
    pattern = re.compile("|".join(cuts))
    return {**map_strings(message, lambda text: pattern.sub("…", text)), MARKS: marks}


def filled(message: Message, environment: Mapping[str, str], escapes: Mapping[str, Escape]) -> Message:
    """Return a message as it is to be sent, each value escaped for its place.

    `escapes` are those that its marks name. Raises VariableNotSet with every name that has no value.
    """
    values: dict[str, str] = {}
    unset: list[str] = []
    for known, (name, default, escape) in message[MARKS].items():
        value = Placeholder(name=name, default=default).value(environment)
        if value is None:
            unset.append(name)
        else:
            values[known] = escapes[escape](value)
    if unset:
        raise VariableNotSet(tuple(dict.fromkeys(unset)))
    return _replaced(message, values.__getitem__)


def shown(message: Message) -> Message:
    """Return a message as it may be shown: `${NAME}` wherever it has a mark."""
    if MARKS not in message:
        return message
    names = {known: f"${{{name}}}" for known, (name, _, _) in message[MARKS].items()}
    return _replaced(message, names.__getitem__)


def _replaced(message: Message, text_of: Callable[[str], str]) -> Message:
    pattern = re.compile("|".join(message[MARKS]))
    rest = {key: value for key, value in message.items() if key != MARKS}
    replaced: Message = map_strings(rest, lambda text: pattern.sub(lambda matched: text_of(matched[0]), text))
    return replaced


def _parts(node: nodes.Expr, escape: Escape) -> Iterator[nodes.Expr]:
    """Yield the parts of a printed node: of plain text the pieces between its variables, and those."""
    if not isinstance(node, nodes.TemplateData):
        yield node
        return
    for piece in split(node.data):
        if isinstance(piece, str):
            yield nodes.TemplateData(piece, lineno=node.lineno)
        else:
            place = (nodes.Const(part) for part in (piece.name, piece.default, escape.__name__))
            function = nodes.EnvironmentAttribute("mark", lineno=node.lineno)
            arguments: list[nodes.Expr] = [nodes.ContextReference(), *place]
            yield nodes.Call(function, arguments, [], None, None, lineno=node.lineno)
