"""The event of a case: the catalog's sample or a file's payload, with some values changed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from copy import deepcopy
from datetime import datetime
from pathlib import Path as FilePath
from typing import Any

from hub import catalog
from hub.config.regular_files import read_regular
from hub.config.report import Report
from hub.errors import HubError
from hub.humanize import did_you_mean, there_are
from hub.lint import unknown_path
from hub.model.event import Event
from hub.model.problem import Code
from hub.preview.earlier import earlier_type
from hub.yamldoc import Path

EVENT_ID, PREVIOUS_ID = "evt_test", "evt_before"
"""The same each time, so that a message with a link can be expected word by word."""


class EventReader:
    """A reader of the events of one file's cases.

    Payload files are looked for from `folder`; an event without a source comes from the first of `sources`.
    """

    def __init__(self, report: Report, folder: FilePath, sources: Collection[str], now: datetime) -> None:
        self._report = report
        self._folder = folder
        self._sources = sources
        self._now = now

    def read(self, path: Path, value: Mapping[str, Any], *, is_whole: bool) -> Event | None:
        """Return the event of the case at a path, None where it has a problem, which is reported.

        A case that is not whole has problems already: that it names no event is then none of its own.
        """
        source = self._source(path, value.get("source"))
        if value.get("event") is None and value.get("payload") is None:
            if is_whole:
                message = (
                    "a case needs an event: its type, such as user.created, or payload: a file with its JSON"
                )
                self._report.error(path, Code.MISSING_KEY, message)
            return None
        body = self._body(path, value)
        if body is None or source is None:
            return None
        type_name = str(value.get("event") or body.get("type"))
        is_sample = value.get("payload") is None
        self._change((*path, "set"), value.get("set"), body, type_name, is_sample=is_sample)
        return self._event(EVENT_ID, source, type_name, body)

    def read_previous(self, path: Path, case: Mapping[str, Any], event: Event) -> Event | None:
        """Return the earlier event of the case at a path; None where it has none, or one with a problem."""
        value, place = case.get("previous"), (*path, "previous")
        type_name = earlier_type(event.type)
        if isinstance(value, str):
            body = self._payload(place, value)
            type_name = str((body or {}).get("type", type_name))
        elif isinstance(value, dict):
            is_own = case.get("payload") is not None and type_name == event.type
            body = self._body(path, case) if is_own else catalog.sample(type_name)
        else:
            return None
        if body is None:
            return None
        self._change(place, value, body, type_name, is_sample=True)
        return self._event(PREVIOUS_ID, event.source, type_name, body)

    def _event(self, event_id: str, source: str, type_name: str, body: dict[str, Any]) -> Event:
        return Event(
            id=event_id,
            source=source,
            message_id="msg_test",
            type=type_name,
            payload=catalog.json_bytes(body),
            received_at=self._now,
        )

    def _source(self, path: Path, name: Any) -> str | None:
        if name is None:
            return next(iter(self._sources), "")
        if isinstance(name, str) and name not in self._sources:
            hint = did_you_mean(name, self._sources, there_are(self._sources, "; add it under sources"))
            self._report.error((*path, "source"), Code.UNKNOWN_SOURCE, f'there is no source "{name}"{hint}')
            return None
        return name if isinstance(name, str) else None

    def _change(
        self, path: Path, changes: Any, body: dict[str, Any], type_name: str, *, is_sample: bool
    ) -> None:
        for target, item in changes.items() if isinstance(changes, dict) else ():
            unknown = unknown_path(type_name, body, target)
            try:
                if is_sample:
                    catalog.check_start(body, target)
                catalog.assign(body, target, deepcopy(item))
            except HubError as error:
                self._report.error((*path, target), Code.BAD_PATH, str(error), key=True)
            else:
                if unknown:
                    self._report.error((*path, target), Code.UNKNOWN_FIELD, unknown, key=True)

    def _body(self, path: Path, value: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the event's body before `set`, None where there is none, which is reported."""
        type_, file = value.get("event"), value.get("payload")
        if file is None:
            return self._sample(path, type_)
        body = self._payload((*path, "payload"), file)
        if body is None:
            return None
        body_type = body.get("type", type_)
        if type_ is None and not isinstance(body_type, str):
            message = f'"{file}" does not say which "type" the event is of; add event: to this case'
            self._report.error((*path, "payload"), Code.MISSING_KEY, message)
            return None
        if type_ is not None and body_type != type_:
            message = f'"{file}" holds an event of type "{body_type}"; name that one, or leave event out'
            self._report.error((*path, "event"), Code.BAD_VALUE, message)
            return None
        return {"type": body_type, **body}

    def _sample(self, path: Path, type_: Any) -> dict[str, Any] | None:
        if not isinstance(type_, str):
            return None
        if catalog.find_event_type(type_) is None:
            message = f"{catalog.unknown_event_type(type_)}; for one of your own, name a file as payload"
            self._report.error((*path, "event"), Code.UNKNOWN_EVENT, message)
            return None
        return catalog.sample(type_)

    def _payload(self, path: Path, name: Any) -> dict[str, Any] | None:
        if not isinstance(name, str):
            return None
        try:
            return catalog.read_body(read_regular(self._folder / name, catalog.BODY_LIMIT_BYTES + 1))
        except HubError as error:
            message = f'"{name}" {error}'
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "this is no file name"
            message = f'"{name}" cannot be read: {reason.lower()}; paths begin at the folder of this file'
        self._report.error(path, Code.UNREADABLE_FILE, message)
        return None
