"""Certificates of a mirror's connections, on servers that have TLS: who is verified, who is refused."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from given_mirror import SECONDS, apply, new_mirror, user
from servers.authority import Authority
from servers.mariadb import MariaDb, missing
from servers.tls_front import TlsFront
from servers.tls_postgres import TlsPostgres

from hub.errors import Pause, SendError
from hub.transport.certificates import NO_CERTIFICATES, Certificates

OURS, STRANGERS = Authority(), Authority("strangers")
CLIENT, STRANGER = OURS.sign("ada"), STRANGERS.sign("ada")
TRUSTING = Certificates(ca=OURS.cert)
KNOWN = Certificates(ca=OURS.cert, client_cert=CLIENT.cert, client_key=CLIENT.key)
CURE = "; the authority that signed its certificate goes under ca_cert"

_ids = (f"u{number}" for number in itertools.count())


@dataclass(frozen=True, kw_only=True)
class Server:
    """A database that is reached by TLS, under another name than its certificate has, by clients it knows."""

    url: str
    misnamed: str
    of_clients: str


@pytest.fixture(scope="module")
def servers(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Server]]:
    made: dict[str, Server] = {}
    with ExitStack() as stack:

        def postgres(folder: Path) -> Server:
            url = request.getfixturevalue("new_postgres_database")(None)
            front = stack.enter_context(TlsFront(url, OURS.server(folder)))
            asking = stack.enter_context(TlsFront(url, OURS.server(folder, wants_client=True)))
            misnamed = f"{front.url}?host=db.test&hostaddr=127.0.0.1"
            return Server(url=f"{front.url}?", misnamed=misnamed, of_clients=f"{asking.url}?")

        def mariadb(folder: Path) -> Server:
            if reason := missing():
                pytest.skip(reason)
            server = stack.enter_context(MariaDb(tls=OURS))
            server.execute("CREATE USER known@'%' IDENTIFIED BY 'not-a-secret' REQUIRE SUBJECT '/CN=ada'")
            server.execute("GRANT ALL ON *.* TO known@'%'")
            url = f"{server.new_database()}?"
            return Server(
                url=url, misnamed=url.replace("127.0.0.1", "127.1"), of_clients=url.replace("hub:", "known:")
            )

        def server(dialect: str) -> Server:
            if dialect not in made:
                folder = tmp_path_factory.mktemp("tls")
                made[dialect] = {"postgres": postgres, "mariadb": mariadb}[dialect](folder)
            return made[dialect]

        yield server


@pytest.fixture(params=["postgres", "mariadb"])
def server(request: pytest.FixtureRequest, servers: Callable[[str], Server]) -> Server:
    return servers(request.param)


def effect(url: str, certificates: Certificates) -> str:
    """The effect of a row that was not there before."""
    with closing(new_mirror(url, tables=("users",), certificates=certificates)) as mirror:
        return apply(mirror, user(next(_ids)))


def refusal(url: str, certificates: Certificates, kind: type[SendError] = Pause) -> str:
    with closing(new_mirror(url, tables=("users",), certificates=certificates)) as mirror:
        with pytest.raises(kind) as refused:
            mirror.apply(user("u"), instance_id=None, timeout_seconds=SECONDS)
        return str(refused.value)


@pytest.mark.parametrize("query", ["", "&sslmode=require", "&sslmode=verify-ca"])
def test_a_server_of_ones_own_authority_is_written_to(server: Server, query: str) -> None:
    assert effect(f"{server.url}{query}", TRUSTING) == "inserted"


@pytest.mark.parametrize("query", ["", "&sslmode=disable", "&sslmode=require", "&sslmode=verify-ca"])
def test_a_server_of_another_authority_waits_for_somebody(server: Server, query: str) -> None:
    reason = refusal(f"{server.url}{query}", Certificates(ca=STRANGERS.cert))

    assert reason.startswith("TLS failed: ")
    assert reason.endswith(CURE)


def test_a_server_of_another_name_is_refused_where_the_url_does_not_leave_it_out(server: Server) -> None:
    reason = refusal(server.misnamed, TRUSTING)

    assert reason.startswith("TLS failed: ")
    assert any(words in reason for words in ("does not match host name", "ostname mismatch"))
    assert effect(f"{server.misnamed}&sslmode=verify-ca", TRUSTING) == "inserted"


def test_a_server_without_tls_is_refused(new_postgres_database: Callable[..., str]) -> None:
    with TlsFront(new_postgres_database(None), None) as plain:
        reason = refusal(plain.url, TRUSTING)

        assert reason == "TLS failed: server does not support SSL, but SSL was required"
        assert refusal(plain.url, Certificates(client_cert=CLIENT.key + CLIENT.cert)) == reason


def test_a_mariadb_without_tls_is_refused(new_mariadb_database: Callable[[], str]) -> None:
    reason = "the database says: SSL is required but the server doesn't support it"

    assert refusal(new_mariadb_database(), TRUSTING) == reason


@pytest.mark.parametrize(
    "known", [KNOWN, Certificates(ca=OURS.cert, client_cert=CLIENT.key + CLIENT.cert)], ids=["two", "one"]
)
def test_a_client_with_a_certificate_is_let_in(
    server: Server, known: Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """libpq itself refuses a key that others may read; nothing of it is there afterwards."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    assert effect(server.of_clients, known) == "inserted"
    assert list(tmp_path.iterdir()) == []


