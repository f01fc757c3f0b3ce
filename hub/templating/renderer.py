"""The templates of one send block, as a destination asks for them while it puts a message together."""

from __future__ import annotations

from typing import Any, Protocol

from hub.model.summary import Summary
from hub.templating.escapes import Escape


class Renderer(Protocol):
    """The templates of one send block, with the variables of one event in scope.

    `name` is what an error calls a template. Every method that renders raises TemplateError.
    """

    def text(self, source: str, escape: Escape, *, name: str) -> str:
        """Render a template written in place."""

    def structure(self, value: Any, escape: Escape, *, name: str) -> Any:
        """Render every string in a structure; its shape stays."""

    def file(self, name: str, escape: Escape) -> str:
        """Render a file below the templates folder."""

    def exists(self, name: str) -> bool:
        """Return True if there is such a file."""

    def source(self, name: str) -> str:
        """Return the text of such a file, unrendered: for one that holds a structure."""

    def is_open(self, text: str) -> bool:
        """Return True where a rendered text holds a `${NAME}`, whose value is known when it is sent."""

    def within(self, text: str, escape: Escape) -> str:
        """Return a text of another kind that was made of rendered ones, to be filled in with its own escape.

        So values of variables are escaped in it as all else is: `plain` for a text that was taken out of
        markup, `as_json` for a structure that was dumped.
        """

    @property
    def event_type(self) -> str:
        """The type of the event."""

    @property
    def link(self) -> str:
        """The URL of the event on the status page, or nothing."""

    def summary(self) -> Summary:
        """Return the built-in words for the event, for everything that a send block leaves out."""
