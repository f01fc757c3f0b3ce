"""`hub demo`: the whole hub on this machine with no account."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from hub.demo.confine import confined, samples_to_send
from hub.demo.fakes import Fakes, new_signing_secret
from hub.demo.process import HubProcess, kept_environment
from hub.demo.show import Show
from hub.errors import HubError
from hub.model.config import Config
from hub.rules.load import load_config
from hub.settings import Settings, load_settings
from hub.terminal.printing import say, unset
from hub.web import new_link

DEADLINE_SECONDS = 15.0
"""By then everything has arrived, or the demo says what has not; it ends within 20 s."""


@click.command()
@click.option("--exit", "exits", is_flag=True, help="Stop once all is delivered; 0 only if all arrived.")
def command(exits: bool) -> None:
    """Run the whole hub on this machine, with stand-ins for Slack, email and HTTP, and show what arrives.

    The routes are those of config/routes.yaml. Nothing is sent to a real destination, whatever the
    environment holds.
    """
    deadline = time.monotonic() + DEADLINE_SECONDS
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        with (
            TemporaryDirectory(prefix="hub-demo-", ignore_cleanup_errors=True) as folder,
            Fakes() as fakes,
        ):
            everything_arrived = _run(Path(folder), fakes, deadline, exits)
    except KeyboardInterrupt:
        raise click.exceptions.Exit(130) from None
    if not everything_arrived:
        raise click.exceptions.Exit(1)


def _run(folder: Path, fakes: Fakes, deadline: float, exits: bool) -> bool:
    """Send every sample through a hub of its own and show what became of it; whether all arrived."""
    settings = _files()
    environment = {**kept_environment(), **fakes.environment()}
    environment.update(_secrets_of_other_sources(settings, environment))
    config = confined(_load(settings, environment), fakes.addresses)
    samples = samples_to_send(config)
    if not samples:
        raise HubError(f"no route in {settings.config_path} names an event of the catalog: nothing to send")
    for line in _opening(settings, config):
        say(line)
    with HubProcess(folder, settings, environment, fakes.addresses) as hub:
        try:
            show = Show(hub, fakes, config, deadline)
            everything_arrived = show.samples(samples)
            if not everything_arrived:
                _show_log(hub)
            with closing(hub.open_store()) as store:
                say(f"Status page   {hub.url}{new_link(store)}  (opens once)")
            if not exits:
                _serve(show)
        except Exception:
            _show_log(hub)
            raise
    return everything_arrived


def _serve(show: Show) -> None:
    """Show what else arrives until Ctrl-C, which is how a demo ends well."""
    say("Ctrl-C stops")
    try:
        show.follow()
    except KeyboardInterrupt:
        say()


def _files() -> Settings:
    """Which files to use; nothing else of the caller's settings counts here."""
    names = ("HUB_CONFIG", "HUB_TEMPLATES")
    return load_settings({name: os.environ[name] for name in names if name in os.environ})


def _load(settings: Settings, environment: Mapping[str, str]) -> Config:
    return load_config(settings.config_path, settings.templates_path, environment)


def _secrets_of_other_sources(settings: Settings, environment: Mapping[str, str]) -> dict[str, str]:
    """A signing secret for every variable that a source still lacks: the demo plays each sender itself."""
    sources = _load(settings, environment).sources.values()
    return {name: new_signing_secret() for source in sources for name in source.missing}


def _opening(settings: Settings, config: Config) -> Iterator[str]:
    yield f"The hub on this machine: {settings.config_path}, with stand-ins for Slack, email and HTTP."
    for place in config.destinations.values():
        if place.missing:
            yield f"{place.name} is not configured here: {unset(place.missing)} in a demo."
        elif place.options is None:
            yield f"{place.name} is switched off here: it would send to a place that is no stand-in."


def _show_log(hub: HubProcess) -> None:
    lines = hub.log()
    if lines:
        say("\nThe end of the hub's log:", err=True)
    for line in lines:
        say(f"  {line}", err=True)
