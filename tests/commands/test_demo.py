"""`hub demo`: the whole hub on this machine, and nothing of it elsewhere."""

from __future__ import annotations

import re

import pytest
import requests
from servers.http_receiver import HttpReceiver
from servers.program import PATIENCE_SECONDS, ROOT, Program
from servers.smtp_server import SmtpServer
from shell import shipped_environment

from hub.demo.confine import samples_to_send
from hub.rules.load import load_config

LONGEST_SECONDS = 2 * PATIENCE_SECONDS

OWN_ROUTES = """\
version: 1
sources:
  clerk: {type: clerk, path: /api/webhooks, signing_secret: "${CLERK_WEBHOOK_SIGNING_SECRET}"}
  partner: {type: svix, path: /api/partner, signing_secret: "${PARTNER_SECRET}"}
destinations:
  crm: {type: http, url: "${CRM_WEBHOOK_URL}"}
  real: {type: http, url: "REAL_URL"}
  sales: {type: slack, bot_token: "${SLACK_BOT_TOKEN}", channel: sales}
routes:
  - {name: good, events: user.created, send: [crm, real, sales]}
  - {name: broken, events: user.deleted, source: partner, send: [{to: crm, body: "{{ 1 / 0 }}"}]}
"""


@pytest.fixture
def elsewhere():
    """The servers that the caller's environment names: they must hear nothing."""
    with HttpReceiver() as http, SmtpServer() as mail:
        yield http, mail
        assert (http.connections, mail.connections) == (0, 0)


def test_everything_arrives_and_nothing_leaves_the_stand_ins(tmp_path, elsewhere):
    http, mail = elsewhere
    (tmp_path / "tmp").mkdir()
    env = shipped_environment(
        SLACK_WEBHOOK_URL=f"{http.url}/services/x",
        CRM_WEBHOOK_URL=http.url,
        SMTP_URL=mail.url,
        EMAIL_TO="real@example.com",
        CLERK_WEBHOOK_SIGNING_SECRET="not even a secret",
        HTTP_PROXY=http.url,
        DATABASE_URL="postgresql://127.0.0.1:9/nowhere",
        HUB_PASSWORD="of the real hub",
        PORT="9",
        DYNO="web.1",
        TMPDIR=str(tmp_path / "tmp"),
    )

    with Program(["demo", "--exit"], tmp_path, env) as demo:
        code = demo.process.wait(LONGEST_SECONDS)

    text = demo.text
    assert code == 0, text
    shipped = load_config(ROOT / "config/routes.yaml", ROOT / "templates", {})
    events = [sample.event_type for sample in samples_to_send(shipped)]
    assert re.findall(r"^(\w+\.\w+)$", text, re.MULTILINE) == events
    assert re.search(r"^  ✓ slack    team       \S+ Mara Lindqvist signed up$", text, re.MULTILINE)
    assert re.search(r"^  ✓ email    mail       to \S+: \S+ accepted the invitation$", text, re.MULTILINE)
    assert "Welcome" not in text
    assert re.search(r"^  ✓ database app-db     users: primary_email=mara.lindqvist@", text, re.MULTILINE)
    assert re.search(r"^  ✓ http     crm        POST /crm 200, [\d,]+ bytes$", text, re.MULTILINE)
    assert re.search(r"^  ✓ console  log        \S+ was invited", text, re.MULTILINE)
    assert re.search(rf"^{len(events)} events, \d+ deliveries: all arrived, in ", text, re.MULTILINE)
    assert "\x1b" not in text
    assert list((tmp_path / "tmp").iterdir()) == []


def test_it_serves_until_ctrl_c_and_leaves_nothing_behind(tmp_path):
    (tmp_path / "tmp").mkdir()

    with Program(["demo"], tmp_path, shipped_environment(TMPDIR=str(tmp_path / "tmp"))) as demo:
        demo.wait_until(lambda: "Ctrl-C stops" in demo.text, "the demo to serve", LONGEST_SECONDS)
        link = re.search(
            r"^Status page   (http://127\.0\.0\.1:\d+)(/login/\S+)  \(opens once\)$", demo.text, re.M
        )
        page = requests.get(link[1] + link[2], timeout=PATIENCE_SECONDS)
        code = demo.interrupt()

    assert code == 0
    assert page.status_code == 200
    assert page.url == f"{link[1]}/"
    with pytest.raises(requests.ConnectionError):
        requests.get(link[1], timeout=PATIENCE_SECONDS)
    assert list((tmp_path / "tmp").iterdir()) == []


def test_what_did_not_arrive_and_what_was_not_sent_is_said_with_why(tmp_path, elsewhere):
    http, _ = elsewhere
    (tmp_path / "config").mkdir()
    (tmp_path / "templates").mkdir()
    (tmp_path / "config" / "routes.yaml").write_text(OWN_ROUTES.replace("REAL_URL", http.url))
    env = shipped_environment(SLACK_BOT_TOKEN="xoxb-real")
    del env["HUB_CONFIG"], env["HUB_TEMPLATES"]

    with Program(["demo", "--exit"], tmp_path, env) as demo:
        code = demo.process.wait(LONGEST_SECONDS)

    text = demo.text
    assert code == 1, text
    assert "real is switched off here: it would send to a place that is no stand-in.\n" in text
    assert "sales is not configured here: SLACK_BOT_TOKEN is not set in a demo.\n" in text
    assert "  · slack    sales      waits: SLACK_BOT_TOKEN is not set in a demo\n" in text
    assert re.search(r"^  ✓ http     crm        POST /crm 200", text, re.MULTILINE)
    assert "  ✗ http     crm        dead: template failed: body:1: division by zero\n" in text
    assert "\n2 events, 4 deliveries: 1 did not arrive\n" in text
    assert "Traceback" not in text


def test_a_configuration_that_is_wrong_stops_it_with_every_problem(tmp_path):
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "routes.yaml").write_text("version: 1\nsources: {}\nroutes: 7\n")
    env = shipped_environment()
    del env["HUB_CONFIG"]

    with Program(["demo", "--exit"], tmp_path, env) as demo:
        code = demo.process.wait(LONGEST_SECONDS)

    assert code == 1
    assert "config/routes.yaml:3:9: error[" in demo.text
    assert "Traceback" not in demo.text
