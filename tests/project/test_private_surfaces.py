"""Every private or undocumented part of a library that the hub relies on is still there.

CONTRIBUTING.md lists them, each with the test here that fails when a release takes it away.
"""

from __future__ import annotations

import functools
import io
import logging
import os
import re
import signal
import socket
import sqlite3
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gunicorn
import jinja2
import psycopg
import pymysql
import pytest
import sqlalchemy
import yaml
from flask import Flask, request
from flask_wtf.csrf import CSRFProtect
from gunicorn.arbiter import Arbiter
from gunicorn.config import Config
from gunicorn.glogging import Logger
from gunicorn.workers.gthread import TConn, ThreadWorker
from jinja2 import nodes
from jinja2.lexer import TokenStream
from jinja2.parser import Parser
from jinja2.sandbox import SandboxedEnvironment
from psycopg import generators
from psycopg.adapt import Transformer
from servers.http_receiver import HttpReceiver
from servers.smtp_server import SmtpServer
from sqlalchemy.exc import DBAPIError, OperationalError
from urllib3.connection import HTTPSConnection

from hub.databases.url import PostgresUrl, parse_url
from hub.destinations.slack.client import Bot
from hub.errors import Retry
from hub.mirror.engine.postgres import PostgresEngine
from hub.store.engine import driver
from hub.transport.deadline import connect, deadline_after, tls_context
from hub.transport.http import HttpClient, HttpRequest, HttpResponse
from hub.transport.smtp import Submission
from hub.transport.smtp_sessions import Sessions
from hub.transport.smtp_url import parse_smtp_url
from hub.web.server.memory_socket import MemorySocket
from hub.web.server.serve import GUNICORN_VARIABLES

ROOT = Path(__file__).parents[2]
RELIED_ON: dict[str, str] = {}
"""The place in the hub that relies on it, by the name of the test."""


