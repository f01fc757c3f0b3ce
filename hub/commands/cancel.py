"""`hub cancel`: the end of deliveries that are not wanted any more."""

from __future__ import annotations

import click

from hub.client.acts import Chosen, DeliveryCommand, act_on, delivery_options
from hub.commands import Section

SECTION = Section.OPERATE

CANCEL = DeliveryCommand(
    act="cancel",
    state="pending",
    one="{id} to {destination} is cancelled: it will not be sent",
    many="cancelled",
)


@click.command(short_help="Cancel deliveries: they are not sent any more.")
@delivery_options
def command(chosen: Chosen) -> None:
    """Cancel deliveries: they are not sent any more.

    Name them, or say which by options; without --state these choose among the pending ones.

    \b
    Examples:
      hub cancel dlv_01a2f3
      hub cancel --destination crm
      hub cancel --destination crm --state dead --until 2026-01-31
    """
    act_on(chosen, CANCEL)
