"""`ca_cert`, `client_cert` and `client_key` of a block: files become their texts, and each is looked at.

A file is read when the version of routes.yaml is loaded that names it, and again once it changes. It is kept
in no database: it may be a key.
"""

from __future__ import annotations

import re
from pathlib import Path as FilePath

from hub.config.regular_files import read_regular
from hub.config.report import Report
from hub.model.problem import Code
from hub.strings import one_line
from hub.transport.certificates import authority_fault, client_fault
from hub.yamldoc import Path

CERTIFICATE_KEYS = ("ca_cert", "client_cert", "client_key")
FILE_LIMIT_BYTES = 256 * 1024

_BLOCK = re.compile(r"(-----BEGIN ([A-Z0-9 ]+)-----)(.*?)(-----END \2-----)", re.DOTALL)


class _Fault(Exception):
    """A text that is no good: the code of its problem, and a part of a sentence that says why."""

    def __init__(self, code: Code, message: str) -> None:
        self.code = code
        super().__init__(message)


def read_certificates(report: Report, path: Path) -> None:
    """Put PEM texts in the place of files in the block at a path, and report what is no good of them."""
    block = report.raw_at(path)
    there = [key for key in CERTIFICATE_KEYS if isinstance(block, dict) and isinstance(block.get(key), str)]
    folder = FilePath(report.document.file).parent
    for key in there:
        _place(report, (*path, key), folder)
    if "client_key" in there and "client_cert" not in block:
        message = '"client_key" is the key of "client_cert", which is not there; add it'
        report.error((*path, "client_key"), Code.MISSING_KEY, message, key=True)
    elif "client_cert" in there:
        _check_pair(report, path)


def _place(report: Report, where: Path, folder: FilePath) -> None:
    """Put a PEM text in the place of a key's value."""
    texts = {}
    for is_written, text in ((True, report.written_at(where)), (False, report.value_at(where))):
        if is_written and report.is_undecided(where):
            continue
        try:
            texts[is_written] = _checked(str(where[-1]), _text_of(report, text, folder)) if text else ""
        except _Fault as fault:
            if is_written:
                report.error(where, fault.code, f'"{where[-1]}" {fault}')
            elif report.has_values(where):
                report.unusable(where, "it is no PEM text and names no file that holds one")
    report.put(where, written=texts.get(True), value=texts.get(False))


def _text_of(report: Report, text: str, folder: FilePath) -> str:
    """Return the PEM text that a value is, or that the file holds which it names."""
    if "-----BEGIN" in text:
        return _unfolded(text)
    path = folder / text.strip()
    report.files[path] = None
    try:
        content = read_regular(path, FILE_LIMIT_BYTES)
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or "no such file").lower()
        message = (
            f'names the file "{one_line(text, 100)}", which cannot be read ({reason}); '
            "write its path as seen from routes.yaml, or the PEM text itself"
        )
        raise _Fault(Code.UNREADABLE_FILE, message) from error
    return _unfolded(content.decode("utf-8", "replace"))


def _unfolded(text: str) -> str:
    """Return a PEM text with the line breaks that YAML folded into spaces, or a platform wrote as `\\n`."""
    lines = text if "\n" in text.strip() else text.replace("\\n", "\n")
    return _BLOCK.sub(lambda block: "\n".join([block[1], *block[3].split(), block[4]]), lines)


def _checked(key: str, pem: str) -> str:
    """Return a PEM text that holds what its key is for; raises _Fault."""
    if key == "client_key":
        if "ENCRYPTED" in pem:
            raise _Fault(Code.BAD_VALUE, "is encrypted, and the hub has no password for it; decrypt it first")
        if "PRIVATE KEY-----" not in pem:
            raise _Fault(Code.BAD_VALUE, 'holds no key in PEM form ("-----BEGIN PRIVATE KEY-----")')
    elif "-----BEGIN CERTIFICATE-----" not in pem:
        raise _Fault(Code.BAD_VALUE, 'holds no certificate in PEM form ("-----BEGIN CERTIFICATE-----")')
    elif fault := authority_fault(pem):
        raise _Fault(Code.BAD_VALUE, fault)
    return pem


def _check_pair(report: Report, path: Path) -> None:
    """Report a client_key that is not that of the client_cert, which may hold it itself."""
    cert_path, key_path = (*path, "client_cert"), (*path, "client_key")
    has_key = "client_key" in report.raw_at(path)
    paths = (cert_path, key_path) if has_key else (cert_path,)
    if any(where in report.error_paths for where in paths):
        return
    fault = None
    if not any(report.is_undecided(where) for where in paths):
        fault = _pair_fault([report.written_at(where) for where in paths])
        if fault:
            report.error(paths[-1], Code.BAD_VALUE, fault)
    with_values = [where for where in paths if report.has_values(where)]
    if with_values and not fault and not any(report.lacking(where) for where in paths):
        fault = _pair_fault([report.value_at(where) for where in paths])
        if fault:
            report.unusable(with_values[-1], fault)


def _pair_fault(texts: list[object]) -> str | None:
    pems = [text for text in texts if isinstance(text, str)]
    if len(pems) < len(texts):
        return None
    if len(pems) == 1 and "PRIVATE KEY-----" not in pems[0]:
        return '"client_cert" needs the key of the certificate beside it; add "client_key"'
    fault = client_fault(pems[0], pems[-1])
    return fault and f'"client_key" {fault}'
