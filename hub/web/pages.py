"""The status page: what was sent, what was not, and why."""

from __future__ import annotations

from flask import Blueprint

from hub.web import access

blueprint = Blueprint("pages", __name__)
blueprint.before_request(access.require_session)


@blueprint.get("/")
def status() -> str:
    return "soon"
