"""What every type that opens connections takes, whichever there are."""

from __future__ import annotations

from pathlib import Path

import pytest
from sending import SUMMARY, attempt
from servers.authority import Authority
from servers.forward_proxy import ForwardProxy
from servers.http_receiver import CannedResponse, HttpReceiver
from servers.smtp_server import SmtpServer

import hub.destinations
from hub.destinations.base import NetworkBlock, destination_types, find_destination
from hub.destinations.email.destination import EmailDestination
from hub.destinations.email.options import EmailOptions
from hub.destinations.slack.destination import SlackDestination
from hub.destinations.slack.options import SlackOptions
from hub.errors import Retry

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


@pytest.mark.parametrize("is_implicit", [True, False])
def test_mail_goes_over_tls_of_an_authority_of_ones_own(tmp_path: Path, is_implicit: bool) -> None:
    ours = Authority()
    with SmtpServer(tls=ours.server(tmp_path), implicit_tls=is_implicit) as server:
        url = server.url if is_implicit else f"{server.url}?starttls=required"
        given = {"smtp_url": url, "from": "hub@example.com", "to": "ada@example.com"}
        trusting = EmailOptions.model_validate({**given, "ca_cert": ours.cert})
        message = EmailDestination.compose_builtin(trusting, SUMMARY, None, "")
        EmailDestination(trusting, "mail").send(message, attempt())
        with pytest.raises(Retry, match="TLS failed: unable to get local issuer certificate"):
            EmailDestination(EmailOptions.model_validate(given), "mail").send(message, attempt())

    assert len(server.inbox.all()) == 1


def test_a_destination_sends_by_its_proxy_over_tls_of_its_own(tmp_path: Path) -> None:
    ours = Authority()
    client = ours.sign("the hub")
    answer = CannedResponse(body=b"ok")
    with (
        HttpReceiver([answer], tls=ours.server(tmp_path, wants_client=True)) as receiver,
        ForwardProxy(login="ada:secret") as proxy,
    ):
        options = SlackOptions.model_validate(
            {
                "webhook_url": f"{receiver.url}/services/T/B/X",
                "ca_cert": ours.cert,
                "client_cert": client.cert,
                "client_key": client.key,
                "proxy": proxy.url.replace("//", "//ada:secret@"),
            }
        )
        message = SlackDestination.compose_builtin(options, SUMMARY, None, "")
        receipt = SlackDestination(options, "team").send(message, attempt())

    assert receipt.status == 200
    assert proxy.requests == [("CONNECT", f"127.0.0.1:{receiver.port}")]
