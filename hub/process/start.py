"""The composition root: settings, log, configuration, database, and of these the processes that serve."""

from __future__ import annotations

import contextlib
import ipaddress
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import click
import structlog

from hub.databases.url import SqliteUrl, parse_url
from hub.delivery.worker import Worker
from hub.errors import FileRefused, SettingsError, StoreError, StoreUnavailable, WritesRefused
from hub.ingest.route import Rules
from hub.maintenance.heartbeat import leave
from hub.maintenance.runner import Maintenance, asking_tasks, worker_tasks
from hub.model.destination import OnUnknown
from hub.process.log_queue import end_process
from hub.process.logs import set_up_server_logs
from hub.process.supervisor import StopSignals, end_with_parent
from hub.rules.reload import Adapt, Reloader, Serving, begin, unchanged
from hub.rules.trial import START_SECONDS
from hub.rules.versions import kept_files, register
from hub.settings import Settings, load_settings, netloc
from hub.store.copy import refuse_migrated
from hub.store.open import open_store
from hub.store.store import Store
from hub.sync.clock import VerifyClock
from hub.web import create_app, new_link
from hub.web.app import Hub
from hub.web.sessions import keep_session_key

log = structlog.get_logger()


def prepare(adapt: Adapt = unchanged) -> tuple[Settings, Serving]:
    """Check everything and bring the database up to date; raises HubError with all that is wrong."""
    settings = load_settings()
    set_up_server_logs(settings.log_format, settings.log_level)
    for warning in settings.warnings:
        log.warning("settings.ignored", reason=warning)
    serving = begin(settings, lambda: _kept_files(settings), adapt, trial_seconds=START_SECONDS)
    try:
        newer = migrate(settings)
        if newer is not None:
            log.warning("database.newer", revision=newer)
    except FileRefused as error:
        # Every answer and page says so: a hub that is not there tells nobody.
        log.error("database.refused", reason=str(error))
    store = open_store(settings.database_url, settings.db_connections)
    # Where the database only reads, the processes try again.
    with closing(store), contextlib.suppress(StoreError):
        register(store, serving.files)
    return settings, serving


def migrate(settings: Settings) -> str | None:
    """Bring the database up to date, making it where there is none, with the key of its sessions.

    Returns the revision of a newer hub, for whose database nothing is done, else None.
    """
    refuse_ephemeral_disk(settings)
    with closing(open_store(settings.database_url, settings.db_connections)) as store:
        warn(store)
        newer = store.migrate()
        refuse_migrated(store)
        with contextlib.suppress(WritesRefused):
            keep_session_key(store)
    return newer


def warn(store: Store) -> None:
    """Print the warnings about the URL of a store."""
    for warning in store.warnings:
        click.echo(f"hub: warning: {warning}", err=True)


def open_existing(settings: Settings) -> Store:
    """Return the store for a command beside a running hub: none is made, an unknown schema is refused."""
    store = open_store(settings.database_url, settings.db_connections)
    warn(store)
    store.check_schema()
    refuse_migrated(store)
    return store


def _kept_files(settings: Settings) -> bytes | None:
    with closing(open_existing(settings)) as store:
        return kept_files(store)


def announce(settings: Settings, port: int) -> None:
    """Print the hub's address; without a password also the link that opens its status page once."""
    address = settings.public_url or f"http://{netloc(settings.host, port)}"
    click.echo(f"the hub serves {address}")
    if not settings.public_url and ipaddress.ip_address(settings.host).is_unspecified:
        address = "<your app's address>"
    if settings.password is None:
        with closing(open_store(settings.database_url, settings.db_connections)) as store:
            click.echo(_link_line(store, address))
    sys.stdout.flush()


def _link_line(store: Store, address: str) -> str:
    try:
        return f"status page, once: {address}{new_link(store)}  (set HUB_PASSWORD for a password)"
    except StoreUnavailable as error:
        return f"status page: set HUB_PASSWORD; there is no link, for {error.headline}"


