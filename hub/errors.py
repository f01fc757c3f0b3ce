"""Every error of the hub, in one tree.

    HubError                  its message says what was found, where, and what to do
    |- ConfigError            routes.yaml or a template is wrong: carries every problem
    |- SettingsError          an environment variable is wrong
    |- StoreError             the database refuses
    |  |- StoreUnavailable    ... for now: try again later
    |     |- WritesRefused    ... what is written: it can be read
    |     |  |- FileRefused   ... until somebody acts: it was replaced under the hub, or is damaged
    |     |- StoreMigrated    ... for good: everything is in another database
    |- NotStorable            a value that no database keeps
    |- Unmirrorable           an object that no row of a mirror can be made of
    |- NotVerified            a request that no source vouches for: 400
    |- NotConfigured          a source without its secret: 503
    |- VariableNotSet         a message needs a variable that has no value here: it waits
    |- ThreadBusy             another message of its thread is being sent: it waits
    |- TemplateError          a template or condition failed while it ran
    |  |- VersionUnusable     ... because this process cannot use its files; another may
    |  |- RecipientError      ... so that it is not known whom a message is for: nobody gets any
    |- SendError              an attempt did not deliver
    |  |- Retry               try again by the schedule
    |  |- Reject              this message can never be accepted
    |  |- Pause               this destination accepts nothing until somebody acts
    |  |- Unknown             it may have been accepted
    |- ClerkError             Clerk's Backend API does not give what was asked for
    |- NotFound               an operator named something that is not there: 404
    |- Conflict               an operator asked for something its state forbids: 409

Foreign errors become one of these at exactly one boundary each, their cause kept. No message holds a
secret, a whole endpoint URL or a payload.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from enum import Enum, auto
from typing import Any

from hub.model.problem import Problem


class HubError(Exception):
    """An error that a person can act on: commands print its message and exit 1, without a traceback."""


class SettingsError(HubError):
    """An environment variable holds what the hub cannot use."""


class ConfigError(HubError):
    """The configuration cannot be used; `problems` lists everything that is wrong with it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class StoreError(HubError):
    """The database refuses what the hub needs.

    `headline` stands alone and has no host and no login, so that anybody may read it; `reason` and `cure` go
    on from it.
    """

    def __init__(self, headline: str, *, reason: str = "", cure: str = "") -> None:
        self.headline = headline
        self.reason = reason
        self.cure = cure
        super().__init__("; ".join(filter(None, (": ".join(filter(None, (headline, reason))), cure))))


class StoreUnavailable(StoreError):
    """The database does not answer, or takes nothing, now; trying again later may work."""


class WritesRefused(StoreUnavailable):
    """The database answers, and takes nothing new: it only reads, or has no room."""


class FileRefused(WritesRefused):
    """The database's file is not the one that the hub opened, or is damaged: a person has to act."""


class StoreMigrated(StoreUnavailable):
    """The database was moved to another, where senders will be answered once DATABASE_URL names it."""


class NotStorable(HubError):
    """A value that no database keeps, whenever it is tried: NUL, half a surrogate pair, a huge number."""


class Unmirrorable(HubError):
    """An object that no row of a mirror can be made of: it has no id, or its type no table."""


class NotVerified(HubError):
    """A request that its source cannot vouch for.

    `code` is one of missing_headers, invalid_timestamp, invalid_signature, invalid_payload.
    `clock_ahead_seconds` is how far this machine's clock is ahead of the sender's, where its signature
    vouches for the time that it wrote; else None.
    """

    def __init__(self, code: str, message: str, *, clock_ahead_seconds: float | None = None) -> None:
        self.code = code
        self.clock_ahead_seconds = clock_ahead_seconds
        super().__init__(message)


class NotConfigured(HubError):
    """A source whose signing secret is not set: nothing can be verified, so nothing is accepted."""


