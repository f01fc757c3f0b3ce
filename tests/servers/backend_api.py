"""Clerk's Backend API on loopback, as strict as its documents: lists, their paging, and objects by their ids.

https://clerk.com/docs/reference/backend-api (version 2026-05-12).
"""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

from hub import catalog
from servers.http_receiver import CannedResponse, HttpReceiver, ReceivedRequest

SECRET_KEY = "sk_live_" + "k" * 40
INSTANCE_ID = "ins_2xLoopback"

Object = dict[str, Any]
Query = Mapping[str, list[str]]

_SAMPLES = {
    "users": "user.created",
    "organizations": "organization.created",
    "organization_memberships": "organizationMembership.created",
    "organization_domains": "organizationDomain.created",
    "organization_invitations": "organizationInvitation.created",
    "invitations": "invitation.created",
    "waitlist_entries": "waitlistEntry.created",
    "roles": "role.created",
    "permissions": "permission.created",
}
_PAGING = {"limit", "offset", "order_by"}


@dataclass(frozen=True, kw_only=True)
class _List:
    """A list: its table, the names that it may be ordered by, and its parameters beside those of paging."""

    table: str
    orders: tuple[str, ...]
    parameters: frozenset[str] = frozenset()


_LISTS = {
    "/users": _List(
        table="users",
        orders=("created_at", "updated_at", "last_sign_in_at"),
        parameters=frozenset({"starting_after", "created_at_after", "user_id"}),
    ),
    "/organizations": _List(
        table="organizations",
        orders=("name", "created_at", "members_count"),
        parameters=frozenset({"include_members_count"}),
    ),
    "/organization_memberships": _List(
        table="organization_memberships", orders=("created_at", "email_address")
    ),
    "/organization_domains": _List(
        table="organization_domains", orders=("name", "created_at"), parameters=frozenset({"organization_id"})
    ),
    "/organization_invitations": _List(
        table="organization_invitations", orders=("created_at", "email_address")
    ),
    "/invitations": _List(
        table="invitations",
        orders=("created_at", "email_address", "expires_at"),
        parameters=frozenset({"paginated", "status", "query"}),
    ),
    "/waitlist_entries": _List(
        table="waitlist_entries",
        orders=("created_at", "email_address", "invited_at"),
        parameters=frozenset({"query", "status"}),
    ),
    "/organization_roles": _List(table="roles", orders=("created_at", "name", "key")),
    "/organization_permissions": _List(table="permissions", orders=("created_at", "name", "key")),
}
_BY_ID = re.compile(r"(/users|/organizations|/organization_roles|/organization_permissions)/([^/]+)")
_MEMBERS = re.compile(r"/organizations/([^/]+)/memberships")
_INVITED = re.compile(r"/organizations/([^/]+)/invitations/([^/]+)")


