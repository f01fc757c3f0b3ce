"""The user's files as they are on the disk: bytes, not yet parsed."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path as FilePath

from hub import yamldoc
from hub.config.regular_files import read_regular
from hub.config.report import unreadable
from hub.config.template_files import read_templates, template_paths
from hub.errors import ConfigError
from hub.model.problem import Problem

FileStats = tuple[tuple[str, int, int, int], ...]
"""Path, inode, modification time in nanoseconds and size of each file; zeros for one that is not there."""


@dataclass(frozen=True, kw_only=True)
class Files:
    """The content of routes.yaml and of every template; `problems` are files that were refused."""

    path: FilePath
    templates_folder: FilePath
    content: bytes
    templates: Mapping[str, bytes]
    problems: tuple[Problem, ...] = ()

    @property
    def version(self) -> str:
        """Sixteen hex digits that change with any byte of any file."""
        digest = hashlib.sha256(hashlib.sha256(self.content).digest())
        for name, content in sorted(self.templates.items()):
            digest.update(hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest())
            digest.update(hashlib.sha256(content).digest())
        return digest.hexdigest()[:16]

    @cached_property
    def packed(self) -> bytes:
        """The content of all files, as the store keeps a version."""
        templates = {name: content.decode("latin-1") for name, content in self.templates.items()}
        content = json.dumps({"routes": self.content.decode("latin-1"), "templates": templates})
        return zlib.compress(content.encode())


def unpack(packed: bytes, path: FilePath, templates_folder: FilePath) -> Files:
    """Return the files of a version that was kept, as if they were at these paths."""
    parts = json.loads(zlib.decompress(packed))
    return Files(
        path=path,
        templates_folder=templates_folder,
        content=parts["routes"].encode("latin-1"),
        templates={name: content.encode("latin-1") for name, content in parts["templates"].items()},
    )


def read_files(path: FilePath, templates: FilePath) -> Files:
    """Read the user's files; raises ConfigError where routes.yaml cannot be read."""
    contents, problems = read_templates(templates)
    return Files(
        path=path,
        templates_folder=templates,
        content=_read_routes_file(path),
        templates=contents,
        problems=tuple(problems),
    )


def stat_files(path: FilePath, templates: FilePath, others: Iterable[FilePath] = ()) -> FileStats:
    """Return a value that changes with an edit of any of the user's files, without reading them."""
    return tuple(stat_file(file) for file in (path, *template_paths(templates), *others))


def stat_file(path: FilePath) -> tuple[str, int, int, int]:
    """Return a file's own part of `FileStats`."""
    try:
        stat = path.stat()
    except OSError:
        return (str(path), 0, 0, 0)
    return (str(path), stat.st_ino, stat.st_mtime_ns, stat.st_size)


def _read_routes_file(path: FilePath) -> bytes:
    try:
        return read_regular(path, yamldoc.FILE_LIMIT_BYTES + 1)
    except OSError as error:
        reason = "there is no such file" if isinstance(error, FileNotFoundError) else error.strerror
        message = f"the configuration cannot be read: {reason}; set HUB_CONFIG or name the file"
        raise ConfigError([unreadable(path, message)]) from error
