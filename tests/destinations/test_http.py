import base64
import hashlib
import hmac
import json
import time
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError
from sending import AT, HttpContract, attempt, listener
from servers.http_receiver import CannedResponse, Failure, HttpReceiver

from hub import __version__
from hub.destinations.http.destination import HttpDestination
from hub.destinations.http.options import HttpOptions, HttpSend
from hub.errors import About, Pause, Reject, Retry, SendError, TemplateError, Unknown
from hub.model.delivery import RAW, Receipt

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OWN_HEADER = "set by the hub itself and cannot be given here"
OTHER = "whsec_" + base64.b64encode(b"another secret key").decode()


def destination(url, **options):
    return HttpDestination(HttpOptions.model_validate({"url": url, **options}), "crm")


def sent(message, url="/hooks", options=None, **changes):
    """The request that a message becomes."""
    with HttpReceiver() as receiver:
        place = destination(receiver.url + url, **(options or {}))
        place.send(message, attempt(**changes))
        place.close()
        return receiver.received[0]


def composed(renderer, fields, options=None, **event):
    return HttpDestination.compose(options, fields, renderer(**event))


class TestHttp(HttpContract):
    SECRETS = ("token-in-the-path", "hunter22", "key-in-a-header", SECRET.removeprefix("whsec_"))

    def make(self, port, *, host="127.0.0.1", tls=False, resolver=None):
        scheme = "https" if tls else "http"
        options = {
            "url": f"{scheme}://u:hunter22@{host}:{port}/token-in-the-path",
            "headers": {"X-Key": "key-in-a-header"},
            "sign_with": SECRET,
        }
        extra = {"resolver": resolver} if resolver else {}
        return HttpDestination(HttpOptions.model_validate(options), "crm", **extra)


def test_the_event_itself_goes_out_byte_for_byte(renderer):
    payload = b'{ "type":"user.created",\n"data" : {"n": 1.0, "\xc3\xa9": "\\u00e9"} }'
    request = sent(composed(renderer, {}), payload=payload)

    assert request.body == payload
    assert (request.method, request.path) == ("POST", "/hooks")


def test_the_headers_are_those_of_the_design(renderer):
    request = sent(composed(renderer, {}), attempt_number=3, event_type="user.cr\r\neated")

    assert {k: v for k, v in request.headers.items() if k not in ("host", "accept-encoding")} == {
        "content-type": "application/json",
        "content-length": "24",
        "user-agent": f"fanout-hub/{__version__}",
        "webhook-id": "dlv_019caa1b5a00a1b2c3d4e5f60718",
        "webhook-timestamp": str(int(AT.timestamp())),
        "hub-event-id": "evt_1",
        "hub-event-type": "user.created",
        "hub-attempt": "3",
    }


def test_own_headers_and_a_login_in_the_url_are_sent():
    message = {"method": "POST", "content_type": "application/json", RAW: True}
    with HttpReceiver() as receiver:
        url = receiver.url.replace("//", "//us%40er:pa%3Ass@")
        destination(url, headers={"X-Team": " grow\nth é "}).send(message, attempt())
        headers = receiver.received[0].headers

    assert headers["x-team"].encode("latin-1").decode() == "growth é"
    assert base64.b64decode(headers["authorization"].removeprefix("Basic ")) == b"us@er:pa:ss"


def test_signs_with_each_secret():
    message = {"method": "POST", "content_type": "text/plain", "body": "hé"}
    request = sent(message, options={"sign_with": [SECRET, OTHER]})
    signed = f"dlv_019caa1b5a00a1b2c3d4e5f60718.{int(AT.timestamp())}.hé".encode()
    expected = [
        "v1," + base64.b64encode(hmac.digest(base64.b64decode(s[6:]), signed, hashlib.sha256)).decode()
        for s in (SECRET, OTHER)
    ]

    assert request.headers["webhook-signature"].split(" ") == expected


