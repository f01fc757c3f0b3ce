"""Access for people and programs: the password, the one-time link, the session, and the API's key."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from urllib.parse import urlsplit

from flask import (
    Blueprint,
    Flask,
    abort,
    current_app,
    flash,
    g,
    make_response,
    redirect,
    request,
    session,
    url_for,
)
from flask_wtf.csrf import CSRFProtect  # type: ignore[import-untyped]
from werkzeug.wrappers import Response as AnyResponse

from hub import __version__
from hub.errors import StoreError
from hub.model.audit import COMMAND_LINE, Act, Actor, By
from hub.operator import keep_entry
from hub.web.address import address_of, network_of
from hub.web.context import context
from hub.web.links import take_link
from hub.web.markup import render_page
from hub.web.sessions import COOKIE_NAME, LONGEST_LIFETIME, configure, end_session, has_ended, share_key

COMMAND_LINE_MARK = "hub.command_line"
"""Marks, in the WSGI environment, a request that a command of this machine makes; no header can set it."""

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")

blueprint = Blueprint("access", __name__)


def init_app(app: Flask, path: str) -> None:
    """Set up sessions and form tokens for pages below a path.

    Each guard asks for the token itself, for it knows who needs one.
    """
    configure(app, path)
    app.config.update(
        WTF_CSRF_CHECK_DEFAULT=False,
        WTF_CSRF_TIME_LIMIT=None,
        WTF_CSRF_SSL_STRICT=False,
    )
    CSRFProtect(app)
    app.context_processor(lambda: {"signed_in": _is_shown_as_signed_in(), "version": __version__})


def actor() -> Actor:
    """Return who makes this request, for the audit."""
    if COMMAND_LINE_MARK in request.environ:
        return COMMAND_LINE
    by = By.KEY if "Authorization" in request.headers else By.SESSION
    return Actor(by=by, address=address_of(request.remote_addr))


def _refuse(by: By) -> None:
    """Count a wrong password, key or link; one too many of its address is answered 429 here."""
    if context().key_limit.add(Actor(by=by, address=network_of(request.remote_addr))):
        abort(429)


def require_key() -> None:
    """Let a request to the API pass with the password as a Bearer token, or a session with its form token."""
    if "Authorization" in request.headers:
        if not _has_key():
            _refuse(By.KEY)
            abort(401)
        return
    if COOKIE_NAME not in request.cookies:
        abort(401)
    share_key(current_app, context().store)
    if not signed_in():
        abort(401)
    if request.method not in SAFE_METHODS:
        _check_form_token()


def require_session() -> AnyResponse | None:
    """Let a request to a page pass with a session, and with its form token if it changes something."""
    share_key(current_app, context().store)
    if not signed_in():
        return _to_login()
    if request.method not in SAFE_METHODS:
        _check_form_token()
    return None


def signed_in() -> bool:
    """True for a session that was opened not too long ago by the password that is set now, or without one.

    Nobody may have ended it, in this process or another. Raises StoreError.
    """
    if "signed_in" not in g:
        g.signed_in = _is_fresh() and not has_ended(context().store, str(session.get("id")))
    return bool(g.signed_in)


def _is_fresh() -> bool:
    since = session.get("since")
    if not isinstance(since, int) or not 0 <= time.time() - since < LONGEST_LIFETIME.total_seconds():
        return False
    return hmac.compare_digest(str(session.get("fingerprint")), _password_fingerprint())


def _is_shown_as_signed_in() -> bool:
    """As `signed_in`; False while the store cannot tell, for a page that says so must be shown."""
    try:
        return signed_in()
    except StoreError:
        return False


def _has_key() -> bool:
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    return scheme.lower() == "bearer" and _is_password(key.strip())


def _is_password(candidate: str) -> bool:
    """Compare in constant time; nothing is the password while none is set."""
    password = context().settings.password
    if password is None:
        return False
    # A header arrives as Latin-1, a form as UTF-8: a password in letters beyond ASCII may come as either.
    forms = (candidate.encode("utf-8", "replace"), candidate.encode("latin-1", "replace"))
    return any(hmac.compare_digest(form, password.encode()) for form in forms)


def _password_fingerprint() -> str:
    """Return a fingerprint of the password: a session keeps it, and ends when the password changes."""
    key = str(current_app.secret_key or "").encode()
    return hmac.new(key, (context().settings.password or "").encode(), hashlib.sha256).hexdigest()[:32]


def _check_form_token() -> None:
    current_app.extensions["csrf"].protect()


def _to_login() -> AnyResponse:
    path, start = own_path(), url_for("pages.status")
    target = url_for("access.login", next=None if request.method != "GET" or path == start else path)
    if "HX-Request" in request.headers:
        response = make_response("", 401)
        response.headers["HX-Redirect"] = url_for("access.login")
        return response
    return redirect(target, 303)


@blueprint.route("/login", methods=["GET", "POST"])
def login() -> AnyResponse:
    """Answer the password's form, or take it."""
    share_key(current_app, context().store)
    wrong = False
    if request.method == "POST":
        _check_form_token()
        if _is_password(request.form.get("password", "")):
            _sign_in()
            return redirect(own_target(request.form.get("next", "")), 303)
        _refuse(By.SESSION)
        wrong = True
    if signed_in():
        return redirect(own_target(request.args.get("next", "")), 303)
    return render_page(
        "login.html",
        401 if wrong else 200,
        has_password=context().settings.password is not None,
        wrong=wrong,
        next=own_target(request.values.get("next", "")),
    )


@blueprint.get("/login/<token>")
def open_link(token: str) -> AnyResponse:
    """Take a one-time link. Whoever is signed in already does not use it up, nor does a mere HEAD."""
    share_key(current_app, context().store)
    if signed_in():
        return redirect(url_for("pages.status"), 303)
    if request.method == "GET":
        if take_link(context().store, token):
            _sign_in()
            return redirect(url_for("pages.status"), 303)
        _refuse(By.SESSION)
    return render_page("link.html", 410, has_password=context().settings.password is not None)


@blueprint.post("/logout")
def logout() -> AnyResponse:
    """End the session, in every process."""
    share_key(current_app, context().store)
    _check_form_token()
    if signed_in():
        _sign_out(str(session["id"]))
    else:
        session.clear()
    return redirect(url_for("access.login"), 303)


def _sign_in() -> None:
    session.clear()
    session.permanent = True
    session["id"] = secrets.token_hex(16)
    session["since"] = int(time.time())
    session["fingerprint"] = _password_fingerprint()
    keep_entry(context().store, Act.SIGN_IN, actor())


def _sign_out(session_id: str) -> None:
    session.clear()
    try:
        end_session(context().store, session_id)
    except StoreError:
        flash("Signed out in this browser. The database takes no change now, so a copy of the session lasts.")
    keep_entry(context().store, Act.SIGN_OUT, actor())


def own_path() -> str:
    """Return the path and query of this request as a browser asks for it, below the hub's own path."""
    return request.root_path + request.full_path.rstrip("?")


def own_target(target: str) -> str:
    """Return the target if it is a path of our own, else the status page."""
    start = url_for("pages.status")
    is_path = target.startswith(start) and not target.startswith(("//", "/\\")) and target.isprintable()
    parts = urlsplit(target) if is_path else None
    return target if parts and not parts.scheme and not parts.netloc else start
