"""The user's files below the templates folder, read and decoded."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from hub import yamldoc
from hub.config.regular_files import read_regular
from hub.model.problem import Code, Problem, error_at

SUFFIXES = (".j2", ".yaml")
FILE_LIMIT_BYTES = 256 * 1024
TOTAL_LIMIT_BYTES = 4 * 1024 * 1024
"""The database keeps every version of them that served."""


def read_templates(folder: Path) -> tuple[dict[str, bytes], list[Problem]]:
    """Return the bytes of every template by its path below the folder, and the files that were refused.

    Only `.j2` and `.yaml` files count, none that is hidden. A folder that is not there holds none.
    """
    contents: dict[str, bytes] = {}
    problems: list[Problem] = []
    total = 0
    for path in template_paths(folder):
        content = _read(folder, path)
        if isinstance(content, str):
            problems.append(error_at(path.as_posix(), 1, 1, Code.UNREADABLE_FILE, content))
            continue
        total += len(content)
        if total > TOTAL_LIMIT_BYTES:
            limit = f"the templates have more than {TOTAL_LIMIT_BYTES // 1024**2} MiB together"
            message = f"{limit}, and the database keeps every version that served; remove some"
            problems.append(error_at(folder.as_posix(), 1, 1, Code.UNREADABLE_FILE, message))
            break
        contents[path.relative_to(folder).as_posix()] = content
    return contents, problems


def decode_templates(contents: Mapping[str, bytes], folder: Path) -> tuple[dict[str, str], list[Problem]]:
    """Return the templates as text, and those that are not UTF-8."""
    texts: dict[str, str] = {}
    problems: list[Problem] = []
    for name, content in contents.items():
        try:
            texts[name] = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = content[: error.start].count(b"\n") + 1
            message = yamldoc.not_utf8(content, error)
            problems.append(error_at(f"{folder.as_posix()}/{name}", line, 1, Code.UNREADABLE_FILE, message))
    return texts, problems


def template_paths(folder: Path) -> Iterator[Path]:
    """Yield the files that count as templates, in the order of their names."""
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if name.endswith(SUFFIXES) and not name.startswith("."):
                yield Path(here) / name


def _read(folder: Path, path: Path) -> bytes | str:
    """Return a template's bytes, or a message why it is refused."""
    try:
        if not path.resolve().is_relative_to(folder.resolve()):
            return "this link leads out of the templates folder; put the file itself here"
        size = path.stat().st_size
        if size > FILE_LIMIT_BYTES:
            return f"the template has {size // 1024} KiB; at most {FILE_LIMIT_BYTES // 1024} KiB are read"
        return read_regular(path, FILE_LIMIT_BYTES)
    except OSError as error:
        return f"the template cannot be read: {(error.strerror or 'unknown error').lower()}"
