"""What a variable holds never stops a start, and is said by its name; `hub check` fails on it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.config.files import Files
from hub.model.config import Config
from hub.model.problem import Severity
from hub.rules.load import load_config, read_config, usable_config

TEMPLATES = Path(__file__).parent / "configs" / "templates"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SOURCES = f"version: 1\nsources: {{clerk: {{type: clerk, path: /api/webhooks, signing_secret: {SECRET}}}}}\n"


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "routes.yaml"
    path.write_text(text)
    return path


def load(tmp_path: Path, text: str, environment: dict[str, str]) -> Config:
    return load_config(write(tmp_path, text), TEMPLATES, environment)


def messages(tmp_path: Path, text: str, environment: dict[str, str]) -> list[str]:
    """Severity, code and text of each problem that `hub check` prints."""
    _, problems = read_config(write(tmp_path, text), TEMPLATES, environment)
    return [f"{problem.severity}[{problem.code}]: {problem.message}" for problem in problems]


PLACES = """
version: 1
sources: {clerk: {type: clerk, path: /api/webhooks, signing_secret: '${SECRET}'}}
defaults: {timeout: '${TIMEOUT:-20s}', give_up_after: '${GIVE_UP}'}
destinations:
  crm: {type: http, url: '${URL}', headers: {Authorization: 'Bearer ${TOKEN}'}, enabled: '${ON:-true}'}
  slack: {type: slack, webhook_url: '${HOOK}', concurrency: '${MANY}'}
  mail: {type: email, smtp_url: '${SMTP}', from: '${FROM}', to: '${TO}'}
  log: {type: console}
routes:
  - {name: a, events: user.created, send: [crm, slack, mail, {to: '${DEST:-log}', text: '${TEXT}'}]}
