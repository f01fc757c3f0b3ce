"""Acts of an operator: on deliveries and events, on destinations, and who did them."""

from hub.operator.audited import entry_of, keep_entry
from hub.operator.batch import LARGEST, Outcome, Skipped
from hub.operator.deliveries import (
    FOUND_DELIVERED,
    RESOLVED_AS,
    Cancel,
    DeliveryAct,
    Resolve,
    Retry,
    act_on_deliveries,
    cancel,
    resolve,
    retry,
    retry_all,
)
from hub.operator.destinations import no_destination, pause, require_destination, resume
from hub.operator.events import LEFT_OUT, replay, replay_events, send_test
from hub.operator.forecast import Forecast, Refused, Share, forecast_deliveries, forecast_replay
from hub.operator.selection import Selection, select_deliveries, select_events
from hub.operator.targets import OnlyTo, Target, takes_only
from hub.operator.waits import Wait, wait_of_delivery, wait_of_destination, waits_after

__all__ = [
    "FOUND_DELIVERED",
    "LARGEST",
    "LEFT_OUT",
    "RESOLVED_AS",
    "Cancel",
    "DeliveryAct",
    "Forecast",
    "OnlyTo",
    "Outcome",
    "Refused",
    "Resolve",
    "Retry",
    "Selection",
    "Share",
    "Skipped",
    "Target",
    "Wait",
    "act_on_deliveries",
    "cancel",
    "entry_of",
    "forecast_deliveries",
    "forecast_replay",
    "keep_entry",
    "no_destination",
    "pause",
    "replay",
    "replay_events",
    "require_destination",
    "resolve",
    "resume",
    "retry",
    "retry_all",
    "select_deliveries",
    "select_events",
    "send_test",
    "takes_only",
    "wait_of_delivery",
    "wait_of_destination",
    "waits_after",
]
