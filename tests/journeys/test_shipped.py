"""The shipped routes and templates: they render, read well, and cannot be turned against their readers."""

import fnmatch
import json
import re
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import given
import pytest
import yaml

from hub import catalog
from hub.ingest.route import load_rules, match
from hub.model.event import Event
from hub.preview.cases.file import read_cases
from hub.preview.cases.judge import judge
from hub.rules.load import load_config, read_config
from hub.rules.mirrors import fed_tables
from hub.templating.escapes import as_json, html, plain
from hub.templating.sandbox import Sandbox

ROOT = Path(__file__).parents[2]
ROUTES_TEXT = (ROOT / "config/routes.yaml").read_text(encoding="utf-8")
ROUTES = yaml.safe_load(ROUTES_TEXT)
FILES = {
    str(path.relative_to(ROOT / "templates")): path.read_text(encoding="utf-8")
    for path in sorted((ROOT / "templates").rglob("*"))
    if path.is_file()
}
SANDBOX = Sandbox(FILES)
LINK = "https://hub.example.com/events/evt_1"

WHO = {
    "invitation": ("priya.raman@example.com",),
    "organizationInvitation": ("kofi.mensah@example.org",),
    "organizationMembership": ("June",),
    "paymentAttempt": ("Harbor & Pine",),
    "user": ("mara.lindqvist@example.com", "Mara"),
    "waitlistEntry": ("noor.haddad@example.org",),
}
"""Whom every part of a message about a sample has to name, by one of these."""


def slack(value):
    return str(value).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def events_of(route):
    globs = [route["events"]] if isinstance(route["events"], str) else route["events"]
    return [name for name in catalog.event_types() if any(fnmatch.fnmatchcase(name, glob) for glob in globs)]


def blocks_of(send):
    """The send blocks of `send: NAME`, a list of names, or a list of blocks."""
    entries = send if isinstance(send, list) else [send]
    return [{"to": entry} if isinstance(entry, str) else entry for entry in entries]


SENDS = [
    (name, route["name"], block)
    for route in ROUTES["routes"]
    for name in events_of(route)
    for block in blocks_of(route["send"])
]


ENABLED = [route for route in ROUTES["routes"] if route.get("enabled", True)]


def seen(name, assignments=None, route="some-route", to="team"):
    event = Event(
        id="evt_1",
        source="clerk",
        message_id="msg_1",
        type=name,
        payload=catalog.sample_payload(name, assignments),
        received_at=datetime(2026, 6, 10, tzinfo=UTC),
    )
    return {**given.seen(event, route), "destination": to, "link": LINK}


def texts_of(block, scope):
    """Every text that a send block renders to, by what it is; raises TemplateError."""
    escape = {"slack": slack, "http": as_json}.get(type_of(block), plain)
    for key in ("text", "subject", "recipient"):
        if key in block:
            yield key, SANDBOX.text(block[key], scope, plain if key != "text" else escape, name=key)
    if "json" in block:
        yield "json", json.dumps(SANDBOX.structure(block["json"], scope, as_json, name="json"))
    for name in template_files(block):
        if name.endswith(".blocks.yaml"):
            rendered = SANDBOX.structure(yaml.safe_load(FILES[name]), scope, escape, name=name)
            yield name, "\n".join(strings_in(rendered))
        else:
            yield name, SANDBOX.file(name, scope, html if name.endswith(".html.j2") else escape)


def template_files(block):
    stem = block.get("template")
    suffixes = (".j2", ".blocks.yaml", ".html.j2", ".txt.j2")
    return [stem + suffix for suffix in suffixes if stem and stem + suffix in FILES]


def type_of(block):
    return ROUTES["destinations"][block["to"]]["type"]


def strings_in(value):
    if isinstance(value, dict):
        return [text for item in value.values() for text in strings_in(item)]
    if isinstance(value, list):
        return [text for item in value for text in strings_in(item)]
    return [value] if isinstance(value, str) else []


def titles(sends):
    return [f"{name}-{route}-{block['to']}" for name, route, block in sends]


WRITTEN = [send for send in SENDS if set(send[2]) - {"to"}]


# -- the files ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
def test_a_template_parses(name):
    if name.endswith(".yaml"):
        structure = yaml.safe_load(FILES[name])
        assert isinstance(structure, dict | list)
        for text in strings_in(structure):
            SANDBOX.parse(text, name)
    else:
        SANDBOX.parse(FILES[name], name)


def test_every_template_is_used():
    used = {name for _, _, block in SENDS for name in template_files(block)}

    assert FILES.keys() - used == {"email/layout.html.j2"}