def test_known_answer_of_the_signature():
    request = sent(
        {"method": "POST", "content_type": "application/json", RAW: True},
        options={"sign_with": SECRET},
        payload=b'{"test": 2432232314}',
        delivery_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        at=datetime.fromtimestamp(1614265330, UTC),
    )

    assert request.headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_retries_send_the_same_bytes_and_id(renderer):
    message = json.loads(json.dumps(composed(renderer, {"json": {"a": "{{ data.id }}"}})))
    first, second = sent(message, attempt_number=1), sent(message, attempt_number=2)

    assert (first.body, first.headers["webhook-id"]) == (second.body, second.headers["webhook-id"])


def test_json_keeps_types_and_cannot_be_broken_out_of(renderer):
    fields = {
        "json": {
            "admin": "{{ data.role == 'org:admin' }}",
            "name": "{{ data.name }}",
            "text": "is {{ data.name }}",
            "gone": "{{ data.missing }}",
            "n": 3,
        }
    }
    name = '", "admin": true, "x": "\n{{ 7*7 }}'
    message = composed(renderer, fields, data={"role": "org:member", "name": name})

    assert json.loads(message["body"]) == {
        "admin": False,
        "name": name,
        "text": f"is {name}",
        "gone": None,
        "n": 3,
    }


def test_a_body_of_json_prints_json(renderer):
    message = composed(renderer, {"body": '{"name": {{ data.name }}}'}, data={"name": 'a"b'})

    assert json.loads(message["body"]) == {"name": 'a"b'}


def test_half_a_character_stays_json():
    request = sent({"method": "POST", "content_type": "application/json", "body": '"\ud800"'})

    assert request.body == rb'"\ud800"'


@pytest.mark.parametrize("body", ["{{ data.name }}!", '{"a": NaN}', ""])
def test_a_body_that_is_no_json_is_a_template_error(renderer, body):
    with pytest.raises(TemplateError, match=r"^body: is not JSON once rendered"):
        composed(renderer, {"body": body}, data={"name": "x"})


@pytest.mark.usefixtures("nothing_left_over")
def test_a_body_that_nests_without_end_is_a_template_error(renderer):
    with pytest.raises(TemplateError, match=r"^body: is not JSON once rendered"):
        composed(renderer, {"body": "[" * 100_000})


def test_a_number_that_json_does_not_have_is_a_template_error(renderer):
    with pytest.raises(TemplateError, match="a number that JSON does not have"):
        composed(renderer, {"json": {"n": float("inf")}})


@pytest.mark.parametrize(
    ("content_type", "printed"),
    [
        ("text/plain", "x&To=+1999 \x0b<é>'"),
        ("text/csv; charset=utf-8", "x&To=+1999 \x0b<é>'"),
        ("application/x-www-form-urlencoded", "x%26To%3D%2B1999+%0B%3C%C3%A9%3E%27"),
        ("Application/X-WWW-Form-URLencoded; charset=utf-8", "x%26To%3D%2B1999+%0B%3C%C3%A9%3E%27"),
        ("application/xml", "x&amp;To=+1999 &lt;é&gt;&#39;"),
        ("text/xml", "x&amp;To=+1999 &lt;é&gt;&#39;"),
        ("application/soap+xml", "x&amp;To=+1999 &lt;é&gt;&#39;"),
        ("text/html", "x&amp;To=+1999 \x0b&lt;é&gt;&#39;"),
    ],
)
def test_what_a_body_prints_is_escaped_for_its_type(renderer, content_type, printed):
    fields = {"body": "Name={{ data.name }}&A=b", "content_type": content_type}
    message = composed(renderer, fields, data={"name": "x&To=+1999 \x0b<é>'"})

    assert (message["body"], message["content_type"]) == (f"Name={printed}&A=b", content_type)


@pytest.mark.parametrize("printed", ["data.name | e", "data.name | escape", "data.name | forceescape"])
def test_an_escape_by_hand_is_that_of_the_place(renderer, printed):
    fields = {"body": f"Name={{{{ {printed} }}}}", "content_type": "application/x-www-form-urlencoded"}
    message = composed(renderer, fields, data={"name": "x&To=+1999"})

    assert message["body"] == "Name=x%26To%3D%2B1999"


