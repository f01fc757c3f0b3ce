"""Terms: all by which an event is found, and nothing secret."""

from __future__ import annotations

import json
from typing import Any

import given
import pytest

from hub import catalog
from hub.catalog.event_types import sample_data
from hub.catalog.masking import hidden_values
from hub.catalog.terms import TERM_LIMIT, TERMS_LIMIT, terms_of, words_of


def finds(query: str, type_: str = "user.created", **data: Any) -> bool:
    """True where an event about this is found."""
    terms = terms_of(given.event(type_, data=data, message_id="msg_2Abc"))
    return all(any(term.startswith(word) for term in terms) for word in words_of(query))


PERSON = {
    "id": "user_2PersonX",
    "first_name": "Ada",
    "last_name": "O'Brien-Lovelace",
    "email_addresses": [{"id": "idn_1", "email_address": "ada.lovelace@Example.com"}],
    "phone_numbers": [{"phone_number": "+15551234567"}],
    "external_accounts": [{"provider": "oauth_google", "note": "see bob@elsewhere.example"}],
    "public_metadata": {"contact": "carol@elsewhere.example", "plan": "enterprise"},
}


@pytest.mark.parametrize(
    "query",
    [
        "ada.lovelace@example.com",
        "ADA.LOVE",
        "lovelace@exa",
        "example.com",
        "user_2personx",
        "user_2Pers",
        "idn_1",
        "msg_2ab",
        "Ada o'brien",
        "lovelace",
        "brien-love",
        "+1555123",
        "1555",
        "carol@elsewhere.example",
        "  ada ,  com ",
    ],
)
def test_an_event_is_found_by_the_beginning_of_any_word(query: str) -> None:
    assert finds(query, **PERSON)


@pytest.mark.parametrize(
    "query", ["da", "lovelace@example.org", "ada bob", "enterprise", "oauth", "2personx"]
)
def test_an_event_is_not_found_by_anything_else(query: str) -> None:
    assert not finds(query, **PERSON)


@pytest.mark.parametrize(
    ("name", "query"),
    [("Ünal İpek", "ÜNAL"), ("\uff21\uff44a", "ada"), ("张伟", "张"), ("Straße", "STRASSE")],
)
def test_letters_of_every_script_are_found_in_any_form(name: str, query: str) -> None:
    assert finds(query, first_name=name)


@pytest.mark.parametrize("type_", catalog.event_types())
def test_nothing_that_is_never_shown_is_a_term(type_: str) -> None:
    body = json.loads(json.dumps({"data": sample_data(type_)}))
    body["data"]["id"] = "another"
    event = given.event(type_, data=body["data"])
    hidden = {text.casefold() for text in hidden_values(type_, event.body) if len(text) > 3}

    assert {term for term in terms_of(event) for text in hidden if text in term} == set()


def test_a_hostile_event_has_few_and_short_terms() -> None:
    nested: Any = {"name": "end"}
    for _ in range(90):
        nested = {"x": nested, "name": "\0 \ud800 " + "a@" * 5000}
    terms = terms_of(given.event(data={"id": "x" * 5000, "names": nested, "list": [nested] * 50}))

    assert len(terms) <= TERMS_LIMIT
    assert max(map(len, terms)) <= TERM_LIMIT
    assert "".join(terms).encode()


def test_a_search_has_words_with_letters_or_digits_alone() -> None:
    assert words_of(' "Ada"  <ada@example.com>, - !! ada') == ("ada", "ada@example.com")
