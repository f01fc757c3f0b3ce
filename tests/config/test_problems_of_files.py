"""routes.yaml -> Config. Each file in `configs/` is a bad one that begins with its messages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from hub.config.files import read_files
from hub.config.routes_file import parse_files
from hub.destinations.base import destination_types
from hub.errors import ConfigError
from hub.model.config import Config, SigningSecrets
from hub.model.destination import OnUnknown, RateLimit
from hub.model.problem import Severity
from hub.rules.load import load_config, read_config

CONFIGS = Path(__file__).parent / "configs"
TEMPLATES = CONFIGS / "templates"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ENVIRONMENT = {
    "SET": "set",
    "BAD_URL": "sekret-value-of-a-variable",
    "SECRET": SECRET,
    "TEAM_HOOK": "https://hooks.slack.com/services/T/B/X",
    "SMTP": "smtp://localhost",
    "SMTPS_587": "smtps://mail.example.com:587",
    "PLAIN_URL": "http://crm.example.com/secret-path",
}

SOURCES = f"""\
version: 1
sources: {{clerk: {{type: clerk, path: /api/webhooks, signing_secret: {SECRET}, allow: secret-in-file}}}}
"""


def write(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "routes.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def load(tmp_path: Path, text: str, environment: dict[str, str] | None = None) -> Config:
    return load_config(write(tmp_path, text), TEMPLATES, environment or {})


TYPES = ", ".join(destination_types())
"""Stands where a file has `<types>`: a new type changes no other test."""


def messages(path: Path, environment: dict[str, str], templates: Path = TEMPLATES) -> list[str]:
    _, problems = read_config(path, templates, environment)
    return [str(problem).removeprefix(f"{path.as_posix()}:") for problem in problems]


# -- bad ones -------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_bad_configuration_gets_exactly_the_messages_it_begins_with(path: Path) -> None:
    lines = path.read_text("utf-8").splitlines()
    expected = [line.removeprefix("# ") for line in lines if re.match(r"# \d+:\d+: (error|warning)\[", line)]

    assert expected
    assert [line.replace("<types>", TYPES) for line in expected] == messages(path, ENVIRONMENT)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            b"version: 1\nname: \xff\n",
            "2:7: error[unreadable-file]: the file is not UTF-8 (byte 0xff here); ",
        ),
        ("version: 1".encode("utf-16"), "1:1: error[unreadable-file]: the file is UTF-16; save it as UTF-8"),
        (b"a" * (1024 * 1024 + 1), "1:1: error[unreadable-file]: the file is larger than 1 MiB"),
        (b"a: \x00\n", "1:4: error[yaml-syntax]: the character 0x0000 is not allowed in YAML; leave it out"),
        (b'a: "\\0"\n', "1:4: error[yaml-syntax]: the character 0x0000 cannot be stored; leave it out"),
        (b'a: "\\ud800"\n', "1:4: error[yaml-syntax]: the character 0xd800 cannot be stored; leave it out"),
        (b'a: "\\UFFFFFFFF"\n', "1:7: error[yaml-syntax]: this escape names no character; "),
        (b"[" * 200_000, "1:51: error[yaml-syntax]: nested deeper than 50 levels; take some levels away"),
        (b"a:\n" + b"\t" * 100_000, "2:1: error[yaml-syntax]: a tab indents this line; indent with spaces"),
    ],
    ids=["bytes", "utf-16", "size", "nul", "nul-escape", "surrogate", "escape", "brackets", "tabs"],
)
def test_a_file_that_is_no_yaml_gets_one_message(tmp_path: Path, content: bytes, expected: str) -> None:
    problems = messages(write(tmp_path, content), {})

    assert len(problems) == 1
    assert problems[0].startswith(expected)


def test_a_file_that_is_not_there_is_one_problem(tmp_path: Path) -> None:
    path = tmp_path / "nowhere.yaml"
    with pytest.raises(ConfigError) as caught:
        load_config(path, TEMPLATES, {})

    expected = "the configuration cannot be read: there is no such file; set HUB_CONFIG or name the file"
    assert f"{path.as_posix()}:1:1: error[unreadable-file]: {expected}" == str(caught.value)
    assert (None, caught.value.problems) == read_config(path, TEMPLATES, {})


def test_what_only_the_catalog_knows_is_a_warning_at_start(tmp_path: Path) -> None:
    text = (
        SOURCES
        + "destinations: {log: {type: console}}\nroutes: [{name: a, events: user.creatd, send: log}]\n"
    )
    config = load(tmp_path, text)
    none, problems = read_config(write(tmp_path, text), TEMPLATES, {})

    assert [warning.code for warning in config.warnings] == ["unknown-event"]
    assert [warning.severity for warning in config.warnings] == [Severity.WARNING]
    assert (none, [problem.severity for problem in problems]) == (None, [Severity.ERROR])


# -- good ones ------------------------------------------------------------------------------------

EXAMPLE = Path(__file__).parent / "configs" / "good" / "example.yaml"


def example(environment: dict[str, str]) -> Config:
    return load_config(EXAMPLE, EXAMPLE.parent / "templates", environment)


def test_the_example_of_the_documentation_loads_without_any_variable() -> None:
    config = example({})

    assert {name: source.signing.missing for name, source in config.sources.items()} == {
        "clerk": ("CLERK_WEBHOOK_SIGNING_SECRET",),
    }
    assert {name: destination.missing for name, destination in config.destinations.items()} == {
        "growth": ("SLACK_WEBHOOK_URL",),
        "sales": ("SLACK_BOT_TOKEN",),
        "mail": ("SMTP_URL",),
        "crm": ("CRM_SIGNING_SECRET",),
        "log": (),
    }
    assert [d.name for d in config.destinations.values() if d.options is not None] == ["log"]
    assert sorted(w.code for w in config.warnings) == ["unset-variable"] * 5 + ["unused-destination"]


def test_the_example_of_the_documentation_means_what_it_says() -> None:
    config = example(
        {
            "CLERK_WEBHOOK_SIGNING_SECRET": SECRET,
            "SLACK_WEBHOOK_URL": "https://hooks.slack.com/services/T/B/X",
            "SLACK_BOT_TOKEN": "xoxb-1",
            "SMTP_URL": "smtp://localhost",
            "CRM_SIGNING_SECRET": SECRET,
        }
    )
    clerk, crm, growth = config.sources["clerk"], config.destinations["crm"], config.destinations["growth"]

    assert (
        clerk.type,
        clerk.path,
        clerk.signing.secrets,
        clerk.ignore,
    ) == ("clerk", "/api/webhooks", (SECRET,), ("session.*",))
    assert crm.retry_seconds == (5, 300, 1800, 7200, 18000, 36000, 36000)
    assert (crm.timeout_seconds, crm.give_up_after_seconds) == (10, 3 * 86400)
    assert (4, RateLimit(count=50, seconds=1), OnUnknown.RESEND) == (
        crm.concurrency,
        crm.rate_limit,
        crm.on_unknown,
    )
    assert (1, RateLimit(count=1, seconds=1, burst=5)) == (growth.concurrency, growth.rate_limit)
    assert all(d.options is not None and not d.missing and d.enabled for d in config.destinations.values())
    assert [route.name for route in config.routes] == ["waitlist", "accepted", "welcome", "members"]
    waitlist, accepted, welcome, members = config.routes
    assert (
        waitlist.events,
        waitlist.sources,
        waitlist.when,
        waitlist.stop,
    ) == (("waitlistEntry.created",), (), (), False)
    assert [(send.to, send.fields) for send in waitlist.sends] == [("growth", {})]
    assert (
        accepted.events,
        accepted.sources,
    ) == (("invitation.accepted", "organizationInvitation.accepted"), ("clerk",))
    assert [(send.to, send.fields) for send in accepted.sends] == [
        ("growth", {"text": ":tada: *{{ data.email_address }}* accepted"}),
        ("mail", {"subject": "{{ data.email_address }} accepted", "template": "email/accepted"}),
    ]
    assert welcome.when == ("data | primary_email",)
    assert members.stop
    assert [send.fields for send in members.sends] == [
        {
            "method": "PUT",
            "path": "/contacts/{{ data.public_user_data.user_id }}",
            "json": {
                "admin": "{{ data.role == 'org:admin' }}",
                "removed": "{{ type.endswith('.deleted') }}",
            },
        },
        {},
    ]
    assert (
        tuple(send.to for send in config.unmatched),
        tuple(send.to for send in config.problems),
    ) == (("log",), ("mail",))
    assert [send.line for send in members.sends] == [68, 74]
    assert [warning.code for warning in config.warnings] == ["unused-destination"]


def test_plain_values_are_what_they_look_like(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        SOURCES
        + "destinations: {crm: {type: http, url: 'https://x.example.com'}}\n"
        + "unmatched:\n  send:\n    to: crm\n"
        + "    json: {a: NO, b: on, c: 012, d: 22:00, e: 2024-01-01, f: 12, g: -1.5, h: true, i: ~, on: 1}\n",
    )

    assert config.unmatched[0].fields["json"] == {
        "a": "NO",
        "b": "on",
        "c": "012",
        "d": "22:00",
        "e": "2024-01-01",
        "f": 12,
        "g": -1.5,
        "h": True,
        "i": None,
        "on": 1,
    }


def test_a_destinations_own_values_overrule_the_defaults(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        SOURCES
        + """
