"""`hub retry`: another attempt of deliveries that are not delivered."""

from __future__ import annotations

import click

from hub.client.acts import Chosen, DeliveryCommand, act_on, delivery_options
from hub.commands import Section

SECTION = Section.OPERATE

RETRY = DeliveryCommand(
    act="retry",
    state="dead",
    one="{id} will be sent to {destination} again",
    many="will be sent again",
)


@click.command(short_help="Send deliveries again, rendered anew.")
@delivery_options
def command(chosen: Chosen) -> None:
    """Send deliveries again under their ids, rendered anew by today's routes.

    Name them, or say which by options; without --state these choose among the dead ones.

    \b
    Examples:
      hub retry dlv_01a2f3
      hub retry --destination crm --since 2h
      hub retry --state cancelled --type 'user.*' --dry-run
    """
    act_on(chosen, RETRY)
