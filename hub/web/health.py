"""Liveness of this process, and readiness of the whole hub."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from hub.errors import StoreError
from hub.health.assess import assess
from hub.health.facts import Facts, readiness_facts, without_store
from hub.model.finding import Finding, FindingCode, FindingSeverity
from hub.web.context import context

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def healthz() -> Response:
    """Answer 200 while the process serves, whatever the database does."""
    return jsonify(status="ok")


@blueprint.get("/readyz")
def readyz() -> tuple[Response, int]:
    """Answer what is not ready, in words. A refused edit and what is not configured yet do not count."""
    facts = _look_up()
    bad = [finding for finding in assess(facts) if finding.severity is FindingSeverity.BAD]
    findings = {finding.code: finding for finding in reversed(bad)}
    database, worker = findings.get(FindingCode.DATABASE), findings.get(FindingCode.NO_WORKER)
    parts = {
        "database": _in_public(database) if database else "ok",
        "config": "ok",
        "worker": _in_public(worker) if worker else "ok",
    }
    if database is not None:
        parts["worker"] = f"unknown, for {parts['database']}"
    return jsonify(parts), 503 if database or worker else 200


def _look_up() -> Facts:
    here = context()
    try:
        with here.store.read() as snapshot:
            return readiness_facts(here.store, snapshot, here.rules().config)
    except StoreError as error:
        return without_store(here.files(), error)


def _in_public(finding: Finding) -> str:
    """Without the reason: it may name the database's host, and everybody may ask."""
    headline = finding.headline[:1].lower() + finding.headline[1:]
    return "; ".join(filter(None, (headline, finding.cure)))
