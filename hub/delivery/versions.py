"""The templates of deliveries that another version of the user's files decided than the one here."""

from __future__ import annotations

import threading
from pathlib import Path

from hub.config.files import unpack
from hub.config.template_files import decode_templates
from hub.errors import VersionUnusable
from hub.store.store import Store
from hub.templating.sandbox import Sandbox

VERSIONS_LIMIT = 8
"""So many versions at most are held ready; their templates have up to 4 MiB each."""


class Versions:
    """Versions as the store has them, each looked up once; safe to share between threads."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._known: dict[str, Sandbox] = {}

    def sandbox(self, version: str) -> Sandbox:
        """Return the templates of a version.

        Raises VersionUnusable where the store does not have it, StoreError where that is away.
        """
        with self._lock:
            sandbox = self._known.pop(version, None) or self._read(version)
            self._known[version] = sandbox
            if len(self._known) > VERSIONS_LIMIT:
                del self._known[next(iter(self._known))]
            return sandbox

    def _read(self, version: str) -> Sandbox:
        with self._store.read() as snapshot:
            packed = snapshot.versions.files(version)
        if packed is None:
            raise VersionUnusable(
                f"version {version} of the files", None, "it is not in the database any more"
            )
        files = unpack(packed, Path(), Path())
        return Sandbox(decode_templates(files.templates, files.templates_folder)[0])