@pytest.mark.parametrize("field", ["form", "query", "headers"])
def test_entries_are_left_out_sent_empty_or_repeated(renderer, field):
    fields = {
        field: {
            "missing": "{{ data.missing }}",
            "null": "{{ data.nothing }}",
            "given-null": None,
            "empty": "{{ data.empty }}",
            "tags": "{{ data.tags }}",
            "listed": ["a", "{{ data.missing }}", "{{ data.n }}"],
            "flag": "{{ data.n == 7 }}",
            "n": "{{ data.n }}",
            "text": "is {{ data.missing }}",
        }
    }
    data = {"nothing": None, "empty": "", "tags": ["x", "y"], "n": 7}
    message = composed(renderer, fields, data=data)

    assert message[field] == [
        *(["empty", ""], ["tags", "x"], ["tags", "y"], ["listed", "a"], ["listed", "7"]),
        *(["flag", "true"], ["n", "7"], ["text", "is "]),
    ]


@pytest.mark.parametrize("value", [{"a": 1}, [["a"]]])
def test_an_entry_that_is_no_text_is_a_template_error(renderer, value):
    with pytest.raises(TemplateError, match=r"^form.a: renders to a mapping or to a list in a list"):
        composed(renderer, {"form": {"a": "{{ data.value }}"}}, data={"value": value})


def test_no_stranger_can_extend_a_form(renderer):
    fields = {"form": {"Body": "Hi {{ data.name }} & all", "To": "+4930"}}
    message = json.loads(json.dumps(composed(renderer, fields, data={"name": "x&To=+1999\ud800"})))
    request = sent(message)

    assert request.body == b"Body=Hi+x%26To%3D%2B1999%3F+%26+all&To=%2B4930"
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"


def test_a_query_is_put_behind_the_urls_own(renderer):
    fields = {"path": "/a", "query": {"q": "x&y=z #é", "empty": ""}}
    message = composed(renderer, fields)

    assert sent(message, url="/hooks?own=1%2F").path == "/hooks/a?own=1%2F&q=x%26y%3Dz%20%23%C3%A9&empty="
    assert sent(message, url="/hooks").path == "/hooks/a?q=x%26y%3Dz%20%23%C3%A9&empty="
    assert sent(composed(renderer, {"query": {"a": "{{ data.no }}"}}), url="/hooks").path == "/hooks"


def test_headers_of_a_send_win_whatever_their_capitals():
    def note(connection, stopping):
        heads.append(connection.recv(4000))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    heads = []
    message = {
        "method": "POST",
        "content_type": "a/b",
        "body": "x",
        "headers": [
            ["x-team", "a\r\nX-Evil: 1\x85"],
            ["X-Team", "b"],
            ["User-Agent", "mine"],
            ["X-Empty", ""],
        ],
    }
    with listener(note) as port:
        place = destination(f"http://127.0.0.1:{port}", headers={"X-TEAM": "growth", "X-Own": "1"})
        place.send(message, attempt())
    lines = heads[0].decode("latin-1").partition("\r\n\r\n")[0].split("\r\n")[1:]
    named = [line for line in lines if line.lower().startswith(("x-", "user-agent"))]

    assert sorted(named) == ["User-Agent: mine", "X-Empty: ", "X-Own: 1", "x-team: aX-Evil: 1", "x-team: b"]


def test_a_send_with_headers_alone_passes_the_event_on(renderer):
    message = composed(renderer, {"headers": {"X-Type": "{{ type }}"}})
    request = sent(message, payload=b"{}")

    assert (request.body, request.headers["x-type"]) == (b"{}", "user.created")


# -- what an answer means -------------------------------------------------------------------------


def judged(status, *, on_status=None, path=None, on_status_of_send=None, headers=None):
    message = {"method": "POST", "content_type": "a/b", "body": "", "on_status": on_status_of_send or {}}
    if path:
        message["path"] = path
    answer = CannedResponse(status=status, body=b"the\nanswer", headers=headers or {})
    with HttpReceiver([answer]) as receiver:
        place = destination(receiver.url, on_status=on_status or {})
        try:
            return place.send(message, attempt())
        except SendError as error:
            return error


