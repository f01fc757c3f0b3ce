import datetime
import ipaddress
import json
import ssl

import given
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hub import catalog
from hub.delivery.render import RenderContext, SendRenderer
from hub.model.event import Event
from hub.templating.escapes import OwnLink
from hub.templating.sandbox import Sandbox

LINK = "https://hub.test/events/evt_1"
NOW = datetime.datetime(2026, 3, 1, 12, 0, tzinfo=datetime.UTC)


def pytest_generate_tests(metafunc):
    """Give each type's table of answers to the contract suite, a row a test."""
    if "answer" in metafunc.fixturenames and metafunc.cls:
        metafunc.parametrize("answer", metafunc.cls.ANSWERS, ids=str)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A certificate for 127.0.0.1 and localhost that is its own authority: the file of it and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test server")])
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture(scope="session")
def tls(certificate):
    """The TLS context of a test's server."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture
def trusted(certificate, monkeypatch):
    """Let the certificate of a test's server count as an authority."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))


@pytest.fixture
def renderer():
    """A function that makes a renderer: `renderer(data={...}, templates={...}, event_type=...)`."""

    def make(data=None, templates=(), event_type="user.created"):
        payload = catalog.sample_payload(event_type) if data is None else payload_of(event_type, data)
        event = Event(
            id="evt_1", source="clerk", message_id="msg_1", type=event_type, payload=payload, received_at=NOW
        )
        seen = {**given.seen(event), "destination": "it", "link": OwnLink(LINK)}
        return SendRenderer(
            context=RenderContext(event=event, route="welcome", link=LINK),
            sandbox=Sandbox(dict(templates)),
            variables=seen,
        )

    return make


def payload_of(event_type, data):
    return json.dumps({"type": event_type, "object": "event", "data": data}).encode()
