"""Log lines: the name first, and no value that forges a field or a line."""

from __future__ import annotations

import io
import json
import logging
import sys
from pathlib import Path

import pytest
import structlog

from hub.process.logs import set_up_logs


@pytest.fixture(autouse=True)
def restored_logs() -> object:
    before = structlog.get_config()
    yield
    structlog.configure(**before)


def test_text_begins_with_the_name_and_quotes_what_could_forge(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs("text", "info")
    structlog.get_logger().info("event.received", type="user.created", name='x\n10:00:00 forged a="b"')
    line = capsys.readouterr().err

    expected = ' event.received type=user.created name="x\\n10:00:00 forged a=\\"b\\""\n'
    assert expected == line[8:]


def test_json_begins_with_the_name(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs("json", "info")
    structlog.get_logger().warning("delivery.late", delivery="dlv_1", status=None)
    logged = json.loads(capsys.readouterr().err)

    assert list(logged) == ["event", "at", "level", "delivery"]
    assert (logged["event"], logged["level"], logged["delivery"]) == ("delivery.late", "warning", "dlv_1")


def test_what_is_below_the_level_is_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs("text", "warning")
    structlog.get_logger().info("worker.started")

    assert capsys.readouterr().err == ""


def test_our_own_bug_keeps_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs("text", "info")
    try:
        raise LookupError("no such thing")
    except LookupError:
        structlog.get_logger().exception("delivery.failed_inside", delivery="dlv_1")
    lines = capsys.readouterr().err.splitlines()

    assert lines[0][8:] == " ERROR delivery.failed_inside delivery=dlv_1"
    assert lines[-1] == "LookupError: no such thing"


def test_a_log_that_cannot_be_written_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path("/dev/full").open("wb", buffering=0) as full:
        monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(full, write_through=True))
        set_up_logs("json", "info")
        structlog.get_logger().info("event.received", event_id="evt_1")
        logging.getLogger("gunicorn.error").error("as full")
