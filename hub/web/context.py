"""The context of every view: the store, today's rules and the settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from flask import current_app

from hub.catalog.redaction import Redaction
from hub.health.access import access_facts
from hub.health.assess import Area, assess_by_area
from hub.health.facts import Facts, FileFacts, page_facts, waiting_facts
from hub.ingest.route import Rules
from hub.model.finding import Finding
from hub.model.stats import Stats
from hub.rules.reload import Serving
from hub.settings import Settings
from hub.store.store import Store, Transaction
from hub.transport.http import ignored_proxies
from hub.web.key_limit import KeyLimit


@dataclass(frozen=True, kw_only=True)
class Health:
    """The hub's health at one moment; the findings are without secrets."""

    stats: Stats
    facts: Facts
    findings: Mapping[Area, Sequence[Finding]]
    redaction: Redaction

    def all_findings(self) -> list[Finding]:
        """Return the findings of all areas."""
        return [finding for findings in self.findings.values() for finding in findings]


@dataclass(frozen=True, kw_only=True)
class Context:
    """The app's own; `serving` answers with the version of the user's files that serves now."""

    store: Store
    serving: Callable[[], Serving]
    settings: Settings
    key_limit: KeyLimit

    def rules(self) -> Rules:
        return self.serving().rules

    def redaction(self) -> Redaction:
        """Return the environment's secrets, which nothing may show."""
        return self.rules().redaction

    def files(self) -> FileFacts:
        """Return the facts about the user's files that this process serves, and about a refused edit."""
        return replace(self.serving().facts(), ignored=ignored_proxies(self.settings.environment))

    def waiting_facts(self, snapshot: Transaction) -> Facts:
        """Return the facts that say why deliveries wait."""
        return waiting_facts(snapshot, self.rules().config)

    def health(self, snapshot: Transaction) -> Health:
        """Return the store in numbers, with the facts about the hub's health and the findings from them."""
        stats = snapshot.numbers.stats()
        facts = page_facts(self.store, snapshot, self.files(), stats)
        facts = replace(facts, access=access_facts(snapshot, self.settings))
        redaction = self.redaction()
        findings = {
            area: [_redacted(finding, redaction) for finding in judged]
            for area, judged in assess_by_area(facts).items()
        }
        return Health(stats=stats, facts=facts, findings=findings, redaction=redaction)


def _redacted(finding: Finding, redaction: Redaction) -> Finding:
    return replace(finding, reason=redaction.optional(finding.reason))


def context() -> Context:
    """Return the context of the app that answers this request."""
    its_context: Context = current_app.extensions["hub"]
    return its_context