defaults: {retry: [1m], timeout: 1s, give_up_after: 1h}
destinations:
  a: {type: console}
  b: {type: console, enabled: false, retry: [], timeout: 2s, give_up_after: 2h, concurrency: 9,
      rate_limit: 6/m, on_unknown: hold}
unmatched: {send: [a, b]}
""",
    )
    a, b = config.destinations["a"], config.destinations["b"]

    assert (
        a.retry_seconds,
        a.timeout_seconds,
        a.give_up_after_seconds,
        a.concurrency,
        a.rate_limit,
    ) == ((60.0,), 1.0, 3600.0, 4, None)
    assert ((), 2.0, 7200.0, 9, RateLimit(count=6, seconds=60)) == (
        b.retry_seconds,
        b.timeout_seconds,
        b.give_up_after_seconds,
        b.concurrency,
        b.rate_limit,
    )
    assert (a.enabled, b.enabled, b.on_unknown) == (True, False, OnUnknown.HOLD)


def test_a_send_is_a_name_names_a_block_or_a_mixture(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        SOURCES
        + """
destinations: {a: {type: console}, b: {type: console}}
routes:
  - {name: one, events: user.created, send: a}
  - {name: names, events: user.created, send: [a, b]}
  - {name: block, events: user.created, send: {to: b, text: x}}
  - {name: mixed, events: user.created, send: [a, {to: b, text: x}]}
  - {name: end, events: user.created, send: [], stop: true}
