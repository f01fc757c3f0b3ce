"""Access for people and programs: the password, the one-time link, the session, and the API's key."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import time
from urllib.parse import urlsplit

from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    current_app,
    make_response,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask_limiter import Limiter
from flask_wtf.csrf import CSRFProtect  # type: ignore[import-untyped]
from werkzeug.wrappers import Response as AnyResponse

from hub.web.context import context
from hub.web.links import take_link
from hub.web.sessions import COOKIE_NAME, LONGEST_LIFETIME, configure, share_key

LOGIN_LIMIT = "10/minute;50/hour"
"""Wrong passwords from one address; wrong keys of the API are counted apart, by the same measure."""

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")

blueprint = Blueprint("access", __name__)


def _client_address() -> str:
    """Return the client as limits count it: one address, or the /64 that one customer has of IPv6."""
    address = request.remote_addr or ""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return address


def init_app(app: Flask) -> None:
    """Set up sessions and form tokens; each guard asks for the token itself, for it knows who needs one."""
    configure(app)
    app.config.update(
        WTF_CSRF_CHECK_DEFAULT=False,
        WTF_CSRF_TIME_LIMIT=None,
        WTF_CSRF_SSL_STRICT=False,
    )
    CSRFProtect(app)
    app.context_processor(lambda: {"signed_in": signed_in()})


def limit(app: Flask, *guarded: Blueprint) -> None:
    """Let nobody guess the password, at the form or as a key; only wrong ones are counted."""
    limiter = Limiter(_client_address, app=app, storage_uri="memory://", key_prefix="hub")
    login_limit = limiter.limit(LOGIN_LIMIT, methods=["POST"], deduct_when=_is_refused)
    app.view_functions["access.login"] = login_limit(login)
    for guarded_blueprint in guarded:
        limiter.limit(LOGIN_LIMIT, deduct_when=_is_wrong_key)(guarded_blueprint)


def _is_refused(response: Response) -> bool:
    return response.status_code == 401


def _is_wrong_key(response: Response) -> bool:
    return _is_refused(response) and "Authorization" in request.headers


# -- guards ---------------------------------------------------------------------------------------


def require_key() -> None:
    """Let a request to the API pass with the password as a Bearer token, or a session with its form token."""
    if "Authorization" in request.headers:
        if not _has_key():
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
    """True for a session that was opened not too long ago by the password that is set now, or without one."""
    since = session.get("since")
    if not isinstance(since, int) or not 0 <= time.time() - since < LONGEST_LIFETIME.total_seconds():
        return False
    return hmac.compare_digest(str(session.get("fingerprint")), _password_fingerprint())


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
    path = request.full_path.rstrip("?") if request.method == "GET" else "/"
    target = url_for("access.login", next=None if path == "/" else path)
    if "HX-Request" in request.headers:
        response = make_response("", 401)
        response.headers["HX-Redirect"] = url_for("access.login")
        return response
    return redirect(target, 303)


# -- views ----------------------------------------------------------------------------------------


@blueprint.route("/login", methods=["GET", "POST"])
def login() -> AnyResponse:
    """Answer the password's form, or take it."""
    share_key(current_app, context().store)
    wrong = False
    if request.method == "POST":
        _check_form_token()
        if _is_password(request.form.get("password", "")):
            _sign_in()
            return redirect(_own_path(request.form.get("next", "")), 303)
        wrong = True
    if signed_in():
        return redirect(_own_path(request.args.get("next", "")), 303)
    page = render_template(
        "login.html",
        has_password=context().settings.password is not None,
        wrong=wrong,
        next=_own_path(request.values.get("next", "")),
    )
    return make_response(page.encode("utf-8", "replace"), 401 if wrong else 200)


@blueprint.get("/login/<token>")
def open_link(token: str) -> AnyResponse:
    """Take a one-time link. Whoever is signed in already does not use it up, nor does a mere HEAD."""
    share_key(current_app, context().store)
    if signed_in():
        return redirect(url_for("pages.status"), 303)
    if request.method == "GET" and take_link(context().store, token):
        _sign_in()
        return redirect(url_for("pages.status"), 303)
    page = render_template("link.html", has_password=context().settings.password is not None)
    return make_response(page, 410)


@blueprint.post("/logout")
def logout() -> AnyResponse:
    """Forget the session."""
    share_key(current_app, context().store)
    _check_form_token()
    session.clear()
    return redirect(url_for("access.login"), 303)


def _sign_in() -> None:
    session.clear()
    session.permanent = True
    session["since"] = int(time.time())
    session["fingerprint"] = _password_fingerprint()


def _own_path(target: str) -> str:
    """Return the target if it is a path of our own, else the status page."""
    is_path = target.startswith("/") and not target.startswith(("//", "/\\")) and target.isprintable()
    parts = urlsplit(target) if is_path else None
    return target if parts and not parts.scheme and not parts.netloc else url_for("pages.status")