def test_every_template_that_is_named_exists():
    assert [block for _, _, block in SENDS if "template" in block and not template_files(block)] == []


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".html.j2")])
def test_a_mail_asks_no_other_host_for_anything(name):
    assert re.findall(r"<(?:img|script|link|iframe)|@import|url\(|src=|https?:", FILES[name]) == []


def test_every_mail_has_html_and_text():
    mails = {stem for name in FILES for stem in re.findall(r"^email/(?!layout)(.*)\.(?:html|txt)\.j2$", name)}

    assert all(f"email/{stem}.{kind}.j2" in FILES for stem in mails for kind in ("html", "txt"))


# -- the routes -----------------------------------------------------------------------------------


def test_editors_find_the_schema():
    assert ROUTES_TEXT.startswith("# yaml-language-server: $schema=../hub/routes.schema.json\n")


def test_every_variable_of_the_environment_is_one_that_is_documented():
    lines = [line for line in ROUTES_TEXT.splitlines() if not line.lstrip().startswith("#")]

    assert set(re.findall(r"\$\{(\w+)\}", "\n".join(lines))) == {
        "CLERK_WEBHOOK_SIGNING_SECRET",
        "SLACK_WEBHOOK_URL",
        "SMTP_URL",
        "EMAIL_FROM",
        "EMAIL_TO",
        "CRM_WEBHOOK_URL",
    }


def test_each_block_is_explained_by_a_comment():
    lines = ROUTES_TEXT.splitlines()
    unexplained = [
        line
        for before, line in pairwise(lines)
        if re.match(r"\w+:|  - name:", line) and not before.lstrip().startswith("#")
        if line not in ("version: 1", "routes:")
    ]

    assert unexplained == []


def test_the_variant_for_bots_passes_the_check_once_its_lines_are_no_comments(tmp_path):
    block = re.compile(r"^  # (?:bot:|- name: invitation-life).*\n(?:  #   .*\n)+", re.MULTILINE)
    text, count = block.subn(lambda lines: re.sub("^  # ", "  ", lines[0], flags=re.MULTILINE), ROUTES_TEXT)
    routes = tmp_path / "routes.yaml"
    routes.write_text(text, encoding="utf-8")
    config, problems = read_config(routes, ROOT / "templates", {})
    (sent,) = [route.sends for route in config.routes if route.name == "invitation-life"]

    assert count == 2
    assert {problem.code for problem in problems} == {"unset-variable"}
    assert [(send.to, send.fields["thread_mode"]) for send in sent] == [("bot", ["update", "broadcast"])]


def test_the_mirror_passes_the_check_once_its_lines_are_no_comments(tmp_path):
    block = re.compile(r"^  # (?:app-db:|- name: mirror).*\n(?:  #   .*\n)+", re.MULTILINE)
    text, count = block.subn(lambda lines: re.sub("^  # ", "  ", lines[0], flags=re.MULTILINE), ROUTES_TEXT)
    routes = tmp_path / "routes.yaml"
    routes.write_text(text, encoding="utf-8")
    config, problems = read_config(routes, ROOT / "templates", {})

    assert count == 2
    assert {problem.code for problem in problems} == {"unset-variable"}
    assert config.routes[0].name == "mirror"
    assert fed_tables(config, "app-db") == ("users", "organizations", "organization_memberships")


def test_every_destination_and_every_type_is_used():
    used = {block["to"] for _, _, block in SENDS}

    assert used == ROUTES["destinations"].keys()
    assert {type_of(block) for _, _, block in SENDS} == {"slack", "email", "http", "console"}


def test_every_event_pattern_fits_something():
    assert [route["name"] for route in ROUTES["routes"] if not events_of(route)] == []


@pytest.mark.parametrize(
    "name",
    [
        "invitation.created",
        "invitation.accepted",
        "invitation.revoked",
        "organizationInvitation.created",
        "organizationInvitation.accepted",
        "organizationInvitation.revoked",
        "organizationMembership.created",
        "organizationMembership.updated",
        "organizationMembership.deleted",
        "paymentAttempt.updated",
        "user.created",
        "waitlistEntry.created",
    ],
)
def test_the_event_is_routed(name):
    assert name in {routed for routed, _, _ in SENDS}


def test_a_sample_of_each_routed_event_makes_few_messages_for_slack():
    assert len([block for _, _, block in SENDS if type_of(block) == "slack"]) <= 10