""",
    )

    assert [[s.to for s in r.sends] for r in config.routes] == [["a"], ["a", "b"], ["b"], ["a", "b"], []]
    assert [len(config.sends_of(name)) for name in ("unmatched", "one", "gone")] == [0, 1, 0]
    assert ("ends", config.routes[4].stop) == ("ends", True)


def test_an_anchor_may_stand_for_repeated_values(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        SOURCES
        + """
destinations:
  a: {type: console, retry: &slow [1h, 2h]}
  b: {type: console, retry: *slow}
unmatched: {send: [a, b]}
""",
    )

    assert [d.retry_seconds for d in config.destinations.values()] == [(3600.0, 7200.0)] * 2
    assert config.warnings == ()


def test_types_outside_the_catalog_are_declared_under_extra_events(tmp_path: Path) -> None:
    text = """
version: 1
sources:
  clerk: {type: clerk, path: /a, signing_secret: SECRET, allow: secret-in-file, extra_events: EXTRA}
destinations: {log: {type: console}}
routes: [{name: a, events: [plan.changed, "plan.*"], send: log}]
""".replace("SECRET", SECRET)
    as_list = load(tmp_path, text.replace("EXTRA", "[plan.changed]"))
    as_mapping = load(tmp_path, text.replace("EXTRA", "{plan.changed: {type: object}}"))

    assert (as_list.sources["clerk"].extra_events, as_list.warnings) == (("plan.changed",), ())
    assert (as_mapping.sources["clerk"].extra_events, as_mapping.warnings) == (("plan.changed",), ())


# -- variables ------------------------------------------------------------------------------------


def one_http(url: str, more: str = "") -> str:
    return (
        SOURCES + f"destinations: {{crm: {{type: http, url: '{url}'{more}}}}}\n"
        "unmatched: {send: {to: crm, json: {a: '${TEXT}', b: '$${TEXT}', c: '${{ data.amount }}'}}}\n"
    )


def test_variables_are_replaced_value_by_value_and_cannot_change_the_structure(tmp_path: Path) -> None:
    evil = "x', b: 5}\n- [*&!"
    config = load(tmp_path, one_http("${URL:-https://x.example.com}/a"), {"TEXT": evil})

    assert config.unmatched[0].fields["json"] == {
        "a": "${TEXT}",
        "b": "$${TEXT}",
        "c": "${{ data.amount }}",
    }
    assert config.unmatched[0].unset == ()
    assert config.destinations["crm"].options.url.get_secret_value() == "https://x.example.com/a"  # type: ignore[union-attr]


def test_a_variable_may_hold_a_number_or_a_boolean(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        one_http("https://x.example.com", ", concurrency: '${N}', enabled: '${ON:-false}'"),
        {"N": "7", "TEXT": "x"},
    )

    assert (config.destinations["crm"].concurrency, config.destinations["crm"].enabled) == (7, False)


@pytest.mark.parametrize("environment", [{}, {"URL": ""}])
def test_a_destination_waits_for_a_variable_that_is_unset_or_empty(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    config = load(tmp_path, one_http("${URL}", ", concurrency: 7"), {"TEXT": "x", **environment})
    crm = config.destinations["crm"]

    assert (crm.missing, crm.fault, crm.options, crm.concurrency) == (("URL",), "URL is not set", None, 7)
    assert [w.message for w in config.warnings] == ['URL is not set: the destination "crm" waits until it is']


def test_a_source_waits_for_its_secret(tmp_path: Path) -> None:
    text = (
        "version: 1\nsources: {clerk: {type: clerk, path: /a, signing_secret: '${S}', ignore: session.*}}\n"
    )
    clerk = load(tmp_path, text).sources["clerk"]

    assert clerk.signing == SigningSecrets(secrets=(), variables=("S",), missing=("S",), fault="S is not set")
    assert (clerk.path, clerk.ignore) == ("/a", ("session.*",))


def test_of_rotated_secrets_the_one_that_is_set_serves(tmp_path: Path) -> None:
    text = "version: 1\nsources: {clerk: {type: clerk, path: /a, signing_secret: ['${NEW}', '${OLD}']}}\n"
    clerk = load(tmp_path, text, {"NEW": SECRET}).sources["clerk"]

    assert clerk.signing == SigningSecrets(secrets=(SECRET,), variables=("NEW", "OLD"))


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("whsec_YWJj", "is too short for a signing secret: its key has 3 bytes"),
        (SECRET[:26], "is too short for a signing secret: its key has 15 bytes"),
        ("whsec_", "is no signing secret: it must be whsec_ followed by base64"),
        ("sk_live_" + "a" * 30, "is no signing secret: it must be whsec_ followed by base64"),
        (f"{SECRET[:20]} {SECRET[20:]}", "has white space in it; copy it again without"),
        (f"{SECRET[:20]}\n{SECRET[20:]}", "has a line break or another control character in it"),
    ],
)
def test_a_secret_that_is_no_good_is_left_out_for_a_reason_without_it(
    tmp_path: Path, value: str, fault: str
) -> None:
    text = "version: 1\nsources: {clerk: {type: clerk, path: /a, signing_secret: ['${NEW}', '${OLD}']}}\n"
    path = write(tmp_path, text)
    environments = [{"NEW": value}, {"NEW": value, "OLD": SECRET}]
    alone, beside = (parse_files(read_files(path, TEMPLATES), environment) for environment in environments)

    assert alone.config is not None
    assert beside.config is not None
    lacking = alone.config.sources["clerk"].signing
    assert (lacking.secrets, lacking.missing) == ((), ("NEW", "OLD"))
    assert lacking.fault.startswith("OLD is not set; NEW cannot be used: ")
    assert fault in lacking.fault
    assert beside.config.sources["clerk"].signing.secrets == (SECRET,)
    assert ("NEW" in alone.config.secrets) is (len(value) >= 16)
    assert load_config(path, TEMPLATES, environments[0]).sources["clerk"].signing == lacking
    for parsed in (alone, beside):
        (problem,) = parsed.tolerated
        assert fault in problem.message
        assert value == "whsec_" or value not in str(parsed.problems) + str(lacking)


def test_an_unset_variable_lets_a_send_wait_and_a_condition_undecided(tmp_path: Path) -> None:
    text = SOURCES + "destinations: {log: {type: console}}\n"
    text += 'routes: [{name: a, events: user.created, when: "data.id == ${X}", '
    text += "send: {to: log, text: 'a${Y}b ${Z:-c}'}}]\n"
    (route,) = load(tmp_path, text).routes

    assert (route.when, route.unset) == (("data.id == ${X}",), {"data.id == ${X}": ("X",)})
    assert [(send.fields, send.unset) for send in route.sends] == [({"text": "a${Y}b ${Z:-c}"}, ("Y",))]
    assert load(tmp_path, text, {"X": "1", "Y": "2"}).routes[0].unset == {}


# -- templates ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "environment", "expected"),
    [
        ("", {}, None),
        (", max_silence: 6h", {}, 6 * 3600),
        (', max_silence: "${SILENCE}"', {"SILENCE": "30m"}, 1800),
        (', max_silence: "${SILENCE}"', {}, None),
    ],
)
def test_silence_is_told_only_where_that_is_asked_for(
    tmp_path: Path, key: str, environment: dict[str, str], expected: float | None
) -> None:
    text = SOURCES.replace("}}", key + "}}") + "destinations: {log: {type: console}}\n"

    assert load(tmp_path, text, environment).sources["clerk"].max_silence_seconds == expected


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("", None),
        ("sk_test_0123456789abcdef", ("sk_test_0123456789abcdef", "")),
        (None, ("", "KEY is not set")),
        ("pk_test_0123456789abcdef", ("", "KEY cannot be used: it is the publishable key; take")),
        ("sk_test_0123456789 bcdef", ("", "KEY cannot be used: it has characters in it that no key has; ")),
        ("0123456789abcdef", ("", "KEY cannot be used: it is no secret key: one begins with sk_live_ or")),
    ],
)
def test_a_secret_key_that_is_no_good_stops_nothing_and_says_why(
    tmp_path: Path, key: str | None, expected: tuple[str, str] | None
) -> None:
    written = "" if key == "" else ', secret_key: "${KEY}", api_url: "http://127.0.0.1:1/v1/"'
    text = SOURCES.replace("}}", written + "}}") + "destinations: {log: {type: console}}\n"

    backend = load(tmp_path, text, {"KEY": key} if key else {}).sources["clerk"].backend

    if expected is None or backend is None:
        assert backend is expected
    else:
        secret, fault = expected
        assert backend.secret_key == secret
        assert backend.fault.startswith(fault)
        assert backend.api_url == "http://127.0.0.1:1/v1"


@pytest.mark.parametrize("ignore", ["[]", "session.*", "[session.*, user.deleted]"])
def test_a_source_may_ignore_nothing(tmp_path: Path, ignore: str) -> None:
    text = SOURCES.replace("}}", f", ignore: {ignore}}}}}") + "destinations: {log: {type: console}}\n"

    assert len(load(tmp_path, text).sources["clerk"].ignore) == ignore.count("user") + ignore.count("session")


def template_problems(tmp_path: Path, files: dict[str, str | bytes]) -> list[str]:
    folder = tmp_path / "templates"
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    path = write(tmp_path, SOURCES)
    _, problems = read_config(path, folder, {})
    return [str(problem).removeprefix(f"{folder.as_posix()}/") for problem in problems]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        (
            "a.j2",
            "\n{{ data.id }",
            "a.j2:2:1: error[template-syntax]: the template does not parse: unexpected '}'",
        ),
        (
            "a.j2",
            "{% if x %}",
            "a.j2:1:1: error[template-syntax]: the template does not parse: unexpected end of",
        ),
        (
            "a.j2",
            "x\n\n{{ x | datetim }}",
            'a.j2:3:8: error[template-syntax]: there is no filter "datetim"; did you',
        ),
        (
            "a.j2",
            "{% include 'b.j2' %}",
            'a.j2:1:1: error[missing-template]: there is no template "b.j2"; did you mean',
        ),
        (
            "a.j2",
            b"x\n\xff",
            "a.j2:2:1: error[unreadable-file]: the file is not UTF-8 (byte 0xff here); save it as",
        ),
        (
            "a.j2",
            "x" * 300_000,
            "a.j2:1:1: error[unreadable-file]: the template has 292 KiB; at most 256 KiB are read",
        ),
        (
            "a.j2",
            "{{ " + "(" * 5000 + " }}",
            "a.j2:1:1: error[template-syntax]: the template cannot be compiled (Rec",
        ),
        (
            "a.blocks.yaml",
            "- a: {{ x }}\n",
            'a.blocks.yaml:1:6: error[yaml-syntax]: a value that begins with "{{"',
        ),
        (
            "a.blocks.yaml",
            "- a: |\n    x\n    {{ y\n",
            "a.blocks.yaml:3:5: error[template-syntax]: the template does",
        ),
    ],
)
def test_a_bad_template_is_found_in_its_own_line(
    tmp_path: Path, name: str, content: str | bytes, expected: str
) -> None:
    problems = template_problems(tmp_path, {name: content})

    assert len(problems) == 1
    assert problems[0].startswith(expected)


def test_hidden_and_other_files_are_no_templates(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        ".hidden.j2": "{{",
        ".git/a.j2": "{{",
        "readme.md": "{{",
        "x.png": b"\xff",
        "a.j2": "",
    }

    assert template_problems(tmp_path, files) == []


def test_a_link_out_of_the_templates_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret.j2").write_text("x")
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "a.j2").symlink_to(tmp_path / "secret.j2")
    problems = template_problems(tmp_path, {})

    expected = "this link leads out of the templates folder; put the file itself here"
    assert [f"a.j2:1:1: error[unreadable-file]: {expected}"] == problems


def test_more_than_4_mib_of_templates_are_refused_for_the_database_keeps_them(tmp_path: Path) -> None:
    templates = {f"{number:02}.j2": "x" * (256 * 1024) for number in range(16)}

    assert template_problems(tmp_path, templates) == []

    (problem,) = template_problems(tmp_path, {"one.j2": "x"})

    assert "the templates have more than 4 MiB together, and the database keeps every version" in problem


def test_a_configuration_needs_no_templates_folder(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, SOURCES), tmp_path / "nowhere", {})

    assert config.templates == {}


def test_the_version_changes_with_any_byte_of_any_file(tmp_path: Path) -> None:
    folder = tmp_path / "templates"
    folder.mkdir()
    path = write(tmp_path, SOURCES)
    versions = [load_config(path, folder, {}).version, load_config(path, folder, {"X": "y"}).version]
    (folder / "a.j2").write_text("a")
    versions.append(load_config(path, folder, {}).version)
    (folder / "a.j2").write_text("b")
    versions.append(load_config(path, folder, {}).version)
    (folder / "a.j2").rename(folder / "b.j2")
    versions.append(load_config(path, folder, {}).version)
    path.write_text(SOURCES + "\n")
    versions.append(load_config(path, folder, {}).version)

    assert versions[0] == versions[1]
    assert len(set(versions)) == 5


# -- secrets and hostile files --------------------------------------------------------------------

PLANTED = "pl4nted" * 3


@pytest.mark.parametrize(
    "line",
    [
        "signing_secret: SECRET",
        "signing_secret: 'whsec_!SECRET'",
        "signing_secret: [SECRET, 5]",
        "signing_secret: {a: SECRET}",
        "signing_secret: ' SECRET'",
        "signing_secret: ${MINE}",
        "signing_secret: x${MINE",
        "signing_secret: @SECRET",
        "signing_secret: *SECRET",
        "signing_secret: &SECRET x",
        "signing_secret: !SECRET x",
        "signing_secret: 'SECRET",
        "signing_secret: SECRET: x",
        "type: ${MINE}",
        "path: ${MINE}",
        "ignore: ['${MINE}']",
        "extra_events: ${MINE}",
    ],
)
def test_no_message_about_a_source_shows_a_secret(tmp_path: Path, line: str) -> None:
    lines = ["    type: clerk", "    path: /a", f"    signing_secret: {SECRET}"]
    lines = [other for other in lines if other.strip().partition(":")[0] != line.partition(":")[0]]
    text = "\n".join(["version: 1", "sources:", "  clerk:", *lines, f"    {line}", ""]).replace(
        "SECRET", PLANTED
    )
    config, problems = read_config(write(tmp_path, text), TEMPLATES, {"MINE": PLANTED})

    assert PLANTED not in "".join(map(str, problems))
    assert "secret" not in line or PLANTED not in repr(config)


@pytest.mark.parametrize(
    "block",
    [
        "{type: slack, webhook_url: SECRET}",
        "{type: slack, webhook_url: [SECRET]}",
        "{type: slack, bot_token: SECRET}",
        "{type: slack, bot_token: 'a SECRET', channel: x}",
        "{type: slack, bot_token: 'xoxb-SECRET', channel: x}",
        "{type: email, smtp_url: SECRET, from: SECRET, to: SECRET}",
        "{type: email, smtp_url: 'smtp://u:SECRET@host:x', from: a@example.com, to: a@example.com}",
        "{type: email, smtp_url: 'smtp://u:SECRET@host', from: a@example.com, to: a@example.com}",
        "{type: http, url: SECRET, headers: {a: SECRET, 'b c': SECRET}}",
        "{type: http, url: 'ftp://SECRET', sign_with: SECRET, method: SECRET}",
        "{type: http, url: 'https://u:SECRET@host/', sign_with: [SECRET]}",
        "{type: SECRET, rate_limit: SECRET, timeout: SECRET, concurrency: SECRET, on_unknown: SECRET}",
        "{type: console, rate_limit: SECRET, timeout: SECRET, concurrency: SECRET, on_unknown: SECRET}",
    ],
)
def test_no_message_about_a_destination_shows_a_variables_value(tmp_path: Path, block: str) -> None:
    text = f"{SOURCES}destinations:\n  x: {block.replace('SECRET', '${MINE}')}\n"
    text = re.sub(r"([:\[] )?(\$\{MINE\})(?=[,}\]])", r"\1'\2'", text)
    config, problems = read_config(write(tmp_path, text), TEMPLATES, {"MINE": PLANTED})

    assert not [problem for problem in problems if problem.code == "yaml-syntax"]
    assert PLANTED not in "".join(map(str, problems)) + repr(config)


def test_no_message_about_a_route_shows_a_variables_value(tmp_path: Path) -> None:
    text = (
        SOURCES
        + """
