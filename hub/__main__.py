"""The `hub` program: finds its commands by the names of the files in `commands/`."""

from __future__ import annotations

import errno
import importlib
import os
import pkgutil
import sys
from types import ModuleType
from typing import Any

import click

from hub import __version__
from hub.commands import Section
from hub.errors import ConfigError, HubError
from hub.humanize import did_you_mean
from hub.terminal.printing import inline

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""Errors of a file that standard output was redirected to."""


SHORT_HELP = 60
"""The most characters of a command's line: beside its name it fits into 80 columns."""


class Commands(click.Group):
    """The commands, each loaded only when it is asked for: most need neither Flask nor a database."""

    def make_context(self, *arguments: Any, **options: Any) -> click.Context:
        """Begin, with /dev/null for each standard stream that the caller closed."""
        open_standard_streams()
        return super().make_context(*arguments, **options)

    def list_commands(self, context: click.Context) -> list[str]:
        package = importlib.import_module("hub.commands")
        modules = pkgutil.iter_modules(package.__path__)
        return sorted(module.name.replace("_", "-") for module in modules if not module.ispkg)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in self.list_commands(context):
            return None
        command: click.Command = _module(name).command
        return command

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is meant, or end with a name that is close to one that is not there."""
        known = self.list_commands(context)
        if args[0] not in known and not args[0].startswith("-"):
            context.fail(f'there is no command "{inline(args[0])}"{did_you_mean(args[0], known)}')
        return super().resolve_command(context, args)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands by their sections, each with all of its line."""
        names = self.list_commands(context)
        width = max(map(len, names))
        for section in Section:
            own = [name for name in names if getattr(_module(name), "SECTION", Section.OPERATE) is section]
            if own:
                with formatter.section(section):
                    formatter.write_dl([(f"{name:<{width}}", _short_help(name)) for name in own])

    def invoke(self, context: click.Context) -> Any:
        """End a user's mistake with one clear message and exit code 1; our own bugs keep their traceback."""
        try:
            return super().invoke(context)
        except ConfigError as error:
            for problem in error.problems:
                click.echo(str(problem), err=True)
        except HubError as error:
            click.echo(f"hub: {error}", err=True)
        except BrokenPipeError:
            # Whoever read our output has seen enough (`hub deliveries | head`).
            _print_no_more()
        except OSError as error:
            if error.filename is not None or error.errno not in FULL:
                raise
            _print_no_more()
            click.echo(f"hub: the output cannot be written: {error.strerror}", err=True)
        raise click.exceptions.Exit(1)


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"hub.commands.{name.replace('-', '_')}")


def _short_help(name: str) -> str:
    command: click.Command = _module(name).command
    return command.get_short_help_str(SHORT_HELP)


def _print_no_more() -> None:
    """Keep Python from writing the rest when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def open_standard_streams() -> None:
    """Open /dev/null where a standard stream is closed: a database would get its number, then our words."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, open(number, "r" if number == 0 else "w", closefd=False))  # noqa: SIM115


@click.command(cls=Commands)
@click.version_option(__version__, prog_name="hub")
def main() -> None:
    """Receives signed webhooks, and delivers them to Slack, email and HTTP by the rules of one YAML file."""


if __name__ == "__main__":
    main()