def make_app(settings: Settings, serving: Serving, adapt: Adapt | None = unchanged) -> Hub:
    """Return the app of a web process, with a store of its own; without `adapt` it follows no edit."""
    store = open_store(settings.database_url, settings.db_connections)
    reloader = _reloader(settings, store, serving, adapt)
    app = create_app(store, reloader.serving, settings)
    app.requests.start()
    return app


def refuse_ephemeral_disk(settings: Settings) -> None:
    """Raise SettingsError for a SQLite file that a platform would throw away with the next deploy."""
    if not settings.is_sqlite or settings.platform is None or settings.ephemeral_disk_accepted:
        return
    parts = parse_url(settings.database_url)
    if not isinstance(parts, SqliteUrl):
        return
    folder = parts.path.resolve().parent
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if existing.stat().st_dev == Path("/").stat().st_dev or _is_in_memory(existing):
        raise SettingsError(
            f"{settings.platform} is set, and on this platform {folder} is emptied with every deploy: events "
            "would be lost. Add a PostgreSQL database and set DATABASE_URL to it, or mount a volume and put "
            "the file there; HUB_EPHEMERAL_DISK=accept runs all the same"
        )


def _is_in_memory(folder: Path) -> bool:
    """Return True below a mounted tmpfs, such as /dev/shm, which is gone with its container."""
    try:
        lines = Path("/proc/self/mounts").read_text().splitlines()
    except OSError:
        return False
    kinds = {Path(place): kind for _, place, kind, *_ in (line.split() for line in lines)}
    return next((kinds[path] for path in (folder, *folder.parents) if path in kinds), "") in (
        "tmpfs",
        "ramfs",
    )


def run_worker(
    settings: Settings, serving: Serving, adapt: Adapt | None = unchanged, *, ends_with_parent: bool
) -> None:
    """Deliver until a signal to stop; a second one ends the process at once. `adapt` as in `make_app`."""
    durable = _needs_durability(serving.rules)
    store = open_store(settings.database_url, settings.db_connections, durable=durable)
    reloader = _reloader(settings, store, serving, adapt, lambda rules: _keep_durable(store, rules))
    worker = Worker(store, reloader.rules, threads=settings.worker_threads, public_url=settings.public_url)
    tasks = worker_tasks(
        store,
        reloader.rules,
        worker=worker.id,
        last_cycle_at=lambda: worker.last_cycle_at,
        retention=settings.retention,
        public_url=settings.public_url,
    )
    maintenance = Maintenance(tasks)
    asking = Maintenance(asking_tasks(store, reloader.rules))
    verify_clock = VerifyClock(store, reloader.rules)
    StopSignals(worker.stop, lambda: end_process(1))
    if ends_with_parent:
        end_with_parent(worker.stop)
    maintenance.start()
    asking.start()
    verify_clock.start()
    worker.run()
    maintenance.stop()
    leave(store, worker.id)
    # They wait for answers of others: who is killed meanwhile has left already.
    verify_clock.stop()
    asking.stop()
    store.close()
    sys.stdout.flush()


def _reloader(
    settings: Settings,
    store: Store,
    serving: Serving,
    adapt: Adapt | None,
    before_swap: Callable[[Rules], None] = lambda rules: None,
) -> Reloader:
    """Return the reloader of a process, at its watch unless `adapt` is None."""
    reloader = Reloader(settings, store, serving, adapt or unchanged, before_swap)
    if adapt:
        reloader.start()
    return reloader


def _keep_durable(store: Store, rules: Rules) -> None:
    """Let a worker's commits survive a power cut where rules that are about to serve need it."""
    if _needs_durability(rules):
        store.make_durable()


def _needs_durability(rules: Rules) -> bool:
    """Return True with `on_unknown: hold`: not even a power cut may forget that an attempt began."""
    return any(config.on_unknown is OnUnknown.HOLD for config in rules.config.destinations.values())
