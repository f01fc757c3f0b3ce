"""`hub resolve`: somebody says of deliveries that may have arrived."""

from __future__ import annotations

import click

from hub.client.acts import Chosen, DeliveryCommand, act_on, delivery_options
from hub.commands import Section

SECTION = Section.OPERATE

RESOLVE = {
    "delivered": DeliveryCommand(
        act="resolve",
        as_="delivered",
        state="held",
        one="{id} to {destination} is delivered",
        many="marked as delivered",
    ),
    "retry": DeliveryCommand(
        act="resolve",
        as_="retry",
        state="held",
        one="{id} will be sent to {destination} again, the same bytes",
        many="will be sent again, the same bytes",
    ),
}


@click.command(short_help="Decide on held deliveries, which may have arrived.")
@click.option(
    "--as",
    "as_",
    type=click.Choice(list(RESOLVE)),
    required=True,
    help="They arrived, or are to be sent again.",
)
@delivery_options
def command(chosen: Chosen, as_: str) -> None:
    """Decide on held deliveries: the request went out, and no answer says whether they arrived.

    Look on the other side for the delivery's id (webhook-id), then name them, or say which by options.

    \b
    Examples:
      hub resolve dlv_01a2f3 --as delivered
      hub resolve --destination warehouse --as retry
    """
    act_on(chosen, RESOLVE[as_])
