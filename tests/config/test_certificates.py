"""`ca_cert`, `client_cert`, `client_key` and `proxy`: files and PEM texts, and what is no good of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from servers.authority import Authority, encrypted

from hub.model.config import Config
from hub.model.destination import RateLimit
from hub.model.problem import Severity
from hub.rules.load import load_config, read_config
from hub.transport.certificates import Certificates

OURS = Authority()
CLIENT, OTHER = OURS.sign("the hub"), OURS.sign("another")
HEAD = """\
version: 1
sources: {clerk: {type: clerk, path: /api/webhooks, signing_secret: "${SECRET}"}}
"""
TAIL = "unmatched: {send: [x]}\n"
SECRET = {"SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for routes.yaml with certificates beside it."""
    files = {
        "ca.pem": OURS.cert,
        "client.pem": CLIENT.cert,
        "client.key": CLIENT.key,
        "both.pem": CLIENT.key + CLIENT.cert,
        "other.key": OTHER.key,
        "encrypted.key": encrypted(CLIENT.key),
        "broken.pem": OURS.cert.replace(OURS.cert[40:60], "????????????????????"),
        "ca.der": "0\x82\x01",
    }
    (tmp_path / "certs").mkdir()
    for name, text in files.items():
        (tmp_path / "certs" / name).write_text(text)
    return tmp_path


def text_of(keys: str, kind: str = "{type: http, url: https://crm.test") -> str:
    return f"{HEAD}destinations:\n  x: {kind}, {keys}}}\n{TAIL}"


def load(folder: Path, text: str, **environment: str) -> Config:
    (folder / "routes.yaml").write_text(text)
    return load_config(folder / "routes.yaml", folder / "templates", SECRET | environment)


def problems(folder: Path, text: str, **environment: str) -> list[str]:
    (folder / "routes.yaml").write_text(text)
    _, shown = read_config(folder / "routes.yaml", folder / "templates", SECRET | environment)
    return [str(problem).removeprefix(f"{folder.as_posix()}/routes.yaml:") for problem in shown]


def options(folder: Path, text: str, **environment: str) -> Any:
    return load(folder, text, **environment).destinations["x"].options


# -- what is right --------------------------------------------------------------------------------


def test_files_are_read_as_seen_from_routes_yaml(folder: Path) -> None:
    keys = "ca_cert: certs/ca.pem, client_cert: certs/client.pem, client_key: certs/client.key"
    certificates = options(folder, text_of(keys)).certificates

    assert certificates == Certificates(ca=OURS.cert, client_cert=CLIENT.cert, client_key=CLIENT.key)


def test_a_text_may_stand_in_the_place_of_a_file(folder: Path) -> None:
    keys = 'ca_cert: "${CA}", client_cert: "${CERT}", client_key: "${KEY}"'
    certificates = options(
        folder, text_of(keys), CA=OURS.cert, CERT=CLIENT.cert, KEY=CLIENT.key.replace("\n", "\\n")
    ).certificates

    assert certificates.context().cert_store_stats()["x509"] > 1


def test_a_file_may_hold_both(folder: Path) -> None:
    options(folder, text_of("client_cert: certs/both.pem")).certificates.context()


def test_lines_that_yaml_folded_are_lines_again(folder: Path) -> None:
    lines = OURS.cert.strip().replace("\n", "\n      ")
    keys = f"    type: http\n    url: https://crm.test\n    ca_cert:\n      {lines}\n"

    assert options(folder, f"{HEAD}destinations:\n  x:\n{keys}{TAIL}").ca_cert.count("\n") > 5


def test_a_text_with_a_variable_that_is_not_set_waits(folder: Path) -> None:
    config = load(folder, text_of('client_cert: certs/client.pem, client_key: "${KEY}"'))

    assert config.destinations["x"].missing == ("KEY",)


def test_defaults_hold_for_all_that_can_take_them(folder: Path) -> None:
    text = f"""{HEAD}
defaults: {{ca_cert: certs/ca.pem, proxy: http://proxy:3128, concurrency: 7,
  rate_limit: 9/s, on_unknown: hold}}
destinations:
  x: {{type: http, url: https://crm.test}}
  direct: {{type: http, url: https://crm.test, proxy: "", ca_cert: "", concurrency: 2, on_unknown: resend}}
  mail: {{type: email, smtp_url: smtp://localhost, from: a@b.test, to: [c@d.test]}}
  slow: {{type: slack, webhook_url: https://hooks.slack.com/services/T}}
  log: {{type: console}}
"""
    shown = load(folder, text + TAIL).destinations
    x, direct, mail, slow, log = (shown[name] for name in ("x", "direct", "mail", "slow", "log"))

    assert x.options.proxy.get_secret_value() == "http://proxy:3128"
    assert x.options.ca_cert == mail.options.ca_cert == slow.options.ca_cert != ""
    assert (direct.options.proxy.get_secret_value(), direct.options.ca_cert) == ("", "")
    assert (x.concurrency, direct.concurrency, log.concurrency) == (7, 2, 7)
    assert (x.on_unknown, direct.on_unknown) == ("hold", "resend")
    # A place's own limit lets fewer through.
    assert (x.rate_limit, slow.rate_limit) == (
        RateLimit(count=9, seconds=1),
        RateLimit(count=1, seconds=1, burst=5),
    )


