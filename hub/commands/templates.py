"""`hub templates`: the templates and who uses them; the built-in message as one, to begin your own from."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from hub.commands import Section
from hub.errors import HubError
from hub.humanize import enumerated
from hub.rules.load import load_config
from hub.rules.template_uses import TemplateUse, template_uses
from hub.settings import load_settings
from hub.templating.copies import SUFFIXES, copies
from hub.terminal.printing import inline, say, say_json
from hub.terminal.table import table, terminal_width

SECTION = Section.WRITE

_NAME = re.compile(r"[A-Za-z0-9_][\w-]{0,79}", re.ASCII)

HINT = "hub templates copy slack (or email, text) writes the built-in message as a template of your own"


@click.group("templates", invoke_without_command=True, short_help="List your templates; copy one.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for tools.")
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """List your templates and who uses them.

    \b
    Examples:
      hub templates
      hub templates copy slack welcome
    """
    if context.invoked_subcommand is not None:
        return
    settings = load_settings()
    config = load_config(settings.config_path, settings.templates_path, settings.environment)
    uses = template_uses(config)
    if as_json:
        say_json(list(map(_entry, uses)))
        return
    for line in _listing(uses, settings.templates_path.as_posix()):
        say(line)


def _listing(uses: Sequence[TemplateUse], folder: str) -> list[str]:
    if not uses:
        return [f"there is no template in {folder}", HINT]
    rows = [(inline(use.file), inline(_users(use))) for use in uses]
    return [*table(("TEMPLATE", "USED BY"), rows, terminal_width()), "", HINT]


def _users(use: TemplateUse) -> str:
    users = [*(f"{route} → {destination}" for route, destination in use.sends), *use.files]
    return ", ".join(users) or "nothing"


def _entry(use: TemplateUse) -> dict[str, Any]:
    return {
        "file": use.file,
        "used_by": [{"route": route, "destination": destination} for route, destination in use.sends],
        "included_by": list(use.files),
    }


@command.command("copy")
@click.argument("kind", type=click.Choice(list(SUFFIXES)))
@click.argument("name", default="message")
def copy(kind: str, name: str) -> None:
    """Write the built-in message as a template of your own: templates/KIND/NAME.

    slack, email, or text for console and http. A file that is there is not overwritten.
    """
    if not _NAME.fullmatch(name):
        raise click.BadParameter(
            f'"{inline(name)}" is no name of a template; write letters, digits, "-" and "_", such as message',
            param_hint="'NAME'",
        )
    folder = load_settings().templates_path
    texts = copies(kind, name)
    existing = [path for path in map(folder.joinpath, texts) if os.path.lexists(path)]
    if existing:
        raise HubError(
            f"{enumerated([path.as_posix() for path in existing])} {'is' if len(existing) == 1 else 'are'} "
            f"there already and not overwritten; give another NAME: hub templates copy {kind} NAME"
        )
    for file, text in texts.items():
        _write(folder / file, text)
        say(f"wrote {(folder / file).as_posix()}")
    say(f"use it in a send block: template: {kind}/{name}")


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise HubError(f"cannot write {path}: {error.strerror}") from error