@pytest.mark.parametrize(
    ("route", "name", "assignments", "expected"),
    [
        ("welcome", "user.created", {}, True),
        ("welcome", "user.created", {"data.email_addresses": []}, False),
        ("welcome", "user.created", {"data.primary_email_address_id": None}, False),
        ("welcome", "user.created", {"data.email_addresses": None}, False),
        ("payment-failed", "paymentAttempt.updated", {}, True),
        ("payment-failed", "paymentAttempt.updated", {"data.status": "paid"}, False),
        ("payment-failed", "paymentAttempt.updated", {"data": {}}, False),
    ],
)
def test_a_condition_holds_where_it_should(route, name, assignments, expected):
    condition = next(entry["when"] for entry in ROUTES["routes"] if entry["name"] == route)

    assert bool(SANDBOX.condition(condition)(seen(name, assignments))) == expected


# -- what they render to --------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "route", "block"), WRITTEN, ids=titles(WRITTEN))
def test_a_message_names_whom_it_is_about(name, route, block):
    names = WHO[name.partition(".")[0]]
    for part, text in texts_of(block, seen(name, route=route, to=block["to"])):
        assert any(who in text or slack(who) in text for who in names), part
        assert not re.search(r"\b(None|True|False|Undefined)\b", text), part


@pytest.mark.parametrize(("name", "route", "block"), WRITTEN, ids=titles(WRITTEN))
def test_a_message_reads_well_with_nothing_but_what_must_be_there(name, route, block):
    scope = seen(name, dict.fromkeys(may_be_null(name)), route=route, to=block["to"])
    for part, text in texts_of(block, scope):
        if part == "recipient":
            continue
        assert text.strip(), part
        assert not re.search(r"\b(None|Undefined)\b", text), part
        labels = re.findall(r"(?m)^\*\w[\w ]*\*\s*$(?!\n\S)|^[A-Z][\w ]+: *$|<td></td>", text)
        assert labels == [], part


def may_be_null(name):
    """Paths, parents only, that the schema lets be null or missing, other than the primary email."""
    fields = catalog.fields_of(catalog.find_event_type(name))
    bare = [f.path for f in fields if (f.nullable or f.optional) and "[]" not in f.path]
    topmost = [path for path in bare if not any(path.startswith(f"{other}.") for other in bare)]
    return [path for path in topmost if path != "data.primary_email_address_id"]


HOSTILE = '<!channel> <script>alert("1")</script> & {{ 7 * 7 }} *b* ", "x": "y\n\u2028'


@pytest.mark.parametrize(("name", "route", "block"), WRITTEN, ids=titles(WRITTEN))
def test_what_strangers_write_stays_text(name, route, block):
    hostile = dict(texts_of(block, seen(name, all_texts_of(name), route=route)))
    for part, text in hostile.items():
        assert "49" not in text.replace("49.00", ""), part
        if type_of(block) == "slack" or part.endswith(".html.j2"):
            assert not re.search(r"<!channel>|<script", text), part
        if part in ("json", "http/contact.j2"):
            assert isinstance(json.loads(text), dict)
    for part, text in texts_of(block, seen(name, route=route)):
        if part.endswith(".html.j2"):
            assert tags_of(hostile[part]) == tags_of(text)


def tags_of(page):
    return re.findall("<[^>]*>", re.sub('"[^"]*"', '""', page))


def all_texts_of(name):
    """Assignments that put hostile text wherever the schema takes any text at the top levels of data."""
    fields = catalog.fields_of(catalog.find_event_type(name))
    free = [f.path for f in fields if "string" in f.types and not f.enum and "[]" not in f.path]
    data = catalog.sample(name)["data"]
    present = [path for path in free if has(data, path.split(".")[1:]) and not path.endswith("_id")]
    return dict.fromkeys(present, HOSTILE)


def has(data, keys):
    for key in keys:
        if not isinstance(data, dict) or key not in data:
            return False
        data = data[key]
    return True


def test_blocks_keep_their_shape_whatever_they_are_filled_with():
    name = "slack/new-user.blocks.yaml"
    structure = yaml.safe_load(FILES[name])
    for assignments in ({}, all_texts_of("user.created")):
        rendered = SANDBOX.structure(structure, seen("user.created", assignments), slack, name=name)

        assert [sorted(block) for block in rendered] == [sorted(block) for block in structure]


NAMELESS = {"data.first_name": None, "data.last_name": None, "data.email_addresses": []}
WALLET_ONLY = {
    **NAMELESS,
    "data.phone_numbers": [],
    "data.primary_web3_wallet_id": "w",
    "data.web3_wallets": [{"id": "w", "web3_wallet": "0x71C7656EC7ab88b098defB751B7401B5f6d8976F"}],
}


def test_nobody_who_signs_up_is_mailed_as_shipped():
    welcome = next(route for route in ROUTES["routes"] if route["name"] == "welcome")
    mailed = [block for route in ENABLED for block in blocks_of(route["send"]) if "recipient" in block]

    assert welcome["enabled"] is False
    assert mailed == []
    assert re.search(r"# .*Switched off: it mails every new user\b", ROUTES_TEXT)


