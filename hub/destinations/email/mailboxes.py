"""Mailboxes: a name and an address, read from what users and strangers wrote, one from each text at most."""

from __future__ import annotations

import re
from dataclasses import dataclass

import idna

from hub.strings import one_line, shortened

NAME_LIMIT = 100

_LOCAL_PART = re.compile(r"(?!\.)[^\s@<>()\[\]\\,;:\"\x00-\x1f\x7f]+")
_QUOTED = re.compile(r'\s*"((?:\\.|[^"\\])*)"\s*')
_SPECIALS = re.compile(r'[][()<>@,:;.\\"]')
"""RFC 5322, section 3.2.3: a name with one of them stands in quotes."""


@dataclass(frozen=True, kw_only=True)
class Mailbox:
    """A name, which may be empty, and an address whose domain is in its ASCII form.

    Its text is as RFC 5322 has it, but for letters beyond ASCII; `mailbox` reads it back.
    """

    name: str = ""
    address: str

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2]

    def __str__(self) -> str:
        if not self.name:
            return self.address
        return f"{quoted(self.name)} <{self.address}>"


def quoted(name: str) -> str:
    """Return a name as it stands before an address, in quotes where something in it would mean more."""
    return '"' + re.sub(r'(["\\])', r"\\\1", name) + '"' if _SPECIALS.search(name) else name


def header_text(text: str, limit: int) -> str:
    """Return the text as a header may carry it: one line, nothing in it that reads as an encoded word."""
    return shortened(one_line(text).replace("=?", "= ?"), limit)


def mailbox(text: str) -> Mailbox:
    """Return the one mailbox that a text is, like `Ada Lovelace <ada@example.com>` or the address alone.

    Whatever stands before the last `<` is the name: commas and other addresses in it make no second mailbox.
    Raises ValueError where the address is none.
    """
    stripped = text.strip()
    if "<" not in stripped or not stripped.endswith(">"):
        return Mailbox(address=valid_address(stripped))
    before, _, address = stripped[:-1].rpartition("<")
    quoted = _QUOTED.fullmatch(before)
    name = re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else before
    return Mailbox(name=header_text(name, NAME_LIMIT), address=valid_address(address))


def mailboxes(text: str) -> tuple[Mailbox, ...]:
    """Return the mailboxes of an operator's text like `Ada <ada@example.com>, b@example.com`.

    Commas inside quotes separate nothing. Raises ValueError where one is wrong.
    """
    parts = re.findall(r'(?:"(?:\\.|[^"\\])*"|[^,"])+', text)
    return tuple(mailbox(part) for part in parts if part.strip())


def valid_address(text: str) -> str:
    """Return the one bare address that a text is, its domain in ASCII form; raises ValueError otherwise.

    Dots side by side or before the @ are allowed, as some carriers gave them out.
    """
    local, _, domain = text.strip().rpartition("@")
    if (
        not _LOCAL_PART.fullmatch(local)
        or len(local.encode()) > 64
        or "=?" in local
        or not local.isprintable()
    ):
        raise ValueError("the part before its @ is not valid" if "@" in text else "it has no @")
    try:
        ascii_domain = idna.encode(domain, uts46=True).decode()
    except idna.IDNAError:
        raise ValueError("its domain is not valid") from None
    if ascii_domain.endswith("."):
        raise ValueError("it ends with a dot")
    return f"{local}@{ascii_domain}"
