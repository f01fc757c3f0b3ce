"""The command that makes a delivery's request again."""

from __future__ import annotations

import shlex

import pytest

from hub.catalog import MASK
from hub.model.parts import Part, PartKind
from hub.preview.curl import curl


def headers(*pairs: tuple[str, str], line: str = "POST ${CRM_URL}/hooks") -> Part:
    return Part(kind=PartKind.HEADERS, text=line, pairs=pairs)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        (
            [headers(("X-A", "it's"), ("X-Team", MASK), ("webhook-timestamp", "(when it is sent)"))],
            ["curl", "--request", "POST", "${CRM_URL}/hooks", "--header", "X-A: it's"],
        ),
        (
            [headers(), Part(kind=PartKind.JSON, label="body", text='{"a": "$(reboot) `x` \'; y"}')],
            ["curl", "--request", "POST", "${CRM_URL}/hooks", "--data-raw", '{"a": "$(reboot) `x` \'; y"}'],
        ),
        (
            [headers(), Part(kind=PartKind.FIELDS, label="form", pairs=(("a", "b c"),))],
            ["curl", "--request", "POST", "${CRM_URL}/hooks", "--data-urlencode", "a=b c"],
        ),
    ],
)
def test_a_shell_reads_the_command_as_the_request_was(parts: list[Part], words: list[str]) -> None:
    command = curl(parts)

    assert command is not None
    assert words == [word for word in shlex.split(command) if word != "\n"]


@pytest.mark.parametrize("parts", [[], [Part(text="Hello")], [headers(("To", "ada@example.com"), line="")]])
def test_what_is_no_request_has_no_command(parts: list[Part]) -> None:
    assert curl(parts) is None
