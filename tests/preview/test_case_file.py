"""routes.test.yaml -> cases: what is wrong with it is found at once, at the very key or value."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import given
import pytest

from hub import catalog
from hub.preview.cases.case import Case
from hub.preview.cases.file import read_cases

CONFIG = given.config(
    given.route("to-crm", ("user.created",), "crm"),
    destinations=(
        given.destination("crm", url="http://127.0.0.1:9"),
        given.destination("log"),
    ),
)

HEAD = "- name: one\n  event: user.created\n"


def read(tmp_path: Path, text: str | bytes) -> tuple[tuple[Case, ...], list[str]]:
    path = tmp_path / "routes.test.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    cases, problems = read_cases(path, CONFIG)
    return cases, [str(problem).removeprefix(f"{path}:") for problem in problems]


def test_a_case_is_the_sample_with_what_set_changes(tmp_path: Path) -> None:
    (case,), problems = read(
        tmp_path, HEAD + "  set: {data.first_name: Ada, data.last_name: null}\n  expect: []\n"
    )

    assert problems == []
    assert (case.name, case.line, case.column, case.expect) == ("one", 1, 3, ())
    assert (case.event.type, case.event.source) == ("user.created", "clerk")
    assert (case.event.data["first_name"], case.event.data["last_name"]) == ("Ada", None)


def test_a_case_may_take_its_event_from_a_file_beside_it(tmp_path: Path) -> None:
    (tmp_path / "order.json").write_text(json.dumps({"type": "order.paid", "data": {"id": 7, "sum": 1}}))

    (case,), problems = read(
        tmp_path, "- {name: one, payload: order.json, set: {data.id: 8}, expect: [crm, {to: log}]}\n"
    )

    assert problems == []
    assert (case.event.type, case.event.data) == ("order.paid", {"id": 8, "sum": 1})
    assert [expectation.to for expectation in case.expect] == ["crm", "log"]


def test_an_earlier_event_is_a_whole_sample_of_the_object_with_what_previous_changes(tmp_path: Path) -> None:
    (case,), problems = read(
        tmp_path, "- {name: one, event: user.deleted, previous: {data.first_name: Ada}, expect: []}\n"
    )

    assert problems == []
    assert case.previous is not None
    assert (case.previous.type, case.previous.source) == ("user.updated", "clerk")
    assert case.previous.data == {**catalog.sample("user.updated")["data"], "first_name": "Ada"}


def test_of_a_file_of_ones_own_an_earlier_event_is_the_same_with_what_previous_changes(
    tmp_path: Path,
) -> None:
    (tmp_path / "order.json").write_text(json.dumps({"type": "order.paid", "data": {"id": 7, "sum": 1}}))

    (case,), problems = read(
        tmp_path,
        "- {name: one, payload: order.json, set: {data.id: 8}, previous: {data.sum: 2}, expect: []}\n",
    )

    assert problems == []
    assert case.previous is not None
    assert (case.previous.type, case.previous.data) == ("order.paid", {"id": 7, "sum": 2})


def test_an_earlier_event_may_be_a_file_and_need_not_say_its_type(tmp_path: Path) -> None:
    (tmp_path / "ada.json").write_text(json.dumps({"data": {"first_name": "Ada"}}))

    (case,), problems = read(tmp_path, "- {name: one, event: user.deleted, previous: ada.json, expect: []}\n")

    assert problems == []
    assert case.previous is not None
    assert (case.previous.type, case.previous.data) == ("user.updated", {"first_name": "Ada"})


def test_dollars_and_braces_are_text_like_any_other(tmp_path: Path) -> None:
    (case,), problems = read(
        tmp_path, "- {name: one, event: user.created, expect: [{to: log, contains: '${HOME} {{ x }}'}]}\n"
    )

    assert problems == []
    assert case.expect[0].contains == ("${HOME} {{ x }}",)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5\n", '1:1: error[wrong-type]: the file must be a list of cases, each beginning with "- name:"'),
        ("- 5\n", "1:3: error[wrong-type]: a case must have keys of its own, not be a number"),
        (
            "- name: one\n  expect: []\n",
            "1:3: error[missing-key]: a case needs an event: its type, such as user.created, or payload",
        ),
        (HEAD, '1:3: error[missing-key]: the case "one" has no "expect"; add it'),
        (
            HEAD + "  evnt: x\n  expect: []\n",
            '3:3: error[unknown-key]: the case "one" has no key "evnt"; it takes name, event, payload',
        ),
        (
            HEAD + "  event: x\n  expect: []\n",
            '3:3: error[duplicate-key]: "event" is here a second time, the first is in line 2',
        ),
        (HEAD + "  expect: []\n" + HEAD + "  expect: []\n", "4:9: error[duplicate-name]: the case in line 1"),
        (
            "- {name: one, event: user.creatd, expect: []}\n",
            '1:22: error[unknown-event]: the catalog has no event type "user.creatd"; did you mean',
        ),
        (
            HEAD + "  source: clrk\n  expect: []\n",
            '3:11: error[unknown-source]: there is no source "clrk"; did you mean "clerk"?',
        ),
        (
            HEAD + "  set:\n    first_name: Ada\n  expect: []\n",
            '4:5: error[bad-path]: "first_name": an event has no "first_name"; write data.first_name',
        ),
        (
            HEAD + "  set: {data.first_name.x: 1}\n  expect: []\n",
            '3:9: error[bad-path]: "data.first_name.x": data.first_name is text with nothing inside',
        ),
        (
            HEAD + "  previous: {data.frist_name: Ada}\n  expect: []\n",
            "3:14: error[unknown-field]: user.updated has no data.frist_name; did you mean data.first_name?",
        ),
        (
            HEAD + "  previous: {first_name: Ada}\n  expect: []\n",
            '3:14: error[bad-path]: "first_name": an event has no "first_name"; write data.first_name',
        ),
        (
            HEAD + "  previous: gone.json\n  expect: []\n",
            '3:13: error[unreadable-file]: "gone.json" cannot be read: no such file or directory',
        ),
        (
            HEAD + "  previous: [x]\n  expect: []\n",
            '3:13: error[wrong-type]: "previous" must be text or a mapping, not a list',
        ),
        (
            HEAD + "  expect: {to: log}\n",
            '3:11: error[wrong-type]: "expect" must be a list of messages, [] for none, not a mapping',
        ),
        (
            HEAD + "  expect:\n    - lgo\n",
            '4:7: error[unknown-destination]: there is no destination "lgo"; did you mean "log"?',
        ),
        (
            HEAD + "  expect:\n    - {to: log, contain: x}\n",
            '4:17: error[unknown-key]: an expected message has no key "contain"; did you mean "contains"?',
        ),
        (
            HEAD + "  expect:\n    - {to: log, subject: x}\n",
            '4:17: error[unknown-key]: a message to "log" (type console) has no subject; remove it, or use',
        ),
        (
            HEAD + "  expect:\n    - {to: log, route: to-cmr}\n",
            '4:24: error[unknown-route]: there is no route "to-cmr"; did you mean "to-crm"?',
        ),
        (
            HEAD + "  expect:\n    - {to: log, matches: [ok, 'ab(c']}\n",
            "4:34: error[bad-pattern]: this is no regular expression: missing ), unterminated subpattern",
        ),
        (
            HEAD + f"  expect:\n    - {{to: log, matches: '{'(' * 499}{')' * 499}'}}\n",
            "4:26: error[bad-pattern]: the regular expression is too deeply nested or repeats too often",
        ),
        (
            HEAD + f"  expect:\n    - {{to: log, matches: '{'a' * 1001}'}}\n",
            "4:26: error[bad-pattern]: the regular expression has more than 1000 characters; make it shorter",
        ),
        (
            "- {name: one, payload: nope.json, expect: []}\n",
            '1:24: error[unreadable-file]: "nope.json" cannot be read: no such file or directory; paths',
        ),
        (
            "- {name: one, payload: '', expect: []}\n",
            '1:24: error[unreadable-file]: "" cannot be read: is a directory; paths begin',
        ),
        (
            '- {name: one, payload: "\\a", expect: []}\n',
            '1:24: error[unreadable-file]: "\N{REPLACEMENT CHARACTER}" cannot be read: no such file',
        ),
        ("\t- name: one\n", "1:1: error[yaml-syntax]: "),
        (
            "\n".join(
                ["- &a [x, x, x, x, x, x, x, x, x, x]"]
                + [f"- &{n} [{', '.join([f'*{m}'] * 10)}]" for m, n in pairwise("abcdef")]
            ),
            "4:35: error[yaml-syntax]: aliases repeat more than 10000 values; write fewer of them",
        ),
        ("[" * 200_000, "1:51: error[yaml-syntax]: nested deeper than 50 levels; take some levels away"),
        (b"- name: caf\xe9\n", "1:12: error[unreadable-file]: the file is not UTF-8 (byte 0xe9 here)"),
        ("#" * 10_000_000, "1:1: error[unreadable-file]: the file is larger than 1 MiB"),
    ],
)
def test_what_is_wrong_is_said_where_it_stands(tmp_path: Path, text: str | bytes, expected: str) -> None:
    _, problems = read(tmp_path, text)

    assert problems[0].startswith(expected)
    assert len(problems) == 1


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"{", '"order.json" is not JSON: '),
        (b"[]", '"order.json" must hold one JSON object'),
        (b"[" * 200_000, '"order.json" is not JSON: Expecting value'),
        (b'{"data": NaN}', '"order.json" is not JSON: NaN is no JSON'),
        (b'{"data": -1e999}', '"order.json" is not JSON: -1e999 is too large a number'),
        (b'{"data": "\xe9"}', '"order.json" is not UTF-8 (byte 11); save it as UTF-8'),
        (b'"' + b"x" * 10_000_000 + b'"', '"order.json" is larger than 1 MiB'),
        (b"{}", '"order.json" does not say which "type" the event is of; add event: to this case'),
    ],
)
def test_a_payload_that_is_no_event_is_said_where_it_is_named(
    tmp_path: Path, content: bytes, expected: str
) -> None:
    (tmp_path / "order.json").write_bytes(content)

    cases, (problem,) = read(tmp_path, "- {name: one, payload: order.json, expect: []}\n")

    assert cases == ()
    assert problem.startswith("1:24: error[")
    assert expected in problem


def test_a_payload_of_another_type_is_said_at_the_event(tmp_path: Path) -> None:
    (tmp_path / "order.json").write_text('{"type": "order.paid", "data": {}}')

    _, problems = read(tmp_path, HEAD + "  payload: order.json\n  expect: []\n")

    message = '2:10: error[bad-value]: "order.json" holds an event of type "order.paid"; name that one, '
    assert problems == [f"{message}or leave event out"]


def test_everything_is_found_at_once(tmp_path: Path) -> None:
    text = """\