def test_a_client_without_a_certificate_waits_for_somebody(server: Server) -> None:
    reason = refusal(server.of_clients, TRUSTING)

    assert any(
        words in reason for words in ("TLS failed: tlsv13 alert certificate required", "Access denied")
    )


def test_a_clients_certificate_of_another_authority_is_refused(server: Server) -> None:
    """MariaDB may hang up before its refusal is read: then the hub tries again."""
    strange = Certificates(ca=OURS.cert, client_cert=STRANGER.cert, client_key=STRANGER.key)

    assert refusal(server.of_clients, strange, SendError)


def test_the_usual_authorities_verify_no_server_of_ones_own(server: Server) -> None:
    """On PostgreSQL they are those of the system, on MySQL these and certifi's."""
    query = "&sslmode=verify-full&sslrootcert=system" if "postgres" in server.url else "&sslmode=verify-ca"

    assert refusal(f"{server.url}{query}", NO_CERTIFICATES).startswith("TLS failed: ")


def test_without_the_name_mysql_trusts_the_authority_that_was_given_alone(
    servers: Callable[[str], Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The usual ones sign for everybody: by them alone, a server is verified by its name."""
    server = servers("mariadb")
    usual = tmp_path / "usual.pem"
    usual.write_text(OURS.cert)
    monkeypatch.setenv("SSL_CERT_FILE", str(usual))
    strange = Certificates(ca=STRANGERS.cert)

    assert effect(f"{server.url}&ssl-mode=VERIFY_CA", NO_CERTIFICATES) == "inserted"
    assert "ostname mismatch" in refusal(f"{server.misnamed}&ssl-mode=VERIFY_CA", NO_CERTIFICATES)
    assert refusal(f"{server.url}&ssl-mode=VERIFY_CA", strange).endswith(CURE)
    assert effect(server.url, strange) == "inserted"


@pytest.mark.full
def test_postgres_itself_asks_for_a_certificate_of_the_role(tmp_path: Path) -> None:
    if reason := TlsPostgres.missing():
        pytest.skip(reason)
    eve = OURS.sign("eve")
    with TlsPostgres(OURS, hba="hostssl all ada 127.0.0.1/32 trust clientcert=verify-full") as postgres:
        postgres.execute("CREATE ROLE ada LOGIN SUPERUSER")
        url = postgres.url("ada")

        assert effect(url, KNOWN) == "inserted"
        assert "requires a valid client certificate" in refusal(url, TRUSTING)
        assert "authentication failed" in refusal(
            url, Certificates(ca=OURS.cert, client_cert=eve.cert, client_key=eve.key)
        )
        assert refusal(url, Certificates(ca=STRANGERS.cert)).endswith(CURE)