@pytest.mark.parametrize(("name", "route", "block"), WRITTEN, ids=titles(WRITTEN))
def test_no_name_of_a_stranger_is_a_link(name, route, block):
    names = {
        path: "evil.test/#a"
        for path in all_texts_of(name)
        if re.search(r"(^|[._])(first_name|last_name|name|organization_name)$", path)
        and not re.search(r"(slug|role|plan|currency|status|type)", path)
    }
    for part, text in texts_of(block, seen(name, names, route=route, to=block["to"])):
        if type_of(block) in ("slack", "email"):
            assert "evil.test" not in text, part


def test_a_name_in_a_subject_is_cut():
    subjects = [(name, block) for name, _, block in WRITTEN if "subject" in block]
    for name, block in subjects:
        names = {path: "N" * 4000 for path in all_texts_of(name) if "name" in path.rpartition(".")[2]}
        text = dict(texts_of(block, seen(name, names)))["subject"]

        assert len(text) < 100


@pytest.mark.parametrize(
    ("template", "name", "assignments", "expected"),
    [
        ("member", "organizationMembership.created", {}, "June joined Harbor &amp; Pine as Admin"),
        ("member", "organizationMembership.created", {"data.role_name": None}, "as Admin"),
        ("member", "organizationMembership.deleted", {}, "June left Harbor &amp; Pine"),
        (
            "member",
            "organizationMembership.deleted",
            {"data.public_user_data": None},
            "A user left Harbor",
        ),
        ("new-user", "user.created", {}, "Mara Lindqvist signed up"),
        ("new-user", "user.created", {"data.last_name": None}, "Mara signed up"),
        ("new-user", "user.created", {"data.first_name": "evil.test"}, "evil.\u2060test Lindqvist signed up"),
        ("new-user", "user.created", NAMELESS, "+15555550142 signed up"),
        (
            "new-user",
            "user.created",
            {**NAMELESS, "data.phone_numbers": [], "data.external_accounts": []},
            "A user signed up",
        ),
        ("new-user", "user.created", WALLET_ONLY, "0x71C7…976F signed up"),
        (
            "new-user",
            "user.created",
            {"data.first_name": None, "data.last_name": None},
            "mara.lindqvist@example.com signed up",
        ),
        (
            "payment-failed",
            "paymentAttempt.updated",
            {},
            "Payment of 49.00 USD by Harbor &amp; Pine failed: not enough",
        ),
        (
            "payment-failed",
            "paymentAttempt.updated",
            {"data.payer.organization_name": ""},
            "Payment of 49.00 USD by Tomás Okafor failed",
        ),
    ],
)
def test_a_line_for_slack_reads_well(template, name, assignments, expected):
    assert expected in SANDBOX.file(f"slack/{template}.j2", seen(name, assignments), slack)


def test_the_contact_is_typed_json():
    contact = json.loads(SANDBOX.file("http/contact.j2", seen("user.created"), as_json))

    assert contact == {
        "kind": "contact",
        "id": catalog.sample("user.created")["data"]["id"],
        "name": "Mara Lindqvist",
        "email": "mara.lindqvist@example.com",
        "signed_up": "2026-06-10T17:12:41Z",
        "signs_in_with": ["oauth_google"],
    }


def test_a_contact_without_email_has_null():
    scope = seen("user.created", {"data.email_addresses": [], "data.external_accounts": None})
    contact = json.loads(SANDBOX.file("http/contact.j2", scope, as_json))

    assert contact["email"] is None
    assert contact["signs_in_with"] == []


# -- their tests ----------------------------------------------------------------------------------


RULES = load_rules(load_config(ROOT / "config/routes.yaml", ROOT / "templates", {}))
CASES, PROBLEMS = read_cases(ROOT / "config/routes.test.yaml", RULES.config)


def test_every_route_is_taken_in_a_case_by_every_event_it_names():
    taken = {(case.event.type, name) for case in CASES for name in match(RULES, case.event).routes}
    routed = {(name, route["name"]) for route in ENABLED for name in events_of(route)}

    assert routed - taken == set()
    assert any(match(RULES, case.event).sends[0].route == "unmatched" for case in CASES)


def test_every_condition_fails_in_a_case():
    failed = {v.route for case in CASES for v in match(RULES, case.event).verdicts if not v.matched}

    assert {route["name"] for route in ENABLED if "when" in route} - failed == set()


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_case_passes(case):
    assert PROBLEMS == ()
    assert judge(case, RULES).mismatches == ()