@pytest.mark.parametrize("status", [400, 406, 409, 411, 413, 414, 415, 422, 431])
def test_what_speaks_of_the_message_is_about_the_message(status):
    error = judged(status)

    assert (type(error), error.about, error.answer) == (Retry, About.MESSAGE, "the\nanswer")


@pytest.mark.parametrize("status", [401, 402, 403, 407, 408, 412, 418, 421, 425, 429, 500, 503, 302])
def test_all_else_is_about_the_endpoint(status):
    error = judged(status)

    assert (type(error), error.about) == (Retry, About.ENDPOINT)


@pytest.mark.parametrize(
    ("status", "path", "about"),
    [(404, "/u_1", About.MESSAGE), (405, "/u_1", About.MESSAGE), (404, None, About.ENDPOINT)],
)
def test_a_path_of_its_own_that_is_not_there_is_about_the_message(status, path, about):
    assert judged(status, path=path).about is about


@pytest.mark.parametrize(
    ("status", "rules", "kind"),
    [
        (404, {"404": "delivered"}, Receipt),
        (422, {"422": "dead"}, Reject),
        (504, {"504": "unknown"}, Unknown),
        (402, {"4xx": "pause"}, Pause),
        (404, {"4xx": "dead", "404": "retry"}, Retry),
        (410, {"4xx": "retry"}, Retry),
        (503, {"4xx": "dead"}, Retry),
        (202, {"202": "retry"}, Retry),
        (301, {"3xx": "dead"}, Reject),
    ],
)
def test_on_status_says_otherwise_and_the_number_wins(status, rules, kind):
    result = judged(status, on_status=rules)

    assert (type(result), result.status, result.answer) == (kind, status, "the\nanswer")
    words = result.detail if isinstance(result, Receipt) else result.reason
    assert words.endswith(", by on_status") == (str(status) in rules or f"{status // 100}xx" in rules)


def test_on_status_of_a_send_adds_to_the_destinations_and_wins(renderer):
    fields = {"body": "1", "on_status": {"404": "dead", "409": "delivered"}}
    kept = json.loads(json.dumps(composed(renderer, fields)))["on_status"]
    rules = {"404": "delivered", "4xx": "pause"}
    results = [judged(status, on_status=rules, on_status_of_send=kept) for status in (404, 409, 401)]

    assert [type(result) for result in results] == [Reject, Receipt, Pause]


@pytest.mark.parametrize(
    ("rules", "kind"),
    [
        ({}, Retry),
        ({"429": "delivered"}, Receipt),
        ({"4xx": "dead"}, Reject),
        ({"429": "unknown"}, Unknown),
        ({"429": "pause"}, Pause),
    ],
)
def test_a_429_holds_the_destination_whatever_on_status_says(rules, kind):
    result = judged(429, on_status=rules, headers={"Retry-After": "90"})

    assert (type(result), result.throttled, result.after_seconds) == (kind, True, 90.0)


def test_a_redirect_that_on_status_judges_is_still_not_followed():
    with HttpReceiver() as elsewhere:
        answers = [CannedResponse(status=302, headers={"Location": elsewhere.url})]
        with HttpReceiver(answers) as receiver:
            message = {"method": "POST", "content_type": "a/b", "body": ""}
            receipt = destination(receiver.url, on_status={"302": "delivered"}).send(message, attempt())

    assert receipt.status == 302
    assert elsewhere.received == []


def test_a_template_file_makes_the_body(renderer):
    message = composed(renderer, {"template": "http/crm"}, templates={"http/crm.j2": '{"t": {{ type }}}'})

    assert message["body"] == '{"t": "user.created"}'


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("/contacts/{{ data.id }}", "u_1", "/hooks/contacts/u_1?x=1"),
        ("contacts/{{ data.id }}", "a b/ü", "/hooks/contacts/a%20b%2F%C3%BC?x=1"),
        ("/a b/{{ data.id }}", "?x#y", "/hooks/a%20b/%3Fx%23y?x=1"),
        ("/{{ data.id }}", "...", "/hooks/...?x=1"),
    ],
)
def test_a_path_is_put_below_the_url(renderer, path, value, expected):
    message = composed(renderer, {"path": path}, data={"id": value})

    assert sent(message, url="/hooks/?x=1").path == expected


