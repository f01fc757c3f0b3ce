"""An edit of the user's files while the hub runs: swapped in whole if it is good, not at all if it is not."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import structlog

from hub.config.files import Files, FileStats, read_files, stat_file, stat_files, unpack
from hub.errors import ConfigError, StoreError
from hub.health.facts import LAST_LOOK, FileFacts, errors_of, keep_refusal
from hub.ingest.route import Rules, load_rules
from hub.model.config import Config
from hub.model.problem import Problem, Severity
from hub.rules.load import usable_config
from hub.rules.versions import kept_files, register, register_use
from hub.settings import Settings
from hub.store.store import Store

POLL_SECONDS = 0.25
"""The time between two looks at the files."""

SETTLE_SECONDS = 0.5
"""The time for which they must be unchanged: an editor or a deploy writes several, one after the other."""

KEEP_AGAIN_SECONDS = 5.0
"""The time between two tries to keep what a store did not take: a database that only reads logs each."""

SEE_SECONDS = 600.0
"""The time between two words of a process to the store that it goes by its version: it is not pruned then."""

TELL_SECONDS = 60.0
"""The time between two words to the store that the files are looked at."""

log = structlog.get_logger()

Adapt = Callable[[Config], Config]


def unchanged(config: Config) -> Config:
    """Return the configuration as the files have it; the demo has another."""
    return config


@dataclass(frozen=True, kw_only=True)
class Serving:
    """The version of the user's files that serves; `refused` are the problems of a later one.

    `files` is None for rules made by hand, which no store keeps. `refused_at` is when the later one was read,
    `refused_files` None where it could not be.
    """

    rules: Rules
    since: datetime
    files: Files | None = None
    refused: tuple[Problem, ...] = ()
    refused_at: datetime | None = None
    refused_files: Files | None = None

    def facts(self) -> FileFacts:
        """Return the facts about it that health is judged by."""
        config = self.rules.config
        facts = FileFacts(config=config, problems=config.warnings, refused=errors_of(self.refused))
        return replace(facts, refused_at=self.refused_at)


def begin(
    settings: Settings, kept_files: Callable[[], bytes | None], adapt: Adapt, *, trial_seconds: float = 0.0
) -> Serving:
    """Return the version to serve at the start, as `current` has it, and log its problems."""
    serving = current(settings, kept_files, adapt, trial_seconds=trial_seconds)
    if serving.refused:
        _log_problems(serving.refused)
        version = serving.rules.config.version
        log.error("config.refused", problems=len(serving.refused), serving=version)
    else:
        _log_problems(serving.rules.config.warnings)
    return serving


def current(
    settings: Settings,
    kept_files: Callable[[], bytes | None],
    adapt: Adapt = unchanged,
    *,
    trial_seconds: float = 0.0,
) -> Serving:
    """Return the version that serves: the files, or where they are bad the last good ones.

    Samples are tried for so long, and what they meet is a warning.

    `kept_files` gives those, and is called only for them. Raises ConfigError with every problem where none
    were kept.
    """
    since = datetime.now(UTC)
    files = None
    try:
        files = read_files(settings.config_path, settings.templates_path)
        config = usable_config(files, settings.environment, trial_seconds=trial_seconds)
    except ConfigError as error:
        kept = _last_good(settings, kept_files)
        if kept is None:
            raise
        serving = Serving(rules=load_rules(adapt(kept[1])), since=since, files=kept[0])
        return replace(serving, refused=error.problems, refused_at=since, refused_files=files)
    return Serving(rules=load_rules(adapt(config)), since=since, files=files)


class Reloader:
    """A watch over the files for one process; `serving` is the version to route, render and deliver by.

    Every process sees every edit by itself; the first alone logs the outcome. `before_swap` is called with
    the rules that are about to serve.
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
        self._paths = (settings.config_path, settings.templates_path)
        self._store = store
        self._serving = serving
        self._adapt = adapt
        self._before_swap = before_swap
        self._stats: FileStats = ()
        self._certificates = self._stat_certificates()
        self._changed_at = float("-inf")
        self._is_read = False
        self._unkept: str | None = None
        self._keeps_at = self._sees_at = self._tells_at = float("-inf")

    def serving(self) -> Serving:
        """Return the version that serves now."""
        return self._serving

    def rules(self) -> Rules:
        """Return the rules that serve now."""
        return self._serving.rules

    def start(self) -> None:
        """Catch up, then watch in a thread that ends with its process."""
        self._catch_up()
        threading.Thread(target=self._run, name="reload", daemon=True).start()

    def poll(self, clock: float) -> None:
        """Look at the files once; read them if they changed and have been unchanged since.

        `clock` is in seconds of any steady clock.
        """
        stats = self._stat()
        if stats != self._stats:
            self._stats, self._changed_at, self._is_read = stats, clock, False
        elif not self._is_read and clock - self._changed_at >= SETTLE_SECONDS:
            self._read_if_kept(clock)
        elif clock >= self._keeps_at and (self._unkept is not None or clock >= self._sees_at):
            self._keeps_at = clock + KEEP_AGAIN_SECONDS
            self._keep_again(clock)

    def _stat(self) -> FileStats:
        return stat_files(*self._paths, self.rules().config.certificate_files)

    def _stat_certificates(self) -> FileStats:
        """Return what changes once a certificate is renewed; they are no part of a version."""
        return tuple(map(stat_file, self.rules().config.certificate_files))

    def _catch_up(self) -> None:
        """Serve what was edited since the parent of this process read the files."""
        try:
            files = read_files(*self._paths)
            if files.version != self.rules().config.version:
                serving = begin(self._settings, lambda: kept_files(self._store), self._adapt)
                register(self._store, serving.files)
                self._before_swap(serving.rules)
                self._serving = serving
        except ConfigError as error:
            self._serving = replace(self._serving, refused=error.problems, refused_at=datetime.now(UTC))
        except StoreError:
            pass  # the watch reads them again

    def _run(self) -> None:
        while True:
            try:
                self.poll(time.monotonic())
                self.tell_look(time.monotonic())
            except Exception:  # a user's file that trips the reading of it must not end the watch
                self._is_read = True
                log.exception("config.not_read")
            time.sleep(POLL_SECONDS)

    def tell_look(self, clock: float) -> None:
        """Keep in the store, once a minute, that the files are looked at."""
        if clock >= self._tells_at:
            self._tells_at = clock + TELL_SECONDS
            now = datetime.now(UTC).isoformat()
            with contextlib.suppress(StoreError):
                self._store.write(lambda transaction: transaction.settings.set(LAST_LOOK, now))

    def _read_if_kept(self, clock: float) -> None:
        """Read the files; they serve once the store has them, for deliveries name them."""
        try:
            self._read()
        except StoreError:
            self._changed_at = clock + KEEP_AGAIN_SECONDS - SETTLE_SECONDS

    def _keep_again(self, clock: float) -> None:
        """Tell the store what it missed while it was away, and which version this process goes by."""
        if self._unkept is not None:
            self._keep_refusal(self._unkept)
        if clock >= self._sees_at:
            with contextlib.suppress(StoreError):
                register_use(self._store, self._serving.files)
                self._sees_at = clock + SEE_SECONDS

    def _read(self) -> None:
        files = None
        try:
            files = read_files(*self._paths)
            if self._stat() != self._stats:
                return
            has_certificates = self._certificates == self._stat_certificates()
            if files.version == self.rules().config.version and has_certificates:
                self._serves_already(files)
            else:
                self._swap(files, usable_config(files, self._settings.environment))
        except ConfigError as error:
            self._refuse(error.problems, files)
        self._is_read = True

    def _serves_already(self, files: Files) -> None:
        """Forget a refusal: a bad edit was taken back, or nothing changed since the process began."""
        was_refused = bool(self._serving.refused)
        if was_refused:
            self._serving = replace(self._serving, refused=(), refused_at=None, refused_files=None)
        # Also where this process knows of none: what was kept may be from before a restart.
        if self._keep_refusal("") and was_refused:
            log.info("config.refusal_over", serving=files.version)
        register(self._store, files)

    def _swap(self, files: Files, config: Config) -> None:
        serving = Serving(rules=load_rules(self._adapt(config)), since=datetime.now(UTC), files=files)
        is_first = register(self._store, files)
        self._before_swap(serving.rules)
        self._serving = serving
        self._certificates = self._stat_certificates()
        self._keep_refusal("")
        if is_first:
            _log_problems(config.warnings)
            log.info("config.reloaded", serving=files.version)

    def _refuse(self, problems: tuple[Problem, ...], files: Files | None) -> None:
        is_known = problems == self._serving.refused
        if not is_known:
            now = datetime.now(UTC)
            self._serving = replace(self._serving, refused=problems, refused_at=now, refused_files=files)
        if self._keep_refusal("\n".join(map(str, problems))) and not is_known:
            _log_problems(problems)
            log.error("config.refused", problems=len(problems), serving=self.rules().config.version)

    def _keep_refusal(self, problems: str) -> bool:
        """Keep the problems of a refused edit, or none; return False where another process did so before."""
        try:
            is_first = self._store.write(lambda transaction: keep_refusal(problems, transaction))
        except StoreError:
            self._unkept = problems
            return True
        self._unkept = None
        return is_first


def _log_problems(problems: Iterable[Problem]) -> None:
    for problem in problems:
        if problem.severity is Severity.ERROR:
            log.error("config.problem", problem=str(problem))
        else:
            log.warning("config.warning", problem=str(problem))


def _last_good(settings: Settings, kept_files: Callable[[], bytes | None]) -> tuple[Files, Config] | None:
    """Return the last good files; None where there are none that are good in today's environment."""
    try:
        kept = kept_files()
        if kept is None:
            return None
        files = unpack(kept, settings.config_path, settings.templates_path)
        return files, usable_config(files, settings.environment)
    except (StoreError, ConfigError):
        return None
