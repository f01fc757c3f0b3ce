"""Swaps in an edit of the user's files while the hub runs: whole if it is good, not at all if it is not."""

from __future__ import annotations

import json
import threading
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import structlog

from hub.errors import ConfigError, StoreError
from hub.ingest.route import Rules, load_rules
from hub.model.config import Config
from hub.model.problem import Problem, Severity
from hub.rules.load import Files, Stamp, find_files, stamp_files, usable_config
from hub.settings import Settings
from hub.store.store import Store

LOOK_SECONDS = 0.25
"""How often the files are looked at."""

SETTLE_SECONDS = 0.5
"""So long they must have been unchanged: an editor or a deploy writes several, one after the other."""

KEPT_FILES, KEPT_REFUSAL = "config_files", "config_refusal"
"""The names of shared values in the store: the last good files, and what was last refused."""

log = structlog.get_logger()

Adapt = Callable[[Config], Config]


@dataclass(frozen=True, kw_only=True)
class Serving:
    """The version of the user's files that serves, since when, and why a later one does not."""

    rules: Rules
    since: datetime
    refused: tuple[Problem, ...] = ()


def begin(settings: Settings, kept_files: Callable[[], str | None], adapt: Adapt) -> Serving:
    """What to serve at the start: the files, or where they are bad the last good ones that were kept.

    Raises ConfigError with every problem where none were. `kept_files` is called only for those.
    """
    since = datetime.now(UTC)
    try:
        config = usable_config(
            find_files(settings.config_path, settings.templates_path), settings.environment
        )
    except ConfigError as error:
        kept = _kept_config(settings, kept_files)
        if kept is None:
            raise
        _log_problems(error.problems)
        log.error("config.refused", problems=len(error.problems), serving=kept.version)
        return Serving(rules=load_rules(adapt(kept)), since=since, refused=error.problems)
    _log_problems(config.warnings)
    return Serving(rules=load_rules(adapt(config)), since=since)


class Reloader:
    """Watches the files for one process; `serving` is what it is to route, render and deliver by.

    Every process sees every edit by itself; what became of it is logged by the first alone. `before_swap`
    is called with what is about to serve.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        serving: Serving,
        adapt: Adapt,
        before_swap: Callable[[Rules], None] = lambda rules: None,
    ) -> None:
        self._settings = settings
        self._store = store
        self._serving = serving
        self._adapt = adapt
        self._before_swap = before_swap
        self._stamp: Stamp = ()
        self._stamped_at = float("-inf")
        self._is_read = False
        self._unkept: dict[str, str] = {}

    def serving(self) -> Serving:
        return self._serving

    def rules(self) -> Rules:
        return self._serving.rules

    def start(self) -> None:
        """Catch up, then watch in a thread that ends with its process."""
        self._catch_up()
        threading.Thread(target=self._run, name="reload", daemon=True).start()

    def look(self, clock: float) -> None:
        """Look at the files once; read them if they changed and have been unchanged since."""
        stamp = self._stamp_now()
        if stamp != self._stamp:
            self._stamp, self._stamped_at, self._is_read = stamp, clock, False
        elif not self._is_read and clock - self._stamped_at >= SETTLE_SECONDS:
            self._read()
        elif self._unkept:
            # The store was away: a restart with a bad edit would serve older files than these.
            for name, value in list(self._unkept.items()):
                self._is_first(name, value)

    def _catch_up(self) -> None:
        """Serve what was edited since the parent of this process read the files."""
        try:
            files = find_files(self._settings.config_path, self._settings.templates_path)
            if files.version != self.rules().config.version:
                serving = begin(self._settings, lambda: kept_files(self._store), self._adapt)
                self._before_swap(serving.rules)
                self._serving = serving
        except ConfigError as error:
            self._serving = replace(self._serving, refused=error.problems)

    def _run(self) -> None:
        while True:
            try:
                self.look(time.monotonic())
            except Exception:  # a user's file that trips the reading of it must not end the watch
                self._is_read = True
                log.exception("config.not_read")
            time.sleep(LOOK_SECONDS)

    def _stamp_now(self) -> Stamp:
        return stamp_files(self._settings.config_path, self._settings.templates_path)

    def _read(self) -> None:
        try:
            files = find_files(self._settings.config_path, self._settings.templates_path)
            if self._stamp_now() != self._stamp:
                return
            self._is_read = True
            if files.version == self.rules().config.version:
                self._serves_already(files)
            else:
                self._swap(files, usable_config(files, self._settings.environment))
        except ConfigError as error:
            self._is_read = True
            self._refuse(error.problems)

    def _serves_already(self, files: Files) -> None:
        """Nothing changed since the process began, or a bad edit was taken back."""
        was_refused = bool(self._serving.refused)
        if was_refused:
            self._serving = replace(self._serving, refused=())
        # Also where this process knows of none: what was kept may be from before a restart.
        if self._is_first(KEPT_REFUSAL, "") and was_refused:
            log.info("config.refusal_over", serving=files.version)
        self._is_first(KEPT_FILES, _as_kept(files))

    def _swap(self, files: Files, config: Config) -> None:
        rules = load_rules(self._adapt(config))
        self._before_swap(rules)
        self._serving = Serving(rules=rules, since=datetime.now(UTC))
        self._is_first(KEPT_REFUSAL, "")
        if self._is_first(KEPT_FILES, _as_kept(files)):
            _log_problems(config.warnings)
            log.info("config.reloaded", serving=files.version)

    def _refuse(self, problems: tuple[Problem, ...]) -> None:
        is_known = problems == self._serving.refused
        if not is_known:
            self._serving = replace(self._serving, refused=problems)
        if self._is_first(KEPT_REFUSAL, "\n".join(map(str, problems))) and not is_known:
            _log_problems(problems)
            log.error("config.refused", problems=len(problems), serving=self.rules().config.version)

    def _is_first(self, name: str, value: str) -> bool:
        """Keep a value for all; whether no other process has done so before."""
        try:
            is_first = self._store.write(lambda transaction: transaction.settings.set(name, value))
        except StoreError:
            self._unkept[name] = value
            return True
        self._unkept.pop(name, None)
        return is_first


def _log_problems(problems: Iterable[Problem]) -> None:
    for problem in problems:
        if problem.severity is Severity.ERROR:
            log.error("config.problem", problem=str(problem))
        else:
            log.warning("config.warning", problem=str(problem))


def kept_files(store: Store) -> str | None:
    """The last good files, as the store has them."""
    with store.read() as reading:
        return reading.settings.get(KEPT_FILES)


def _kept_config(settings: Settings, kept_files: Callable[[], str | None]) -> Config | None:
    """The last good configuration, if there ever was one and it is still good in today's environment."""
    try:
        kept = kept_files()
        return usable_config(_from_kept(kept, settings), settings.environment) if kept else None
    except (StoreError, ConfigError):
        return None


def _as_kept(files: Files) -> str:
    templates = {name: _text(content) for name, content in files.templates.items()}
    return json.dumps({"routes": _text(files.content), "templates": templates}, sort_keys=True)


def _from_kept(kept: str, settings: Settings) -> Files:
    parts = json.loads(kept)
    return Files(
        path=settings.config_path,
        templates_folder=settings.templates_path,
        content=b64decode(parts["routes"]),
        templates={name: b64decode(content) for name, content in parts["templates"].items()},
    )


def _text(content: bytes) -> str:
    return b64encode(content).decode()
