"""Acts of an operator: on deliveries and events, on destinations, and who did them."""

from hub.operator.audited import keep_entry
from hub.operator.deliveries import cancel, replay, resolve, retry, retry_all, send_test, wait_of_delivery
from hub.operator.destinations import (
    no_destination,
    pause,
    require_destination,
    resume,
    wait_of_destination,
)

__all__ = [
    "cancel",
    "keep_entry",
    "no_destination",
    "pause",
    "replay",
    "require_destination",
    "resolve",
    "resume",
    "retry",
    "retry_all",
    "send_test",
    "wait_of_delivery",
    "wait_of_destination",
]
