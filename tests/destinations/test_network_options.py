"""What every type that opens connections takes, whichever there are."""

from __future__ import annotations

from pathlib import Path

import pytest

import hub.destinations
from hub.destinations.base import NetworkBlock, destination_types, find_destination

FOLDER = Path(hub.destinations.__file__).parent
OFFLINE = {"console"}


@pytest.mark.parametrize("name", sorted(set(destination_types()) - OFFLINE))
def test_every_type_that_connects_takes_certificates_and_a_proxy(name: str) -> None:
    kind = find_destination(name)

    assert kind is not None
    assert issubclass(kind.Options, NetworkBlock)


def test_no_type_makes_a_client_without_them() -> None:
    makers = [path.name for path in FOLDER.rglob("*.py") if " HttpClient(" in path.read_text()]

    assert makers == ["base.py"]