def test_a_variable_that_is_not_set_leaves_the_defaults_as_they_are_built_in(folder: Path) -> None:
    text = text_of("timeout: 9s") + 'defaults: {ca_cert: "${CA}", proxy: "${PROXY}"}\n'

    assert options(folder, text).ca_cert is None
    assert options(folder, text).proxy is None


def test_no_value_is_shown(folder: Path) -> None:
    config = load(
        folder,
        text_of('client_cert: "${CERT}", client_key: "${KEY}", proxy: "${PROXY}"'),
        CERT=CLIENT.cert,
        KEY=CLIENT.key,
        PROXY="http://ada:pass-word@proxy:3128",
    )
    text = repr(config) + repr(config.destinations["x"].options) + str(config.destinations["x"].options)

    assert {"CERT", "KEY", "PROXY"} <= set(config.secrets)
    assert [secret for secret in (CLIENT.key[40:80], "pass-word") if secret in text] == []


# -- what is wrong --------------------------------------------------------------------------------

PAIR = "client_cert: certs/client.pem, client_key: certs/"
WRONG = {
    "ca_cert: certs/none.pem": '"ca_cert" names the file "certs/none.pem", which cannot be read (no such',
    "ca_cert: certs": '"ca_cert" names the file "certs", which cannot be read (is a directory); write its',
    "ca_cert: certs/ca.der": '"ca_cert" holds no certificate in PEM form ("-----BEGIN CERTIFICATE-----")',
    "ca_cert: certs/broken.pem": '"ca_cert" holds no certificate that can be read',
    "client_cert: certs/client.pem": '"client_cert" needs the key of the certificate beside it; add "client',
    "client_key: certs/client.key": '"client_key" is the key of "client_cert", which is not there; add it',
    PAIR + "ca.pem": '"client_key" holds no key in PEM form ("-----BEGIN PRIVATE KEY-----")',
    PAIR + "other.key": '"client_key" is not the key of this client_cert',
    PAIR + "encrypted.key": '"client_key" is encrypted, and the hub has no password for it; decrypt it first',
    "proxy: https://proxy:3128": '"proxy" must look like http://user:password@proxy:3128',
    "proxy: http://proxy": '"proxy" must name the port of the proxy, as in http://proxy:3128',
    "ca_cert: 7": '"ca_cert" must be text, not a number',
}


@pytest.mark.parametrize("keys", list(WRONG))
def test_what_is_no_good_is_one_problem_at_its_place(folder: Path, keys: str) -> None:
    text = text_of(keys)
    last = keys.rpartition(", ")[2]
    is_about_key = keys == "client_key: certs/client.key"
    column = text.splitlines()[3].index(last if is_about_key else last.partition(": ")[2]) + 1
    shown = problems(folder, text)

    assert len(shown) == 1
    assert shown[0].startswith(f"4:{column}: error[")
    assert WRONG[keys] in shown[0]


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        ("ca_cert", "nowhere/secret-place.pem", "it is no PEM text and names no file that holds one"),
        (PAIR.rpartition(":")[0], OTHER.key, '"client_key" is not the key of this client_cert'),
        ("client_key: certs/other.key, client_cert", CLIENT.cert, '"client_key" is not the key of this'),
        ("proxy", "ada:secret-place", '"proxy" must look like http://user:password@proxy:3128'),
    ],
)
def test_a_value_that_is_no_good_makes_a_destination_wait(
    folder: Path, keys: str, value: str, message: str
) -> None:
    text = text_of(f'{keys}: "${{VALUE}}"')
    shown = problems(folder, text, VALUE=value)
    config = load(folder, text, VALUE=value)

    assert len(shown) == 1
    assert f"error[bad-variable]: VALUE cannot be used: {message}" in shown[0]
    assert "secret-place" not in "".join(shown)
    assert config.destinations["x"].missing == ("VALUE",)
    assert [warning.severity for warning in config.warnings] == [Severity.WARNING]


def test_a_key_that_is_written_out_is_told(folder: Path) -> None:
    lines = CLIENT.key.strip().replace("\n", "\n      ")
    text = (
        f"{HEAD}destinations:\n  x:\n    type: http\n    url: https://crm.test\n"
        f"    client_cert: certs/client.pem\n    client_key: |\n      {lines}\n{TAIL}"
    )

    assert [problem.split(": ", 2)[1] for problem in problems(folder, text)] == ["warning[secret-in-file]"]
    assert problems(folder, text_of("client_cert: certs/client.pem, client_key: certs/client.key")) == []


def test_mail_by_smtp_takes_no_proxy(folder: Path) -> None:
    kind = "{type: email, smtp_url: smtp://localhost, from: a@b.test, to: [c@d.test]"
    (shown,) = problems(folder, text_of("proxy: http://proxy:3128", kind))

    assert "cannot take a proxy: mail by SMTP goes to its server directly" in shown


def test_no_type_can_do_without_verifying(folder: Path) -> None:
    (shown,) = problems(folder, text_of("verify: false"))

    assert 'has no key "verify"' in shown