@pytest.mark.parametrize("value", ["", "..", ".", "../x", "x/../y", "..\\x", None])
def test_a_segment_that_leads_elsewhere_is_a_template_error(renderer, value):
    with pytest.raises(TemplateError, match=r"^path: has a"):
        composed(renderer, {"path": "/contacts/{{ data.id }}"}, data={"id": value})


@pytest.mark.parametrize(
    "path", ["/a//b", "/a/", "/a/%2e%2E/b", "/{{ '%2e' | safe }}", "/{{ '../x' | safe }}"]
)
def test_a_segment_of_the_users_own_that_leads_elsewhere_is_one_too(renderer, path):
    with pytest.raises(TemplateError, match=r"^path: has a"):
        composed(renderer, {"path": path})


def test_dots_and_percents_of_the_users_own_url_stay():
    request = sent({"method": "PUT", "content_type": "a/b", "body": "", "path": "/%2e%2fx"}, url="/a%2fb")

    assert request.path.lower() == "/a%2fb/%2e%2fx"


@pytest.mark.parametrize("failure", [Failure.DRIP_BODY, Failure.BREAK_BODY, Failure.ENDLESS_BODY])
def test_the_status_line_decides_whatever_the_body_does(failure):
    began = time.monotonic()
    with HttpReceiver([CannedResponse(failure=failure, body=b"x")]) as receiver:
        message = {"method": "POST", "content_type": "a/b", "body": ""}
        receipt = destination(receiver.url).send(message, attempt(timeout_seconds=2.0))

    assert receipt.detail == "answered 200 OK"
    assert time.monotonic() - began < 20


def test_connections_are_kept_and_a_stale_one_is_replaced():
    message = {"method": "POST", "content_type": "a/b", "body": ""}
    with HttpReceiver([CannedResponse(body=b"x" * 1000)]) as receiver:
        place = destination(receiver.url)
        place.send(message, attempt())
        place.send(message, attempt())
        kept = receiver.connections
        receiver.close_connections()
        place.send(message, attempt())

    assert (kept, receiver.connections, len(receiver.received)) == (1, 2, 3)


def test_one_answer_never_counts_for_two_requests():
    message = {"method": "POST", "content_type": "a/b", "body": ""}
    answers = [
        CannedResponse(status=200, failure=Failure.DRIP_BODY, body=b"HTTP/1.1 200 OK\r\n\r\n"),
        CannedResponse(status=500),
    ]
    with HttpReceiver(answers) as receiver:
        place = destination(receiver.url)
        place.send(message, attempt(timeout_seconds=2.0))
        with pytest.raises(Exception, match="answered 500"):
            place.send(message, attempt())