def relied_on_by(place: str, surface: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a test fail with one sentence, whatever else it raises."""

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        RELIED_ON[test.__name__] = place

        @functools.wraps(test)
        def run(*args: Any, **kwargs: Any) -> None:
            try:
                test(*args, **kwargs)
            except Exception as error:  # noqa: BLE001 - whatever a library raises now
                pytest.fail(
                    f"{place} relies on {surface}, which is gone or does something else now: {error!r}"
                )

        return run

    return decorate


def loopback(_: str, port: int, **options: Any) -> list[Any]:
    """Take every name for this machine: nobody else finds a server under it."""
    return socket.getaddrinfo("127.0.0.1", port, **options)


def test_contributing_lists_exactly_these() -> None:
    section = (ROOT / "CONTRIBUTING.md").read_text().partition("## Foreign private surfaces")[2]
    rows = re.findall(r"^\|.*`(hub/[\w./]+)`.*`(test_\w+)` \|$", section.partition("\n## ")[0], re.MULTILINE)

    assert {test: place for place, test in rows} == RELIED_ON
    assert [place for place in RELIED_ON.values() if not (ROOT / place).exists()] == []


# -- slack-sdk -------------------------------------------------------------------------------------


class RecordingClient(HttpClient):
    """A client that responds to every request as Slack does, and sends none."""

    def __init__(self) -> None:
        super().__init__(1)
        self.bodies: list[bytes] = []

    def send(self, request: HttpRequest, timeout_seconds: float) -> HttpResponse:
        self.bodies.append(request.body)
        return HttpResponse(status=200, headers={}, body=b'{"ok": true}')


@relied_on_by(
    "hub/destinations/slack/client.py", "WebClient._perform_urllib_http_request_internal of slack-sdk"
)
def test_slack_sdk_leaves_an_api_request_to_one_method() -> None:
    http = RecordingClient()
    bot = Bot("xoxb-1", "http://127.0.0.1:9/api/", http, 1.0)
    response = bot.api_call("chat.postMessage", json={"text": "hi"})

    assert (response.status_code, http.bodies) == (200, [b'{"text": "hi"}'])


# -- urllib3, smtplib and Python's sockets -----------------------------------------------------------


@relied_on_by(
    "hub/transport/http.py", "urllib3 connecting by the connect() of a pool's ConnectionCls, into sock"
)
def test_urllib3_connects_by_connect() -> None:
    with HttpReceiver() as receiver:
        url = f"http://nowhere.test:{receiver.port}/"
        response = HttpClient(1, loopback).send(
            HttpRequest(method="POST", url=url, headers={}, body=b"x"), timeout_seconds=60.0
        )

    assert response.status == 200


@relied_on_by("hub/transport/http.py", "is_verified and ssl_context of urllib3's HTTPSConnection")
def test_urllib3_is_told_that_a_certificate_was_verified() -> None:
    context = tls_context()
    connection = HTTPSConnection("x.test", ssl_context=context)

    assert (connection.is_verified, connection.ssl_context) == (False, context)


@relied_on_by(
    "hub/transport/http.py", "urllib3 logging the paths of requests as urllib3.connectionpool alone"
)
def test_urllib3_logs_paths_under_one_name(caplog: pytest.LogCaptureFixture) -> None:
    name = "urllib3.connectionpool"
    with HttpReceiver() as receiver, caplog.at_level(logging.DEBUG), caplog.at_level(logging.DEBUG, name):
        url = f"{receiver.url}/secret"
        HttpClient(1).send(HttpRequest(method="POST", url=url, headers={}, body=b"x"), timeout_seconds=60.0)

    assert {record.name for record in caplog.records if "/secret" in record.getMessage()} == {name}


@relied_on_by("hub/transport/smtp_sessions.py", "smtplib connecting by SMTP.connect, into sock and file")
def test_smtplib_connects_by_connect() -> None:
    with SmtpServer() as server:
        place = parse_smtp_url(f"smtp://nowhere.test:{server.port}?starttls=never")
        submission = Submission(
            server=place,
            sender="a@x.test",
            mail=b"Subject: hi\r\n\r\nhi\r\n",
            utf8=False,
            accepted=[],
        )
        with deadline_after(60.0, loopback) as deadline:
            submission.send(["b@x.test"], Sessions(place), deadline)

    assert submission.accepted == ["b@x.test"]


@relied_on_by("hub/transport/deadline.py", "the file of a Python socket reading by recv_into")
def test_python_reads_a_sockets_file_by_recv_into() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        deadline_after(60.0) as deadline,
        connect("127.0.0.1", server.getsockname()[1]) as connection,
        server.accept()[0] as peer,
    ):
        peer.sendall(b"one\n")
        line = connection.makefile("rb").readline()

    assert (line, deadline.received_bytes) == (b"one\n", 4)


@relied_on_by("hub/transport/deadline.py", "wrap_socket of Python's ssl shaking hands by do_handshake")
def test_python_shakes_hands_by_do_handshake() -> None:
    handshakes = []

    class RecordingSocket(ssl.SSLSocket):
        def do_handshake(self, block: bool = False) -> None:
            handshakes.append(block)

    context = tls_context()
    context.sslsocket_class = RecordingSocket
    with socket.create_server(("127.0.0.1", 0)) as server:
        near = socket.create_connection(server.getsockname())
        context.wrap_socket(near, server_hostname="x.test").close()

    assert len(handshakes) == 1


# -- gunicorn, Flask and werkzeug --------------------------------------------------------------------


def gunicorn_worker(answer: bytes = b"ok") -> ThreadWorker:
    """A worker of gunicorn's, in this process, around an app that reads a body and answers."""
    config = Config()
    config.set("keepalive", 620)
    worker = ThreadWorker(1, os.getppid(), [], None, 30, config, Logger(config))

    def app(environ: Any, start_response: Any) -> list[bytes]:
        environ["wsgi.input"].read()
        start_response("200 OK", [("Content-Length", str(len(answer)))])
        return [answer]

    worker.wsgi = app
    return worker


def gunicorn_connection(worker: ThreadWorker, request: bytes) -> TConn:
    sock = MemorySocket()
    sock.put(bytearray(request))
    connection = TConn(worker.cfg, sock, ("127.0.0.1", 1), ("127.0.0.1", 2))
    connection.data_ready = True
    return connection


GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@relied_on_by("hub/web/server/web_worker.py", "gthread's handle answering one request of any socket")
def test_gunicorns_threads_handle_one_request_of_any_socket() -> None:
    worker = gunicorn_worker()
    kept = gunicorn_connection(worker, GET)
    refused = gunicorn_connection(worker, GET.replace(b"GET", b"G@T"))

    assert worker.handle(kept) is True
    assert kept.sock.take_answer().endswith(b"\r\n\r\nok")
    kept.sock.put(bytearray(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")))
    assert worker.handle(kept) is False
    assert worker.handle(refused) is False
    assert refused.sock.take_answer().startswith(b"HTTP/1.1 400 ")


@relied_on_by("hub/web/server/web_worker.py", "gunicorn's parser keeping what it read ahead in unreader.buf")
def test_gunicorns_parser_keeps_what_it_read_ahead_in_its_unreader() -> None:
    worker = gunicorn_worker()
    connection = gunicorn_connection(worker, GET + b"behind it")

    assert worker.handle(connection) is True
    assert connection.parser.unreader.buf.getvalue() == b"behind it"


@relied_on_by("hub/web/server/memory_socket.py", "gunicorn sending 100 Continue, and nothing else, with send")
def test_gunicorn_sends_the_interim_answer_alone_by_send() -> None:
    sent = []

    class RecordingSocket(MemorySocket):
        def send(self, data: bytes) -> int:
            sent.append(data)
            return super().send(data)

    worker = gunicorn_worker()
    expecting = GET.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n") + b"x"
    connection = gunicorn_connection(worker, expecting)
    connection.sock.__class__ = RecordingSocket

    assert worker.handle(connection) is True
    assert sent == [b"HTTP/1.1 100 Continue\r\n\r\n"]
    assert connection.sock.take_answer().startswith(b"HTTP/1.1 200 ")


@relied_on_by("hub/web/server/web_worker.py", "gthread serving in run, with what run uses")
def test_gunicorns_threads_serve_in_run() -> None:
    worker = gunicorn_worker()

    assert worker.sockets == []
    assert worker.alive is True
    assert worker.is_parent_alive() is True
    assert worker.notify() is None
    assert worker.app is None
    assert worker.cfg.keepalive == 620
    assert {"run", "handle_exit", "init_process"} <= set(vars(ThreadWorker))


@relied_on_by("hub/web/server/serve.py", "the variables that gunicorn reads from the environment")
def test_gunicorn_reads_known_variables_alone() -> None:
    folder = Path(gunicorn.__file__).parent
    text = "".join(path.read_text() for path in folder.rglob("*.py"))
    read = set(re.findall(r"""os\.environ(?:\.get\(|\.pop\(|\[)['"](\w+)['"]""", text))
    read |= set(re.findall(r"""['"](\w+)['"] (?:not )?in (?:os\.environ|self\.env_orig)""", text))
    # The first and the last are of what is switched off; PORT is a default, and the rest are no settings.
    harmless = {"GUNICORN_DIRTY_SOCKET", "NOTIFY_SOCKET", "PORT", "PWD", "SERVER_SOFTWARE", "XDG_RUNTIME_DIR"}

    assert read - harmless == set(GUNICORN_VARIABLES)


@relied_on_by("hub/web/server/serve.py", "gunicorn's master leaving SIGALRM alone")
def test_gunicorn_leaves_sigalrm_alone() -> None:
    assert signal.SIGALRM not in Arbiter.SIGNALS


@relied_on_by("hub/web/access.py", 'Flask-WTF keeping its CSRFProtect as app.extensions["csrf"]')
def test_flask_wtf_keeps_its_protection_in_extensions() -> None:
    app = Flask("app")
    protection = CSRFProtect(app)

    assert app.extensions["csrf"] is protection


@relied_on_by("hub/web/app.py", "werkzeug reading a form from the request.stream that was set")
def test_werkzeug_reads_a_form_from_a_stream_that_was_set() -> None:
    environ = {"content_type": "application/x-www-form-urlencoded", "content_length": 3}
    with Flask("app").test_request_context(method="POST", **environ):  # type: ignore[arg-type]
        request.stream = io.BytesIO(b"a=1")

        assert request.form["a"] == "1"


# -- Jinja -------------------------------------------------------------------------------------------


@relied_on_by("hub/templating/environment.py", "Jinja compiling every template by Environment.compile")
def test_jinja_compiles_all_by_compile() -> None:
    compiled = []

    class RecordingEnvironment(jinja2.Environment):
        def compile(self, source: Any, name: Any = None, *args: Any, **options: Any) -> Any:
            compiled.append(name)
            return super().compile(source, name, *args, **options)

    templates = {
        "outer": "{% include 'inner' %}{% from 'macros' import a %}",
        "inner": "",
        "macros": "{% macro a() %}{% endmacro %}",
    }
    environment = RecordingEnvironment(loader=jinja2.DictLoader(templates), autoescape=True)
    environment.overlay(autoescape=False).from_string("")
    environment.compile_expression("1")
    environment.get_template("outer").render()

    assert compiled == [None, None, "outer", "inner", "macros"]


@relied_on_by(
    "hub/templating/environment.py", "a tree of Jinja's whose nodes were exchanged compiling as written"
)
def test_jinja_compiles_a_tree_that_was_changed() -> None:
    class DoublingEnvironment(jinja2.Environment):
        def double(self, value: Any) -> Any:
            return value * 2

    environment = DoublingEnvironment(autoescape=True)
    tree = environment.parse("{% for n in [1] %}{{ n }}{% endfor %}{{ 'a' ~ 'b' }}")
    for node in list(tree.find_all((nodes.For, nodes.Concat))):
        call = nodes.Call(nodes.EnvironmentAttribute("double"), [nodes.Const([3])], [], None, None, lineno=1)
        setattr(node, *(("iter", call) if isinstance(node, nodes.For) else ("nodes", [call, call])))
    tree.set_environment(environment)

    assert environment.from_string(tree).render() == "33[3, 3][3, 3]"


@relied_on_by(
    "hub/templating/environment.py", "Jinja's sandbox asking its own getattr, getitem, call, call_binop"
)
def test_jinja_asks_the_sandbox() -> None:
    asked = []

    def recording(method: Callable[..., Any]) -> Callable[..., Any]:
        def record(self: Any, *args: Any, **kwargs: Any) -> Any:
            asked.append(method.__name__)
            return method(self, *args, **kwargs)

        return record

    class RecordingEnvironment(SandboxedEnvironment):
        intercepted_binops = frozenset("*")
        getattr = recording(SandboxedEnvironment.getattr)
        getitem = recording(SandboxedEnvironment.getitem)
        call = recording(SandboxedEnvironment.call)
        call_binop = recording(SandboxedEnvironment.call_binop)

    for source in (
        "{{ x.upper }}",
        "{{ x['upper'] }}",
        "{{ x | attr('upper') }}",
        "{{ [x] | map(attribute='upper') | list }}",
        "{{ range(1) }}",
        "{{ n * 2 }}",
    ):
        RecordingEnvironment().from_string(source).render(x="x", n=1)

    assert asked == ["getattr", "getitem", "getattr", "getitem", "call", "call_binop"]


@relied_on_by("hub/templating/sandbox.py", "Jinja naming a failed template and its line in the trace")
def test_jinja_names_frames_after_templates() -> None:
    source = "\n\n{{ 1 // 0 }}"

    def frames(template: jinja2.Template) -> list[tuple[str, int]]:
        with pytest.raises(ZeroDivisionError) as raised:
            template.render()
        trace, places = raised.value.__traceback__, []
        while trace is not None:
            places.append((trace.tb_frame.f_code.co_filename, trace.tb_lineno))
            trace = trace.tb_next
        return places

    loader = jinja2.FunctionLoader(lambda name: (source, name, lambda: True))
    environment = jinja2.Environment(loader=loader, autoescape=True)

    assert ("folder/name.j2", 3) in frames(environment.get_template("folder/name.j2"))
    assert ("<template>", 3) in frames(environment.from_string(source))


@relied_on_by(
    "hub/lint/positions.py",
    "Jinja's Parser taking a TokenStream that was set, and its nodes the lines in there",
)
def test_jinja_parses_tokens_whose_lines_are_offsets() -> None:
    environment = jinja2.Environment(autoescape=True)
    parser = Parser(environment, "")
    tokens = enumerate(environment.lexer.tokeniter("{{ a }}\n{{ b }}", None))
    numbered = ((number, kind, text) for number, (_, kind, text) in tokens)
    parser.stream = TokenStream(environment.lexer.wrap(numbered), None, None)
    names = parser.parse().find_all(nodes.Name)

    assert [(node.name, node.lineno) for node in names] == [("a", 2), ("b", 8)]


# -- PyYAML ------------------------------------------------------------------------------------------


@relied_on_by(
    "hub/yamldoc/tree.py", "PyYAML's Reader, Scanner and Parser making events without the rest of it"
)
def test_pyyaml_reads_scans_and_parses_in_three_classes() -> None:
    class Loader(yaml.reader.Reader, yaml.scanner.Scanner, yaml.parser.Parser):
        def __init__(self, text: str) -> None:
            yaml.reader.Reader.__init__(self, text)
            yaml.scanner.Scanner.__init__(self)
            yaml.parser.Parser.__init__(self)

    loader: Any = Loader("a: 1")
    events = []
    while loader.check_event():
        events.append(loader.get_event())

    assert [event.value for event in events if isinstance(event, yaml.ScalarEvent)] == ["a", "1"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a:\n\tb: 1", r"'\\t'"),
        ("a: @b", "cannot start any token"),
        ("a: * b", "while scanning an alias"),
        ("a: 'b", "quoted scalar.*unexpected"),
        ('a: "\\q"', "double-quoted scalar"),
        ("a: [b", "flow sequence.*<stream end>"),
        ("a: b: c", "mapping values are not allowed"),
        ("a: - b", "sequence entries are not allowed"),
        ("a: |x\n  b", "block scalar"),
        ("a: 1\nb\nc: 2", "could not find expected ':'"),
        ("- a\nb: 1", "expected <block end>, but found"),
        ("%YAML 9", "directive|YAML document"),
    ],
)
@relied_on_by("hub/yamldoc/syntax.py", "the words of PyYAML's errors")
def test_pyyaml_says_in_its_words_what_it_met(text: str, words: str) -> None:
    with pytest.raises(yaml.YAMLError) as raised:
        list(yaml.parse(text, Loader=yaml.SafeLoader))

    error: Any = raised.value
    assert re.search(words, f"{error.context} {error.problem}")


# -- SQLAlchemy and psycopg --------------------------------------------------------------------------


@relied_on_by("hub/store", "DBAPIError.instance and Dialect.is_disconnect of SQLAlchemy")
def test_sqlalchemy_wraps_a_drivers_error() -> None:
    dialect = sqlalchemy.create_engine("sqlite://").dialect
    error = sqlite3.OperationalError("no")
    is_cut = dialect.is_disconnect(error, None, None)
    wrapped = DBAPIError.instance(
        None, None, error, sqlite3.Error, connection_invalidated=is_cut, dialect=dialect
    )

    assert (type(wrapped), wrapped.orig, is_cut) == (OperationalError, error, False)


@relied_on_by("hub/store/engine/driver.py", "psycopg waiting for every answer in Connection.wait")
def test_psycopg_waits_by_wait(postgres_store_url: str) -> None:
    waits = []

    class RecordingConnection(driver.Connection):
        def wait(self, *args: Any, **options: Any) -> Any:
            waits.append(args)
            return super().wait(*args, **options)

    with RecordingConnection.connect(postgres_store_url) as connection:
        waits.clear()
        connection.execute("SELECT 1")

        assert len(waits) > 0


@relied_on_by("hub/store/engine/driver.py", "execute, fetch_many and send of psycopg.generators")
def test_psycopg_has_its_generators(postgres_store_url: str) -> None:
    with psycopg.connect(postgres_store_url) as connection:
        connection.pgconn.send_query_params(b"SELECT 7", None)
        connection.wait(generators.send(connection.pgconn))
        (first,) = connection.wait(generators.fetch_many(connection.pgconn))
        connection.pgconn.send_query_params(b"SELECT 8", None)
        (second,) = connection.wait(generators.execute(connection.pgconn))

    assert (first.get_value(0, 0), second.get_value(0, 0)) == (b"7", b"8")


@relied_on_by("hub/store/engine/driver.py", "set_pgresult and load_rows of psycopg's Transformer")
def test_psycopg_loads_rows(postgres_store_url: str) -> None:
    with psycopg.connect(postgres_store_url) as connection:
        result = connection.pgconn.exec_(b"SELECT 7, NULL")
        transformer = Transformer(connection)
        transformer.set_pgresult(result)

        assert transformer.load_rows(0, result.ntuples, tuple) == [(7, None)]


@relied_on_by("hub/store/engine/driver.py", "psycopg.errors.error_from_result")
def test_psycopg_makes_an_error_of_a_result(postgres_store_url: str) -> None:
    with psycopg.connect(postgres_store_url) as connection:
        result = connection.pgconn.exec_(b"SELEC")
        error = psycopg.errors.error_from_result(result, encoding=connection.info.encoding)

    assert isinstance(error, psycopg.errors.SyntaxError)


@relied_on_by("hub/databases/libpq.py", "libpq putting a severity and two spaces before a server's words")
def test_libpq_marks_what_a_server_says(postgres_url: str) -> None:
    with pytest.raises(psycopg.OperationalError) as refused:
        psycopg.connect(postgres_url.replace("/postgres?", "/nowhere?"))

    assert 'failed: FATAL:  database "nowhere" does not exist' in str(refused.value)


# -- drivers of mirrors --------------------------------------------------------------------------------


@relied_on_by("hub/mirror/engine/mysql.py", "PyMySQL talking on the socket given to connect, TLS by its ctx")
def test_pymysql_talks_on_a_socket_that_it_is_given() -> None:
    context = tls_context()
    connection = pymysql.Connection(user="u", host="x.test", ssl=context, defer_connect=True)
    with socket.create_server(("127.0.0.1", 0)) as server, deadline_after(2.0):
        began = time.monotonic()
        with pytest.raises(pymysql.err.OperationalError, match=r"Lost connection|Can't connect"):
            connection.connect(connect("127.0.0.1", server.getsockname()[1]))

    assert time.monotonic() - began < 60
    assert connection.ctx is context


@relied_on_by("hub/mirror/engine/postgres.py", "psycopg waiting for every answer in Connection.wait")
def test_psycopg_waits_for_a_mirrors_answer_by_wait(postgres_url: str) -> None:
    parts = parse_url(postgres_url)
    assert isinstance(parts, PostgresUrl)
    engine = PostgresEngine(parts, 1)
    with deadline_after(60.0):
        engine.read(lambda connection: connection.execute(sqlalchemy.text("SELECT 1")))
    with deadline_after(2.0), pytest.raises(Retry, match="did not answer within"):
        engine.read(lambda connection: connection.execute(sqlalchemy.text("SELECT pg_sleep(60)")))
    engine.close()