- name: one
  event: user.creatd
  sorce: clerk
  expect:
    - {to: lgo, contains: 5}
    - {to: crm, recipient: x, matches: "["}
- name: one
  payload: nope.json
  expect: []
"""
    cases, problems = read(tmp_path, text)

    assert cases == ()
    assert [problem.partition(":")[0] for problem in problems] == ["2", "3", "5", "5", "6", "6", "7", "8"]


def test_a_file_that_is_not_there_is_one_problem(tmp_path: Path) -> None:
    path = tmp_path / "routes.test.yaml"

    cases, problems = read_cases(path, CONFIG)

    assert cases == ()
    assert [str(problem) for problem in problems] == [
        f"{path}:1:1: error[unreadable-file]: the tests cannot be read: there is no such file"
    ]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("data.frist_name", "user.created has no data.frist_name; did you mean data.first_name?"),
        ("data.primary_email", "user.created has no data.primary_email; did you mean data | primary_email?"),
        ("data.email_addresses[0].emial", "user.created has no data.email_addresses[].emial; there are"),
        ("data.email_addresses.0.emial", "user.created has no data.email_addresses[].emial; there are"),
    ],
)
def test_a_path_that_the_event_does_not_have_is_a_problem_as_in_a_template(
    tmp_path: Path, path: str, message: str
) -> None:
    cases, (problem,) = read(tmp_path, f"{HEAD}  set: {{'{path}': x}}\n  expect: []\n")

    assert cases[0].name == "one"
    assert problem.startswith(f"3:9: error[unknown-field]: {message}")


@pytest.mark.parametrize(
    "path",
    [
        *("data.first_name", "data.public_metadata.seats.most", "data.email_addresses.0.email_address"),
        *("data.scim.directory_id", "timestamp", "event_attributes.http_request.client_ip"),
    ],
)
def test_a_path_that_the_event_may_have_is_none(tmp_path: Path, path: str) -> None:
    assert read(tmp_path, f"{HEAD}  set: {{'{path}': x}}\n  expect: []\n")[1] == []


def test_what_a_payload_has_may_be_set_whatever_the_catalog_says(tmp_path: Path) -> None:
    (tmp_path / "new.json").write_text(json.dumps({"type": "user.created", "data": {"nick": "a"}}))
    case = "- {name: one, payload: new.json, set: {data.nick: b, data.nock: c}, expect: []}\n"

    assert [problem.partition(";")[0] for problem in read(tmp_path, case)[1]] == [
        "1:54: error[unknown-field]: user.created has no data.nock"
    ]
