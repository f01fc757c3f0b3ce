"""Certificates and proxy of a database, whose URL may ask for TLS, too, or for none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from servers.authority import Authority

from hub.rules.load import load_config, read_config
from hub.transport.certificates import Certificates

OURS = Authority()
CLIENT, OTHER = OURS.sign("the hub"), OURS.sign("another")
CA = "ca_cert: ca.pem"
PAIR = "client_cert: client.pem, client_key: client.key"
SECRET = {"SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
TEXT = """\
version: 1
sources: {{clerk: {{type: clerk, path: /api/webhooks, signing_secret: "${{SECRET}}"}}}}
defaults: {{{defaults}}}
destinations:
  x: {{type: database, url: "{url}", tables: [users], {keys}}}
routes: [{{name: mirror, events: user.*, send: x}}]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = {"ca.pem": OURS.cert, "client.pem": CLIENT.cert, "client.key": CLIENT.key, "other.key": OTHER.key}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def problems(folder: Path, url: str, keys: str, **environment: str) -> list[str]:
    (folder / "routes.yaml").write_text(TEXT.format(url=url, keys=keys, defaults="timeout: 9s"))
    _, shown = read_config(folder / "routes.yaml", folder / "templates", SECRET | environment)
    return [str(problem) for problem in shown]


def options(folder: Path, url: str, keys: str, defaults: str = "timeout: 9s") -> Any:
    (folder / "routes.yaml").write_text(TEXT.format(url=url, keys=keys, defaults=defaults))
    config = load_config(folder / "routes.yaml", folder / "templates", SECRET)
    return config.destinations["x"].options


def test_a_mirror_gets_the_certificates_of_its_block(folder: Path) -> None:
    mirror = options(folder, "postgres://db/app", f"{CA}, {PAIR}").mirror

    assert mirror.certificates == Certificates(ca=OURS.cert, client_cert=CLIENT.cert, client_key=CLIENT.key)
    assert CLIENT.key[40:80] not in repr(mirror)


@pytest.mark.parametrize(
    ("url", "is_trusted"),
    [
        ("postgres://db/app", False),
        ("postgres://db/app?sslmode=require", False),
        ("postgres://db/app?sslmode=verify-ca", True),
        ("postgres://db/app?sslmode=verify-full", True),
        ("postgres://db/app?sslmode=verify-full&sslrootcert=system", False),
        ("mysql://db/app", False),
        ("mysql://db/app?ssl-mode=VERIFY_IDENTITY", True),
        ("mysql://db/app?ssl-ca=/ca.pem", False),
        ("sqlite:///app.db", False),
    ],
)
def test_what_defaults_trust_makes_no_database_need_tls(folder: Path, url: str, is_trusted: bool) -> None:
    read = options(folder, url, "timeout: 9s", f"{CA}, proxy: http://proxy:3128")

    assert (read.ca_cert, read.proxy) == (OURS.cert if is_trusted else None, None)


def test_a_database_may_do_without_the_authority_of_all(folder: Path) -> None:
    assert options(folder, "postgres://db/app?sslmode=verify-full", 'ca_cert: ""', CA).certificates.ca == ""


@pytest.mark.parametrize(
    ("url", "keys", "message"),
    [
        ("sqlite:///app.db", CA, "is a SQLite file, which has no network and no TLS; take ca_cert away"),
        ("sqlite:///app.db", PAIR, "no network and no TLS; take client_cert and client_key away"),
        ("postgres:///app?host=/run/pg", CA, '"url" is a socket of this machine, which has no TLS;'),
        ("mysql:///app?socket=/run/my", CA, '"url" is a socket of this machine, which has no TLS;'),
        ("postgres://db/app?sslmode=disable", CA, '"url" asks for no TLS; write sslmode=verify-full'),
        ("mysql://db/app?ssl-mode=DISABLED", PAIR, '"url" asks for no TLS; write sslmode=verify-full'),
        ("postgres://db/app?sslrootcert=/c", CA, '"url" has sslrootcert, which is the same as ca_cert;'),
        ("postgres://db/app?sslcert=/hub", PAIR, "has sslcert, which is the same as client_cert; take"),
        ("mysql://db/app?ssl_ca=/ca", CA, '"url" has ssl-ca, which is the same as ca_cert; take one'),
        ("postgres://db/app", "proxy: http://p:1", "cannot take a proxy: the hub goes to a database"),
        ("postgres://db/app", "client_cert: client.pem", '"client_cert" needs the key of the certificate'),
        ("postgres://db/app", PAIR.replace("client.key", "other.key"), "is not the key of this client_cert"),
        ("postgres://db/app", "ca_cert: client.key", '"ca_cert" holds no certificate in PEM form'),
    ],
)
def test_what_is_of_no_use_to_a_database_is_one_problem(
    folder: Path, url: str, keys: str, message: str
) -> None:
    written = problems(folder, url, keys)
    of_variable = problems(folder, "${URL}", keys, URL=url)

    assert len(written) == len(of_variable) == 1
    assert message in written[0]
    assert message in of_variable[0]