class VariableNotSet(HubError):
    """A message cannot be sent here and now: `names` are the variables in it that are not set."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        super().__init__(f"not set: {', '.join(names)}")


class ThreadBusy(HubError):
    """A message cannot be sent now: another one of its thread is being sent, or was by one that died."""

    def __init__(self) -> None:
        super().__init__("another message of its thread is being sent")


class TemplateError(HubError):
    """A user's template or condition failed while it ran.

    `template` names the file or the field of the send block, `line` counts from 1 inside it; None where
    Jinja does not say.
    """

    def __init__(self, template: str, line: int | None, message: str) -> None:
        self.template = template
        self.line = line
        self.message = message
        super().__init__(f"{template}:{line}: {message}" if line else f"{template}: {message}")


class VersionUnusable(TemplateError):
    """A version of the user's files is not known here, or its template is one for another release."""


class RecipientError(TemplateError):
    """The recipient of a message cannot be made. No other message stands in: it would go to somebody else."""


class SendError(HubError):
    """An attempt that did not deliver.

    `status` is the protocol's answer code where there was one, `answer` the words of it, as they came;
    `accepted` the recipients that did get the message all the same. `thread` is what is to be kept of the
    thread's first message, as in a receipt; an empty mapping where it is gone. `throttled` means that the
    whole destination asked for a rest (429): it is held, for `after_seconds` at least where it said for how
    long, and its breaker does not count the answer.
    """

    throttled: bool = False
    after_seconds: float | None = None
    thread: Mapping[str, Any] | None = None

    def __init__(
        self, reason: str, *, status: int | None = None, accepted: Sequence[str] = (), answer: str = ""
    ) -> None:
        self.reason = reason
        self.status = status
        self.accepted = tuple(accepted)
        self.answer = answer
        super().__init__(reason)


class About(Enum):
    """The subject of a failure: the endpoint, or this one message, which proves that the endpoint lives."""

    ENDPOINT = auto()
    MESSAGE = auto()


class Retry(SendError):
    """Not delivered, but may be later: the next attempt follows by the schedule.

    `after_seconds` is the least the destination asked us to wait; where it is `throttled` no attempt of the
    schedule is used. What is `about` a message never opens a breaker, and closes one as a success does.
    """

    def __init__(
        self,
        reason: str,
        *,
        after_seconds: float | None = None,
        throttled: bool = False,
        about: About = About.ENDPOINT,
        status: int | None = None,
        accepted: Sequence[str] = (),
        answer: str = "",
    ) -> None:
        self.after_seconds = after_seconds
        self.throttled = throttled
        self.about = about
        super().__init__(reason, status=status, accepted=accepted, answer=answer)


class Reject(SendError):
    """This message can never be accepted: the delivery is dead at once.

    `form` means that only its form cannot, its blocks or sizes: plainer ones are sent before it is dead.
    """

    def __init__(
        self,
        reason: str,
        *,
        form: bool = False,
        status: int | None = None,
        accepted: Sequence[str] = (),
        answer: str = "",
    ) -> None:
        self.form = form
        super().__init__(reason, status=status, accepted=accepted, answer=answer)


class Pause(SendError):
    """This destination accepts nothing until somebody acts: it is paused and what it is owed waits.

    With `needs` that holds for those deliveries alone that need these parts of it, such as tables: they go on
    by themselves once its `lacking` finds the parts there.
    """

    def __init__(
        self,
        reason: str,
        *,
        needs: Collection[str] = (),
        status: int | None = None,
        accepted: Sequence[str] = (),
        answer: str = "",
    ) -> None:
        self.needs = tuple(sorted(needs))
        super().__init__(reason, status=status, accepted=accepted, answer=answer)


class Unknown(SendError):
    """The message may have been accepted: the destination's `on_unknown` decides.

    `key_used` means that other bytes were accepted under its idempotency key: the next attempt takes another.
    """

    key_used: bool = False


class ClerkError(HubError):
    """An answer of Clerk's Backend API that gives nothing, or none at all; `status` is its code, if any."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        self.status = status
        super().__init__(message)


class NotFound(HubError):
    """A name or an id that an operator gave and that is not there."""


class Conflict(HubError):
    """An act of an operator that the state of its subject forbids."""
