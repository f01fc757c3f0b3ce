"""The supervisor of the hub's own processes: it starts them again, ends them together, leaves none."""

from __future__ import annotations

import contextlib
import gc
import os
import select
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from hub.process.log_queue import end_process

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 30.0
"""A process that dies is started again after a pause that grows while it keeps dying."""

SETTLED_SECONDS = 60.0
"""A process that ran for so long is well; its next pause is the first again."""

STOP_SECONDS = 9.0
"""The time that processes have to end by themselves after a request to stop."""

SAME_STOP_SECONDS = 1.0
"""Signals this close together are one request: a platform tells every process of a dyno, and the parent tells
its children once more; a process manager that is interrupted passes the interrupt on as a SIGTERM.
"""

log = structlog.get_logger()


@dataclass
class _Child:
    name: str
    run: Callable[[], None]
    pid: int | None = None
    started_at: float = 0.0
    pause_seconds: float = FIRST_PAUSE_SECONDS
    start_at: float = 0.0


def supervise(programs: Mapping[str, Callable[[], None]]) -> None:
    """Run each program in a process of its own until SIGTERM or SIGINT; a second signal hurries.

    Call it from a process without threads that has imported what the programs need: they share its memory.
    """
    children = [_Child(name=name, run=run) for name, run in programs.items()]
    signals = _Signals()
    gc.freeze()
    while not signals.stopping:
        for child in children:
            if child.pid is None and time.monotonic() >= child.start_at:
                _start(child, signals)
        signals.wait(0.2)
        _reap(children)
    _stop(children, signals)


class StopSignals:
    """A counter of the requests to stop; signals that come together are one.

    SIGHUP, the terminal's last word, is one of them, but not where nohup had it ignored.
    """

    def __init__(self, on_first: Callable[[], None], on_second: Callable[[], None]) -> None:
        self._calls = (on_first, on_second)
        self._count, self._last_at = 0, 0.0
        for number in _stop_signals():
            signal.signal(number, self._receive)

    def _receive(self, number: int, frame: object) -> None:
        now = time.monotonic()
        is_new = self._count == 0 or now - self._last_at > SAME_STOP_SECONDS
        self._last_at = now
        if is_new:
            self._count += 1
            self._calls[min(self._count, 2) - 1]()


def _stop_signals() -> tuple[signal.Signals, ...]:
    nohup = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    return (signal.SIGTERM, signal.SIGINT) if nohup else (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class _Signals:
    """The signals of the parent: requests to stop are counted, and each signal wakes who waits."""

    def __init__(self) -> None:
        self.stopping = 0
        self._numbers = (*_stop_signals(), signal.SIGCHLD)
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        StopSignals(self._count, self._count)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)

    def _count(self) -> None:
        self.stopping += 1

    def wait(self, seconds: float) -> None:
        if select.select([self._reader], [], [], seconds)[0]:
            self._reader.recv(4096)

    def leave_to_child(self) -> None:
        """Undo all of this in a child, which has signal handlers of its own."""
        signal.set_wakeup_fd(-1)
        for number in self._numbers:
            signal.signal(number, signal.SIG_DFL)
        self._reader.close()
        self._writer.close()


def _start(child: _Child, signals: _Signals) -> None:
    _flush()
    pid = os.fork()
    if pid:
        child.pid, child.started_at = pid, time.monotonic()
        log.info("process.started", process=child.name, pid=pid)
        return
    status = 1
    try:
        # Its own group: Ctrl-C on a terminal reaches the parent alone, who ends all in good order.
        os.setpgid(0, 0)
        signals.leave_to_child()
        child.run()
        status = 0
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 1
    except BaseException:  # noqa: BLE001 - the last frame of a process
        traceback.print_exc()
    finally:
        _flush()
        end_process(status)


def _flush() -> None:
    """Write what was printed, unless the disk behind it is full."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()


def _reap(children: list[_Child]) -> None:
    for child in children:
        ended, status = os.waitpid(child.pid, os.WNOHANG) if child.pid is not None else (0, 0)
        if ended == 0:
            continue
        now = time.monotonic()
        if now - child.started_at > SETTLED_SECONDS:
            child.pause_seconds = FIRST_PAUSE_SECONDS
        child.start_at = now + child.pause_seconds
        log.error(
            "process.died",
            process=child.name,
            pid=child.pid,
            status=os.waitstatus_to_exitcode(status),
            again_in_seconds=child.pause_seconds,
        )
        child.pid = None
        child.pause_seconds = min(child.pause_seconds * 2, LONGEST_PAUSE_SECONDS)


def _stop(children: list[_Child], signals: _Signals) -> None:
    deadline = time.monotonic() + STOP_SECONDS
    _send(children, signal.SIGTERM)
    while any(child.pid for child in children) and time.monotonic() < deadline and signals.stopping < 2:
        signals.wait(0.1)
        for child in children:
            if child.pid is not None and os.waitpid(child.pid, os.WNOHANG)[0]:
                child.pid = None
    _send(children, signal.SIGKILL)
    for child in children:
        if child.pid is not None:
            os.waitpid(child.pid, 0)


def _send(children: list[_Child], number: signal.Signals) -> None:
    for child in children:
        if child.pid is not None:
            os.kill(child.pid, number)


def end_with_parent(stop: Callable[[], None], grace_seconds: float = STOP_SECONDS) -> None:
    """Call `stop` once this process's parent has died, and end it by force if that takes too long."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        stop()
        time.sleep(grace_seconds)
        end_process(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()
