"""An authority of a test's own, and the certificates that it signs, as PEM texts."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PRIVATE = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)


@dataclass(frozen=True, kw_only=True)
class Signed:
    """A certificate and its key."""

    cert: str
    key: str


class Authority:
    """Signs certificates for 127.0.0.1 and localhost; `cert` is its own."""

    def __init__(self, name: str = "test authority") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.cert = self._signed(self._name, self._key, is_ca=True)

    def sign(self, name: str) -> Signed:
        """Return a certificate of that name with a key of its own."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        pem = key.private_bytes(*PRIVATE, serialization.NoEncryption()).decode()
        return Signed(cert=self._signed(subject, key, is_ca=False), key=pem)

    def server(self, folder: Path, *, wants_client: bool = False) -> ssl.SSLContext:
        """Return the context of a server with a certificate of this authority."""
        signed = self.sign("test server")
        file = folder / "server.pem"
        file.write_text(signed.key + signed.cert)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(file)
        if wants_client:
            context.load_verify_locations(cadata=self.cert)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def _signed(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, *, is_ca: bool) -> str:
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        now = datetime.datetime.now(datetime.UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(hours=1))
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        return made.public_bytes(serialization.Encoding.PEM).decode()


def encrypted(key: str, password: bytes = b"secret") -> str:
    """Return a key under a password."""
    loaded = serialization.load_pem_private_key(key.encode(), None)
    return loaded.private_bytes(*PRIVATE, serialization.BestAvailableEncryption(password)).decode()