destinations:
  log: {type: console}
  mail: {type: email, smtp_url: smtp://localhost, from: a@b.example, to: a@b.example}
routes:
  - name: a
    events: ["x ${MINE}", "${MINE}"]
    source: ${MINE}
    when: ["${MINE} =", "{{ ${MINE}"]
    allow: ["${MINE}"]
    send:
      - ${MINE}
      - {to: "${MINE}"}
      - {to: log, text: "{{ ${MINE} ${MINE} }}"}
      - {to: log, text: "{% ${MINE} %}"}
      - {to: log, text: "{% include '${MINE}' %}"}
      - {to: mail, template: "${MINE}"}
"""
    )
    _, problems = read_config(write(tmp_path, text), TEMPLATES, {"MINE": PLANTED})

    assert len(problems) > 10
    assert PLANTED not in "".join(map(str, problems))


def assert_bounded(tmp_path: Path, content: bytes) -> None:
    config, problems = read_config(write(tmp_path, content), TEMPLATES, {"A": "a"})

    assert config or problems
    assert all(problem.line > 0 and problem.column > 0 and str(problem).isprintable() for problem in problems)


@given(content=st.binary(max_size=300))
def test_any_bytes_load_or_are_a_problem(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    assert_bounded(tmp_path_factory.getbasetemp(), content)


WORDS = st.sampled_from(
    [
        *("version: 1", "sources:", "  clerk:", "    type: clerk", "routes:", "destinations:", "send: "),
        *("to: log", "events: ", "when: ", "name: a", "text: ", "json: ", "<<: ", "---\n", "...\n", "- "),
        *("%YAML 1.1\n", "%TAG ! x\n", "null", "true", "12", "1e999", "\\u0000", "\u2028", "\ufeff", "\x85"),
        *("{{", "}}", "{%", "%}", "${A}", "${", "$${", "${B:-x}", "&a ", "*a", "!", "!!str ", "!<x> "),
        *"[]{}:,\"'|>#?@`\\éx-+ \n\t%",
        *("  ", ": ", ", ", "? ", "| ", "> ", "|2\n"),
    ]
)


@given(words=st.lists(WORDS, max_size=60))
def test_anything_like_yaml_loads_or_is_a_problem(
    tmp_path_factory: pytest.TempPathFactory, words: list[str]
) -> None:
    assert_bounded(tmp_path_factory.getbasetemp(), "".join(words).encode())


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["log", "${A}"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["to", "type", "text", "json", "send", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)
KEYS = [
    "type",
    "path",
    "signing_secret",
    "ignore",
    "extra_events",
    "retry",
    "timeout",
    "concurrency",
    "rate_limit",
]
KEYS += ["url", "headers", "name", "events", "source", "when", "send", "stop", "enabled", "allow"]
BLOCKS = st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=6)


@given(
    source=BLOCKS,
    destination=BLOCKS | VALUES,
    kind=st.sampled_from(["slack", "email", "http", "console", "x"]),
    route=BLOCKS | VALUES,
    rest=st.dictionaries(
        st.sampled_from(["unmatched", "problems", "defaults", "routes"]), VALUES, max_size=2
    ),
)
def test_any_values_in_any_block_load_or_are_a_problem(
    tmp_path_factory: pytest.TempPathFactory,
    source: dict[str, object],
    destination: object,
    kind: str,
    route: object,
    rest: dict[str, object],
) -> None:
    if isinstance(destination, dict):
        destination = {"type": kind, **destination}
    if isinstance(route, dict):
        route = {"name": "a", "events": "user.created", "send": [{"to": "log", "text": "x"}], **route}
    whole = {"version": 1, "sources": {"clerk": {"type": "clerk", "path": "/a", **source}}}
    whole |= {"destinations": {"log": {"type": "console"}, "x": destination}, "routes": [route], **rest}
    text = yaml.safe_dump(whole, allow_unicode=True)

    assert_bounded(tmp_path_factory.getbasetemp(), text.encode("utf-8", "replace"))


def test_a_destination_has_the_time_zone_of_defaults_unless_its_own(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        SOURCES + "defaults: {timezone: Europe/Berlin}\n"
        "destinations: {a: {type: console}, b: {type: console, timezone: Asia/Tokyo}}\n"
        "unmatched: {send: [a, b]}\n",
    )

    assert config.timezone == "Europe/Berlin"
    assert [config.destinations[name].timezone for name in "ab"] == ["Europe/Berlin", "Asia/Tokyo"]


@pytest.mark.parametrize(
    "text",
    [
        (
            "destinations: {a: {type: email, smtp_url: 'smtps://m.test:587', from: a@x.test, to: a@x.test}}\n"
            "unmatched: {send: a}\n"
        ),
        "destinations: {a: {type: http, url: 'https://x.webhook.office.com/a'}}\nunmatched: {send: a}\n",
        "destinations: {a: {type: http, url: 'https://x.test'}}\nunmatched: {send: {to: a, json: '[1]'}}\n",
    ],
)
def test_what_is_surely_not_meant_fails_a_check_and_stops_no_start(tmp_path: Path, text: str) -> None:
    checked, problems = read_config(write(tmp_path, SOURCES + text), TEMPLATES, {})

    assert (checked, [(problem.code, problem.severity) for problem in problems]) == (
        None,
        [("not-meant", Severity.ERROR)],
    )
    assert [warning.severity for warning in load(tmp_path, SOURCES + text).warnings] == [Severity.WARNING]