class ClerkServer:
    """One instance with its objects, to be used in a `with`.

    `objects` has them by table and id, each as the values in which it differs from the catalog's sample.
    Ties of equal times come in another order with every request. `gone_cursor` is the answer to a cursor
    whose user is gone, about which the documents say nothing: `page` (as if it were there), `empty`,
    `start` (the list from its beginning) or `refusal`. `on_page` is called after each page of a list was
    made; every `limited_every`th request is answered 429. `clock_ahead_seconds` is its clock before ours.
    What is `hidden` no list shows; `totals` are told by lists in place of the right ones. The lists of tables
    that are `absent` are refused, as where organisations are switched off.
    """

    def __init__(
        self,
        responses: Iterable[CannedResponse] = (),
        *,
        instance_id: str = INSTANCE_ID,
        gone_cursor: str = "empty",
        on_page: Callable[[ClerkServer], None] | None = None,
        limited_every: int = 0,
        clock_ahead_seconds: float = 0.0,
    ) -> None:
        self.instance_id = instance_id
        self.gone_cursor = gone_cursor
        self.on_page = on_page
        self.limited_every = limited_every
        self.clock_ahead_seconds = clock_ahead_seconds
        self.objects: dict[str, dict[str, Object]] = {table: {} for table in _SAMPLES}
        self._samples = {table: catalog.sample(name)["data"] for table, name in _SAMPLES.items()}
        self._random = random.Random(1)
        self._sorted: list[str] = []
        self._gone: dict[str, int] = {}
        self.hidden: set[str] = set()
        self.absent: set[str] = set()
        self.totals: dict[str, object] = {}
        self._next: bytes | None = None
        self.requests = 0
        self.http = HttpReceiver(responses, respond=self._respond)
        self.api_url = f"{self.http.url}/v1"

    def __enter__(self) -> ClerkServer:
        self.http.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.http.__exit__()

    def add(self, table: str, id_: str, created_at: int, **values: Any) -> None:
        """Add an object, or put it in the place of the one with its id."""
        self.objects[table][id_] = {"id": id_, "created_at": created_at, "updated_at": created_at, **values}
        self._sorted = []

    def answer_next(self, body: bytes) -> None:
        """Answer the next request with this instead."""
        self._next = body

    def change(self, table: str, id_: str, **values: Any) -> None:
        """Change values of an object that is there."""
        self.objects[table][id_] |= values

    def remove(self, table: str, id_: str) -> None:
        """Delete an object."""
        removed = self.objects[table].pop(id_)
        if table == "users":
            self._gone[id_] = removed["created_at"]
        self._sorted = []

    def whole(self, table: str, id_: str) -> Object:
        """Return an object as it is answered."""
        values = self.objects[table][id_]
        made = {**self._samples[table], **values}
        if table == "users" and "email_addresses" not in values:
            own = {"id": f"idn_{id_}", "email_address": f"{id_}@example.com"}
            made["email_addresses"] = [{**made["email_addresses"][0], **own}]
            made["primary_email_address_id"] = own["id"]
            made |= {"phone_numbers": [], "primary_phone_number_id": None}
        if table == "organization_invitations":
            made["public_organization_data"] = made.pop("data")["public_organization_data"]
            made.pop("user_id", None)
        return made

    def _respond(self, request: ReceivedRequest) -> CannedResponse:
        self.requests += 1
        if self._next is not None:
            body, self._next = self._next, None
            return CannedResponse(body=body)
        if self.limited_every and self.requests % self.limited_every == 0:
            return self._answer(429, _error("too_many_requests"), **{"Retry-After": "1"})
        if request.headers.get("authorization") != f"Bearer {SECRET_KEY}":
            return self._answer(401, _error("authentication_invalid"))
        if request.method != "GET":
            return self._answer(405, _error("method_not_allowed"))
        url = urlsplit(request.path)
        status, body = self._get(url.path.removeprefix("/v1"), parse_qs(url.query, keep_blank_values=True))
        return self._answer(status, body)

    def _answer(self, status: int, body: Any, **headers: str) -> CannedResponse:
        date = formatdate(time.time() + self.clock_ahead_seconds, usegmt=True)
        return CannedResponse(
            status=status,
            headers={"Content-Type": "application/json", "Date": date, **headers},
            body=json.dumps(body).encode(),
        )

    def _get(self, path: str, query: Query) -> tuple[int, Any]:
        if path == "/instance":
            return 200, {"object": "instance", "id": self.instance_id, "environment_type": "development"}
        if path == "/users/count":
            return 200, {"object": "total_count", "total_count": len(self.objects["users"])}
        if path in _LISTS and _LISTS[path].table in self.absent:
            return 403, _error("organization_not_enabled_in_instance")
        if path in _LISTS:
            return self._list(_LISTS[path], query)
        if one := _BY_ID.fullmatch(path):
            return self._one(_LISTS[one[1]].table, one[2])
        if of := _MEMBERS.fullmatch(path):
            return self._members(of[1], query)
        if of := _INVITED.fullmatch(path):
            invitation = self.objects["organization_invitations"].get(of[2], {})
            is_of_it = invitation.get("organization_id") == of[1]
            return self._one("organization_invitations", of[2] if is_of_it else "")
        return 404, _error("resource_not_found")

    def _one(self, table: str, id_: str) -> tuple[int, Any]:
        if table == "organizations":
            slugs = {values.get("slug"): own_id for own_id, values in self.objects[table].items()}
            id_ = slugs.get(id_, id_)
        if id_ not in self.objects[table]:
            return 404, _error("resource_not_found")
        return 200, self.whole(table, id_)

    def _members(self, organization: str, query: Query) -> tuple[int, Any]:
        if organization not in self.objects["organizations"]:
            return 404, _error("resource_not_found")
        users = query.get("user_id", [])
        memberships = [
            self.whole("organization_memberships", id_)
            for id_, values in self.objects["organization_memberships"].items()
            if values["organization"]["id"] == organization
            and (not users or values["public_user_data"]["user_id"] in users)
        ]
        return 200, {"data": memberships, "total_count": len(memberships)}

    def _list(self, list_: _List, query: Query) -> tuple[int, Any]:
        refusal = _refusal(list_, query)
        if refusal:
            return 422, _error("form_param_invalid", refusal)
        limit, offset = int(query.get("limit", ["10"])[0]), int(query.get("offset", ["0"])[0])
        if list_.table == "users":
            status, body = self._users(query, limit, offset)
        else:
            ids = self._matching(list_.table, query)
            data = [self.whole(list_.table, id_) for id_ in ids[offset : offset + limit]]
            status, body = 200, {"data": data, "total_count": self.totals.get(list_.table, len(ids))}
            if list_.table == "invitations" and query.get("paginated") != ["true"]:
                body = body["data"]
        if self.on_page is not None:
            self.on_page(self)
        return status, body

    def _users(self, query: Query, limit: int, offset: int) -> tuple[int, Any]:
        if not self._sorted:
            users = self.objects["users"]
            self._sorted = sorted(users, key=lambda id_: (users[id_]["created_at"], id_))
        ids = [id_ for id_ in self._sorted if id_ not in self.hidden] if self.hidden else self._sorted
        if "user_id" in query:
            ids = [id_ for id_ in ids if id_ in query["user_id"]]
        if after := query.get("created_at_after"):
            ids = [id_ for id_ in ids if self.objects["users"][id_]["created_at"] > int(after[0])]
        if cursor := query.get("starting_after"):
            behind = self._behind(ids, cursor[0])
            if behind is None:
                return 422, _error("resource_not_found", "starting_after")
            ids = behind
        return 200, [self.whole("users", id_) for id_ in ids[offset : offset + limit]]

    def _behind(self, ids: list[str], cursor: str) -> list[str] | None:
        """Return what comes after a cursor; None where that is refused."""
        if cursor in self.objects["users"]:
            return ids[ids.index(cursor) + 1 :]
        created_at = self._gone.get(cursor, 0)
        users = self.objects["users"]
        return {
            "page": [id_ for id_ in ids if (users[id_]["created_at"], id_) > (created_at, cursor)],
            "empty": [],
            "start": ids,
        }.get(self.gone_cursor)

    def _matching(self, table: str, query: Query) -> list[str]:
        objects = self.objects[table]
        ids = list(objects)
        if table == "invitations":
            is_revoked = query.get("status") == ["revoked"]
            ids = [id_ for id_ in ids if (objects[id_].get("status") == "revoked") is is_revoked]
        if "query" in query:
            words = query["query"][0]
            ids = [id_ for id_ in ids if words in (id_, objects[id_].get("email_address"))]
        if "organization_id" in query:
            ids = [id_ for id_ in ids if objects[id_].get("organization_id") == query["organization_id"][0]]
        order = query.get("order_by", ["-created_at"])[0]
        return sorted(
            ids,
            key=lambda id_: (objects[id_]["created_at"], self._random.random()),
            reverse=order.startswith("-"),
        )


def _refusal(list_: _List, query: Query) -> str:
    """Return the parameter that is refused, empty where none is."""
    unknown = set(query) - _PAGING - list_.parameters
    if unknown:
        return min(unknown)
    limit, offset = (query.get(name, [default])[0] for name, default in (("limit", "10"), ("offset", "0")))
    if not limit.isdecimal() or not 1 <= int(limit) <= 500:
        return "limit"
    if not offset.isdecimal():
        return "offset"
    order = query.get("order_by", ["-created_at"])[0]
    if not re.fullmatch(r"[+-]?\w+", order) or order.lstrip("+-") not in list_.orders:
        return "order_by"
    if "starting_after" in query and (order.lstrip("+-") != "created_at" or offset != "0"):
        return "starting_after"
    return ""


def _error(code: str, parameter: str = "") -> Object:
    message = HTTPStatus(422).phrase if parameter else code.replace("_", " ")
    meta = {"param_name": parameter} if parameter else {}
    return {"errors": [{"message": message, "long_message": message, "code": code, "meta": meta}]}
