"""Only regular files are read: a pipe, a socket or a device is a problem at its place, and nothing hangs."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from hub.config.files import read_files
from hub.config.regular_files import read_regular
from hub.config.template_files import read_templates
from hub.errors import ConfigError


def bind(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


SPECIAL = [(os.mkfifo, "a named pipe"), (bind, "a socket"), (lambda p: p.symlink_to("/dev/zero"), "a device")]


@pytest.mark.parametrize(("make", "kind"), SPECIAL)
def test_a_configuration_of_another_kind_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], None], kind: str
) -> None:
    monkeypatch.chdir(tmp_path)  # the name of a socket is short
    make(Path("routes.yaml"))
    with pytest.raises(ConfigError) as caught:
        read_files(Path("routes.yaml"), tmp_path)

    assert f"the configuration cannot be read: it is {kind}, and only regular files are read" in str(
        caught.value
    )


@pytest.mark.parametrize(("make", "kind"), SPECIAL[:2])
def test_a_template_of_another_kind_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], None], kind: str
) -> None:
    monkeypatch.chdir(tmp_path)
    make(Path("a.j2"))
    contents, (problem,) = read_templates(tmp_path)

    assert contents == {}
    assert f"the template cannot be read: it is {kind}, and only" in problem.message


def test_a_regular_file_is_read_up_to_the_limit(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")

    assert read_regular(tmp_path / "a", 4) == b"1234"