def test_proxies_and_netrc_are_ignored(monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login a password b")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    request = sent({"method": "POST", "content_type": "a/b", "body": ""})

    assert "authorization" not in request.headers


def test_describes_itself_by_its_host():
    urls = ["https://a:b@crm.example.com/secret?x=y", "http://münchen.test:81/", "http://[::1]:81/"]
    hosts = [destination(url).describe() for url in urls]

    assert hosts == ["crm.example.com", "xn--mnchen-3ya.test:81", "[::1]:81"]


@pytest.mark.parametrize(
    ("block", "problem"),
    [
        ({"url": "ftp://x.test/"}, "must be a URL that starts with https://"),
        ({"url": "https:///x"}, "must be a URL that starts with https://"),
        ({"url": "https://x.test/a b"}, "must be a URL that starts with https://"),
        ({"url": "https://x.test:99999/"}, "must be a URL that starts with https://"),
        ({"url": "https://x.test/#a"}, "must not have a # part"),
        ({"url": "https://x.test", "headers": {"Webhook-Id": "1"}}, "Webhook-Id is set by the hub itself"),
        ({"url": "https://x.test", "headers": {"Content-Encoding": "gzip"}}, "Content-Encoding is set by"),
        ({"url": "https://x.test", "headers": {"X-A": "1", "x-a": "2"}}, "x-a is there 2 times"),
        ({"url": "https://x.test", "on_status": {"4x": "dead"}}, "takes statuses such as 404 .*, not '4x'"),
        ({"url": "https://x.test", "on_status": {"199": "dead"}}, "takes statuses such as 404"),
        ({"url": "https://x.test", "on_status": {"404": "ignore"}}, "'delivered', 'retry', 'dead'"),
        ({"url": "https://x.test", "headers": {"hub-attempt": "1"}}, "hub-attempt is set by the hub itself"),
        ({"url": "https://x.test", "headers": {"a b": "1"}}, "'a b' is no name of a header"),
        ({"url": "https://x.test", "sign_with": "hunter22!"}, "must be a secret like whsec_"),
        (
            {"url": "https://x.test", "sign_with": "whsec_aHVudGVyMjI="},
            "must be a secret with a key of at least",
        ),
        ({"url": "https://x.test", "sign_with": []}, "must name at least one secret"),
        ({"url": "https://x.test", "method": "GET"}, "'POST', 'PUT', 'PATCH' or 'DELETE'"),
        ({"url": "https://x.test", "retries": 1}, "Extra inputs are not permitted"),
    ],
)
def test_a_wrong_block_is_explained_without_its_values(block, problem):
    with pytest.raises(ValidationError, match=problem) as raised:
        HttpOptions.model_validate(block)

    assert "hunter22" not in str(raised.value)
    assert "x.test" not in str(raised.value)


@pytest.mark.parametrize(
    ("send", "problems"),
    [
        ({}, []),
        ({"json": None}, []),
        ({"json": {}, "content_type": "application/vnd.api+json"}, []),
        ({"json": {}, "body": "x"}, ["json and body exclude each other: a request has one body"]),
        (
            {"content_type": "text/plain"},
            ["content_type needs body or template: the event itself is always JSON"],
        ),
        (
            {"json": {}, "content_type": "text/plain"},
            ["content_type must be a JSON type where json is given"],
        ),
        (
            {"body": "x", "content_type": "nonsense"},
            ["content_type must look like text/plain or application/json; charset=utf-8"],
        ),
        ({"path": "/a?b=c"}, ["path must not have a ? or #: write what belongs behind a ? under query"]),
        ({"form": {"To": "x", "n": 1}, "query": {"q": ["a", True]}, "headers": {"X-A": "{{ type }}"}}, []),
        ({"form": {}, "json": {}}, ["json and form exclude each other: a request has one body"]),
        (
            {"form": {}, "content_type": "text/plain"},
            ["content_type must be application/x-www-form-urlencoded where form is given"],
        ),
        ({"form": {"a": {"b": 1}}}, ["form.a must be a text, a number, true or false, or a list of those"]),
        ({"query": {"{{ x }}": 1}}, ["query takes templates in values only, not in the name '{{ x }}'"]),
        ({"headers": {"HOST": "x"}}, ["headers: HOST is set by the hub itself and cannot be given here"]),
        (
            {"headers": {"content-type": "x"}},
            [f"headers: content-type is {OWN_HEADER}; a send block has content_type for it"],
        ),
        ({"headers": {"hub-x": "x"}}, ["headers: hub-x is set by the hub itself and cannot be given here"]),
        ({"headers": {"a b": "x"}}, ["headers: 'a b' is no name of a header"]),
        (
            {"headers": {"X-A": "1", "x-a": "2"}},
            ["headers: x-a is there 2 times; a list of values repeats a header"],
        ),
        (
            {"on_status": {"600": "dead"}},
            ["on_status takes statuses such as 404 and classes such as 4xx, not '600'"],
        ),
        ({"path": "/{{ '?' }}/{# # #}"}, []),
    ],
)
def test_a_send_block_is_checked(send, problems):
    assert list(HttpDestination.check(None, HttpSend.model_validate(send))) == problems


def test_a_name_of_the_urls_own_query_is_a_problem():
    options = HttpOptions.model_validate({"url": "https://x.test/?key=sesame&empty="})
    send = HttpSend.model_validate({"query": {"key": "1", "empty": "1", "other": "1"}})

    assert list(HttpDestination.check(options, send)) == [
        "query has 'key', which the destination's url has already; keep one",
        "query has 'empty', which the destination's url has already; keep one",
    ]
