"""The versions of the user's files, kept in the store before any delivery names them.

`files` is None for rules made by hand, which no store keeps. Each raises StoreError.
"""

from __future__ import annotations

from hub.config.files import Files
from hub.store.store import Store


def register(store: Store, files: Files | None) -> bool:
    """Keep a version that serves from now on; return False where it is the one that began last already."""
    if files is None:
        return False
    version, packed = files.version, files.packed
    return store.write(lambda transaction: transaction.versions.serve(version, packed))


def register_use(store: Store, files: Files | None) -> None:
    """Keep the version of a process that goes by it, though others may have begun to serve since."""
    if files is not None:
        version, packed = files.version, files.packed
        store.write(lambda transaction: transaction.versions.see(version, packed))


def register_if_new(store: Store, files: Files | None) -> None:
    """Keep the version of a command, by which it may owe deliveries."""
    if files is None:
        return
    with store.read() as snapshot:
        is_known = snapshot.versions.has(files.version)
    if not is_known:
        register_use(store, files)


def kept_files(store: Store) -> bytes | None:
    """Return the last good files, packed; None where none ever served."""
    with store.read() as snapshot:
        return snapshot.versions.last_served()
