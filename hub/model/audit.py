"""The audit: what operators did and who failed to get in, as it is kept and shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from hub.model.event import new_id
from hub.model.finding import HUB


class Act(StrEnum):
    """A kind of act. `refused` stands for all wrong keys and links of one address for an hour."""

    SIGN_IN = "sign-in"
    SIGN_OUT = "sign-out"
    REFUSED = "refused"
    RETRY = "retry"
    CANCEL = "cancel"
    RESOLVE = "resolve"
    REPLAY = "replay"
    PAUSE = "pause"
    RESUME = "resume"


class By(StrEnum):
    """The way that somebody came in by, or tried to."""

    SESSION = "session"
    KEY = "key"
    COMMAND_LINE = "command line"


@dataclass(frozen=True, kw_only=True)
class Actor:
    """Somebody who acts. `address` is None on the command line of the hub's own machine."""

    by: By
    address: str | None = None


COMMAND_LINE = Actor(by=By.COMMAND_LINE)


@dataclass(frozen=True, kw_only=True)
class AuditEntry:
    """One act. `subject` is the id of a delivery or event, or the name of a destination, else `hub`.

    `changed` counts what the act changed: deliveries that it owed or ended, or the keys that were refused.
    """

    id: str = field(default="", repr=False)
    at: datetime
    act: Act
    subject: str = HUB
    actor: Actor = COMMAND_LINE
    changed: int = 1


def new_entry(act: Act, actor: Actor, now: datetime, subject: str = HUB, changed: int = 1) -> AuditEntry:
    """Return an entry under a new id, which sorts by time."""
    return AuditEntry(id=new_id("aud", now), at=now, act=act, subject=subject, actor=actor, changed=changed)
