"""A demo from its start to its end: prepares an environment, runs a hub in it, and shows the samples."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

from hub.demo.confine import address_of, confined, samples_to_send
from hub.demo.fakes import Fakes, new_signing_secret
from hub.demo.mirror import VARIABLE, MirrorReader, mirror_url, with_mirror
from hub.demo.process import HubProcess, kept_environment
from hub.demo.show import Show
from hub.errors import HubError
from hub.humanize import not_set
from hub.model.config import Config
from hub.rules.load import load_config
from hub.settings import Settings, load_settings
from hub.terminal.printing import say
from hub.web import new_link


def run_demo(folder: Path, fakes: Fakes, deadline: float, *, exits: bool) -> bool:
    """Send every sample through a hub with its files in `folder`, and return whether all arrived.

    The samples are over by the deadline of the monotonic clock; unless it `exits`, the hub then serves until
    Ctrl-C.
    """
    settings = _files()
    environment = {**kept_environment(), **fakes.environment(), VARIABLE: mirror_url(folder)}
    addresses = {*fakes.addresses, address_of(environment[VARIABLE])}
    environment.update(_secrets_of_other_sources(settings, environment))
    config = confined(_load(settings, environment), addresses)
    samples = samples_to_send(config)
    if not samples:
        raise HubError(f"no route in {settings.config_path} names an event of the catalog: nothing to send")
    for line in _opening(settings, config):
        say(line)
    with HubProcess(folder, settings, environment, addresses) as hub, MirrorReader() as rows:
        try:
            show = Show(hub, fakes, rows, with_mirror(config), deadline)
            everything_arrived = show.post_all(samples)
            if not everything_arrived:
                _print_log(hub)
            with closing(hub.open_store()) as store:
                say(f"Status page   {hub.url}{new_link(store)}  (opens once)")
            if not exits:
                _serve(show)
        except Exception:
            _print_log(hub)
            raise
    return everything_arrived


def _serve(show: Show) -> None:
    """Show further messages until Ctrl-C, which is how a demo ends well."""
    say("Ctrl-C stops")
    try:
        show.follow()
    except KeyboardInterrupt:
        say()


def _files() -> Settings:
    """Return the settings of the user's files; none of the caller's other settings counts here."""
    names = ("HUB_CONFIG", "HUB_TEMPLATES")
    return load_settings({name: os.environ[name] for name in names if name in os.environ})


def _load(settings: Settings, environment: Mapping[str, str]) -> Config:
    return load_config(settings.config_path, settings.templates_path, environment)


def _secrets_of_other_sources(settings: Settings, environment: Mapping[str, str]) -> dict[str, str]:
    """Return a signing secret for every variable that a source lacks: the demo plays each sender itself."""
    signings = [source.signing for source in _load(settings, environment).sources.values()]
    return {name: new_signing_secret() for signing in signings for name in signing.missing}


def _opening(settings: Settings, config: Config) -> Iterator[str]:
    yield f"The hub on this machine: {settings.config_path}, with stand-ins for Slack, email and HTTP,"
    yield "and a mirror of Clerk's objects in a SQLite file."
    for destination in config.destinations.values():
        if destination.missing:
            yield f"{destination.name} is not configured here: {not_set(destination.missing)} in a demo."
        elif destination.options is None:
            yield f"{destination.name} is switched off here: it would send to a place that is no stand-in."


def _print_log(hub: HubProcess) -> None:
    lines = hub.log()
    if lines:
        say("\nThe end of the hub's log:", err=True)
    for line in lines:
        say(f"  {line}", err=True)