"""
GOOD = {
    "SECRET": SECRET,
    "TIMEOUT": "5s",
    "GIVE_UP": "1h",
    "URL": "https://crm.example.com/hooks",
    "TOKEN": "t0ken",
    "HOOK": "https://hooks.slack.com/services/T/B/X",
    "MANY": "2",
    "SMTP": "smtp://hub:swordfish@mail.example.com",
    "FROM": "hub@example.com",
    "TO": "ada@example.com",
    "TEXT": "x",
}


def of_places(tmp_path: Path, **changes: str) -> Config:
    return load(tmp_path, PLACES, {**GOOD, **changes})


@pytest.mark.parametrize(
    ("name", "value", "place", "fault"),
    [
        ("URL", "crm.example.com/hooks", "crm", '"url" must be a URL that starts with https://'),
        ("URL", "'https://crm.example.com'", "crm", "it has quotes around it; take them off"),
        ("TOKEN", "to\nken", "crm", "it has a line break or another control character in it"),
        ("TOKEN", '"t0ken"', "crm", "it has quotes around it"),
        ("HOOK", "hooks.slack.com/x", "slack", '"webhook_url" must be a URL like https://hooks.slack.com'),
        ("MANY", "several", "slack", '"concurrency" must be a whole number'),
        ("MANY", "0", "slack", '"concurrency" must be at least 1'),
        ("SMTP", "mail.example.com", "mail", '"smtp_url" must look like smtp://'),
        ("FROM", "hub", "mail", '"from" must be addresses like'),
        ("TO", ",", "mail", '"to" must name at least one address'),
    ],
)
def test_a_destination_with_a_value_that_is_no_good_is_not_configured(
    tmp_path: Path, name: str, value: str, place: str, fault: str
) -> None:
    config = of_places(tmp_path, **{name: value})
    destination = config.destinations[place]

    assert (destination.missing, destination.options) == ((name,), None)
    assert destination.fault.startswith(f"{name} cannot be used: {fault}")
    assert [block.name for block in config.destinations.values() if block.missing] == [place]
    assert [(problem.severity, problem.code) for problem in config.warnings] == [
        (Severity.WARNING, "bad-variable")
    ]
    assert len(value) < 3 or value not in f"{destination} {config.warnings}"
    assert messages(tmp_path, PLACES, {**GOOD, name: value})[0].startswith(
        f"error[bad-variable]: {name} cannot be used: {fault}"
    )


@pytest.mark.parametrize("value", ["whsec_", "not base64", f'"{SECRET}"', "whsec_a\nb"])
def test_a_source_with_a_secret_that_is_no_good_has_none(tmp_path: Path, value: str) -> None:
    clerk = of_places(tmp_path, SECRET=value).sources["clerk"].signing

    assert (clerk.secrets, clerk.missing) == ((), ("SECRET",))
    assert clerk.fault.startswith("SECRET cannot be used: ")


def test_a_default_holds_where_a_value_is_no_good_and_nothing_can_be_read_without(tmp_path: Path) -> None:
    config = of_places(tmp_path, TIMEOUT="long", GIVE_UP="later", ON="perhaps", DEST="nowhere")

    assert {
        (block.timeout_seconds, block.give_up_after_seconds) for block in config.destinations.values()
    } == {(20.0, 3 * 86400.0)}
    assert config.destinations["crm"].enabled
    assert [send.to for send in config.routes[0].sends] == ["crm", "slack", "mail", "log"]
    assert [problem.message.partition(" ")[0] for problem in config.warnings] == [
        *("TIMEOUT", "GIVE_UP", "ON", "DEST")
    ]


def test_a_destination_that_is_switched_off_stays_so_whatever_it_lacks(tmp_path: Path) -> None:
    config = of_places(tmp_path, ON="false", URL="")

    assert (config.destinations["crm"].enabled, config.destinations["crm"].missing) == (False, ("URL",))


@given(st.dictionaries(st.sampled_from([*GOOD, "ON", "DEST"]), st.text(max_size=12)))
@settings(max_examples=40)
def test_no_value_of_a_variable_stops_a_start(values: dict[str, str]) -> None:
    files = Files(path=Path("routes.yaml"), templates_folder=TEMPLATES, content=PLACES.encode(), templates={})

    assert usable_config(files, {**GOOD, **values}).routes[0].name == "a"


@pytest.mark.parametrize("environment", [{}, {"B": "xoxb-1"}])
def test_what_keys_say_without_any_value_is_checked_whether_variables_are_set(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    text = SOURCES + "destinations: {s: {type: slack, bot_token: '${B}'}}\nunmatched: {send: s}\n"

    errors = [text for text in messages(tmp_path, text, environment) if "error[" in text]

    assert errors == [
        'error[bad-value]: the destination "s" (type slack) needs both bot_token and channel to post as a bot'
    ]


def test_what_only_a_value_makes_wrong_in_another_block_stops_no_start(tmp_path: Path) -> None:
    text = SOURCES + "destinations: {crm: {type: http, url: '${URL}'}}\n"
    text += "unmatched: {send: {to: crm, query: {key: x}}}\n"
    environment = {"URL": "https://crm.example.com?key=y"}

    problem = "[bad-send]: query has 'key', which the destination's url has already; keep one"

    assert [str(warning).partition(": ")[2] for warning in load(tmp_path, text, environment).warnings][
        -1
    ] == (f"warning{problem}")
    assert messages(tmp_path, text, environment)[-1] == f"error{problem}"
    assert f"error{problem}" in messages(tmp_path, text.replace("${URL}", environment["URL"]), {})


def test_quotes_around_a_text_are_asked_about(tmp_path: Path) -> None:
    (problem,) = of_places(tmp_path, TEXT='"hello"').warnings

    assert (problem.severity, problem.message) == (
        Severity.WARNING,
        "TEXT has quotes around its value, which are sent too; are they meant?",
    )


def test_secrets_are_known_by_where_they_stand(tmp_path: Path) -> None:
    text = (
        PLACES + "  - {name: b, events: user.created, send: {to: crm, json: {k: '${PD}'}, path: '/${P}'}}\n"
    )
    config = load(tmp_path, text, GOOD)

    assert {*config.secrets} == {
        *("SECRET", "URL", "TOKEN", "HOOK", "SMTP", "PD", "P", "HUB_PASSWORD", "DATABASE_URL")
    }
