"""Postfix on loopback: a mail server that this project did not write, which delivers into Maildirs."""

from __future__ import annotations

import email
import email.policy
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from email.message import EmailMessage
from pathlib import Path
from types import TracebackType

from servers.program import PATIENCE_SECONDS, free_port

DOMAIN = "x.test"

_SERVICES = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
error unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""
_MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mail.hub.test
mydestination =
alias_maps =
alias_database =
mynetworks = 127.0.0.0/8
virtual_mailbox_domains = {domain}
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = texthash:{folder}/etc/mailboxes
virtual_uid_maps = static:{user}
virtual_gid_maps = static:{group}
virtual_minimum_uid = 1
smtpd_relay_restrictions = permit_mynetworks, reject
default_transport = error:nothing leaves this machine
"""


def missing() -> str | None:
    """Return what keeps Postfix from being started here; None where nothing does."""
    if shutil.which("postfix") is None:
        return "Postfix is not installed here (apt-get install postfix)"
    if os.geteuid() != 0:
        return "Postfix is started by root alone"
    return None


class Postfix:
    """A Postfix of its own on 127.0.0.1, to be used in a `with`; `mailboxes` are the names it knows."""

    def __init__(self, *mailboxes: str) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="postfix-"))
        self._mailboxes = mailboxes
        self.port = free_port()

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return (self._folder / "log").read_text()

    def __enter__(self) -> Postfix:
        self._write()
        self._command("start")
        ends_at = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            except OSError:
                if time.monotonic() > ends_at:
                    raise
            time.sleep(0.05)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._command("stop")
        shutil.rmtree(self._folder, ignore_errors=True)

    def wait_for(self, mailbox: str, count: int, seconds: float = PATIENCE_SECONDS) -> list[EmailMessage]:
        """Return the mails in a mailbox, oldest first, as soon as there are `count`, as Python reads them."""
        ends_at = time.monotonic() + seconds
        while len(files := sorted((self._folder / "mail" / mailbox / "new").glob("*"), key=_arrival)) < count:
            if time.monotonic() > ends_at:
                raise TimeoutError(f"waited {seconds:g} s for {count} mails, {len(files)} came:\n{self.log}")
            time.sleep(0.02)
        return [email.message_from_bytes(file.read_bytes(), policy=email.policy.default) for file in files]

    def _write(self) -> None:
        self._folder.chmod(0o755)
        for name in ("etc", "queue", "data", "mail"):
            (self._folder / name).mkdir(mode=0o755)
        owner, nobody = pwd.getpwnam("postfix"), pwd.getpwnam("nobody")
        os.chown(self._folder / "data", owner.pw_uid, owner.pw_gid)
        os.chown(self._folder / "mail", nobody.pw_uid, nobody.pw_gid)
        etc = self._folder / "etc"
        names = "".join(f"{name}@{DOMAIN} {name}/\n" for name in self._mailboxes)
        (etc / "mailboxes").write_text(names)
        (etc / "master.cf").write_text(_SERVICES.format(port=self.port))
        main = _MAIN.format(folder=self._folder, domain=DOMAIN, user=nobody.pw_uid, group=nobody.pw_gid)
        (etc / "main.cf").write_text(main)

    def _command(self, name: str) -> None:
        command = ["postfix", "-c", str(self._folder / "etc"), name]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"postfix {name}: {done.stdout}{done.stderr}")


def _arrival(file: Path) -> int:
    return file.stat().st_mtime_ns
