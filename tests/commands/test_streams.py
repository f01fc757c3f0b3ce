"""Standard streams that are closed, that nobody reads to the end, or that are a full disk."""

from __future__ import annotations

from pathlib import Path

import pytest
from running import environment, run, write_configuration


@pytest.mark.parametrize(
    ("line", "code", "error"),
    [
        ("hub events >&-", 0, ""),
        ("hub check 2>&-", 0, ""),
        ("hub schema | head -c 1", 0, ""),
        ("hub schema > /dev/full", 1, "hub: the output cannot be written: No space left on device\n"),
    ],
)
def test_a_command_never_ends_in_a_traceback(tmp_path: Path, line: str, code: int, error: str) -> None:
    folder = write_configuration(tmp_path)
    done = run(line, folder, environment(folder, CRM_WEBHOOK_URL="http://127.0.0.1:1"))

    assert (done.returncode, done.stderr) == (code, error)
