"""Numbers are keys where a file names what others number."""

from __future__ import annotations

from pathlib import Path

from hub.model.routing import Send
from hub.rules.load import load_config, read_config

TEXT = """\
version: 1
sources: {clerk: {type: clerk, path: /a, signing_secret: "${S:-whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw}"}}
destinations:
  crm: {type: http, url: "https://crm.test/?1=x", on_status: {404: delivered, 4xx: dead}}
unmatched:
  send:
    - {to: crm, json: {1: a, 2: {3: b}}, query: {2: c}, headers: {4: d}, on_status: {409: dead}}
    - {to: crm, form: {5: e, 5.5: f}}
"""


def load(tmp_path: Path, text: str) -> tuple[Send, ...]:
    path = tmp_path / "routes.yaml"
    path.write_text(text)
    return load_config(path, tmp_path, {}).unmatched


def test_numbers_are_keys_as_they_are_written(tmp_path: Path) -> None:
    first, second = load(tmp_path, TEXT)

    assert dict(first.fields) == {
        "json": {"1": "a", "2": {"3": "b"}},
        "query": {"2": "c"},
        "headers": {"4": "d"},
        "on_status": {"409": "dead"},
    }
    assert dict(second.fields) == {"form": {"5": "e", "5.5": "f"}}


def test_beside_them_they_are_not(tmp_path: Path) -> None:
    path = tmp_path / "routes.yaml"
    path.write_text(TEXT.replace("- {to: crm, form", "- {to: crm, 6: g, form"))
    _, problems = read_config(path, tmp_path, {})

    assert [problem.code for problem in problems] == ["bad-key"]


def test_a_name_of_the_urls_own_query_is_a_problem_at_its_place(tmp_path: Path) -> None:
    path = tmp_path / "routes.yaml"
    path.write_text(TEXT.replace("query: {2: c}", "query: {1: c}"))
    _, problems = read_config(path, tmp_path, {})

    assert [(problem.line, problem.code, problem.message) for problem in problems] == [
        (7, "bad-send", "query has '1', which the destination's url has already; keep one")
    ]
