"""Clerk's lists: the one of each table, page by page, and the way to ask for one object alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from hub.errors import ClerkError
from hub.sync.api import Answer, BackendApi
from hub.sync.paging import LIMIT, Place, Row, Step, by_cursor, parameters, step_back, without_cursor

Object = Mapping[str, Any]

_CURSOR_IS_REFUSED = (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY)


@dataclass(frozen=True, kw_only=True)
class ClerkList:
    """A list of the API. `group` is the beginning of its objects' event types, `by_id` the path of one alone.

    `parameters` are sent with each page. A table may have two lists that share no object.
    """

    name: str
    table: str
    group: str
    path: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    has_cursor: bool = False
    by_id: str = ""


LISTS = (
    ClerkList(name="users", table="users", group="user", path="/users", has_cursor=True, by_id="/users/{id}"),
    ClerkList(
        name="organizations",
        table="organizations",
        group="organization",
        path="/organizations",
        parameters={"include_members_count": "true"},
        by_id="/organizations/{id}",
    ),
    ClerkList(
        name="organization_memberships",
        table="organization_memberships",
        group="organizationMembership",
        path="/organization_memberships",
    ),
    ClerkList(
        name="organization_domains",
        table="organization_domains",
        group="organizationDomain",
        path="/organization_domains",
    ),
    ClerkList(
        name="organization_invitations",
        table="organization_invitations",
        group="organizationInvitation",
        path="/organization_invitations",
        by_id="/organizations/{organization_id}/invitations/{id}",
    ),
    ClerkList(
        name="invitations",
        table="invitations",
        group="invitation",
        path="/invitations",
        parameters={"paginated": "true"},
    ),
    ClerkList(
        name="revoked_invitations",
        table="invitations",
        group="invitation",
        path="/invitations",
        parameters={"paginated": "true", "status": "revoked"},
    ),
    ClerkList(
        name="waitlist_entries", table="waitlist_entries", group="waitlistEntry", path="/waitlist_entries"
    ),
    ClerkList(
        name="roles",
        table="roles",
        group="role",
        path="/organization_roles",
        by_id="/organization_roles/{id}",
    ),
    ClerkList(
        name="permissions",
        table="permissions",
        group="permission",
        path="/organization_permissions",
        by_id="/organization_permissions/{id}",
    ),
)
"""Parents come before what hangs on them. Sessions and billing have no list that can be read to its end."""

_OF_ORGANIZATIONS = ("organization_memberships", "organization_domains", "organization_invitations")

LISTED_TABLES = tuple(dict.fromkeys(clerk_list.table for clerk_list in LISTS))


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page that counts: its objects, oldest first, and the place behind it.

    `total` are the objects of the whole list, None where the answer does not say.
    """

    objects: Sequence[Object]
    answer: Answer
    place: Place
    total: int | None = None


@dataclass(frozen=True, kw_only=True)
class Look:
    """One object as Clerk shows it, None where it says that there is none; times are as in an Answer."""

    value: Object | None
    began_at_ms: int
    answered_at_ms: int

    @property
    def id(self) -> str:
        """The id of an object that is there."""
        return str(self.value["id"]) if self.value is not None else ""


_NO_PAGE = Page(
    objects=(), answer=Answer(value=None, began_at_ms=0, answered_at_ms=0), place=Place(is_end=True)
)


def lists_of(table: str) -> tuple[ClerkList, ...]:
    """Return the lists that together have all objects of a table."""
    return tuple(clerk_list for clerk_list in LISTS if clerk_list.table == table)


def pages(
    api: BackendApi, clerk_list: ClerkList, place: Place | None = None, limit: int = LIMIT
) -> Iterator[Page]:
    """Yield the pages of a list from a place on, its beginning by default. Raises ClerkError."""
    place = place or Place()
    while not place.is_end:
        page, step = _ask(api, clerk_list, place, limit)
        if step.counts:
            yield page
        place = step.place


def absent(error: ClerkError) -> str:
    """Return the words in which Clerk says that an instance has no such list; raises any other error.

    It answers 403 where organisations are switched off, or a plan does not have them.
    """
    if error.status != HTTPStatus.FORBIDDEN:
        raise error
    return str(error)


def looks(page: Page) -> Iterator[Look]:
    """Yield the objects of a page, each with the times of its answer."""
    return (_look(value, page.answer) for value in page.objects)


def count(api: BackendApi, clerk_list: ClerkList) -> int | None:
    """Return how many objects a list has; None where Clerk does not say."""
    if clerk_list.has_cursor:
        value = api.get(f"{clerk_list.path}/count").value
    else:
        value = api.get(clerk_list.path, {**clerk_list.parameters, "limit": "1"}).value
    return _total(value)


def one(api: BackendApi, table: str, row: Mapping[str, Any]) -> Look | None:
    """Return what Clerk says of one object, by its own request or the narrowest list that would hold it.

    `row` has its id, and for what hangs on an organisation that id, too; None where it lacks it, so that
    Clerk cannot be asked.
    """
    clerk_lists = lists_of(table)
    ids = {name: quote(str(row.get(name) or ""), safe="") for name in ("id", "organization_id", "user_id")}
    if table in _OF_ORGANIZATIONS and not ids["organization_id"]:
        return None
    if clerk_lists[0].by_id:
        path = clerk_lists[0].by_id.format(**ids)
        answer = api.find(path)
        if answer.value is not None and not _has_id(answer.value):
            raise ClerkError(f"Clerk's answer at {path} is no object with an id")
        return _look(answer.value if _is(answer.value, row) else None, answer)
    for narrowed in _narrowed(clerk_lists, row, ids):
        for page in _pages_if_any(api, narrowed):
            value = next((value for value in page.objects if _is(value, row)), None)
            if value is not None:
                return _look(value, page.answer)
    return Look(value=None, began_at_ms=api.now_ms, answered_at_ms=api.now_ms)


def _pages_if_any(api: BackendApi, clerk_list: ClerkList) -> Iterator[Page]:
    """Yield the pages of a list, none where Clerk says that the list is of what is gone."""
    try:
        yield from pages(api, clerk_list)
    except ClerkError as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise


def _narrowed(
    clerk_lists: Sequence[ClerkList], row: Mapping[str, Any], ids: Mapping[str, str]
) -> Iterator[ClerkList]:
    """Yield the narrowest lists that would hold an object of one that has no request of its own."""
    for clerk_list in clerk_lists:
        own = clerk_list.parameters
        match clerk_list.table:
            case "organization_memberships":
                user = {"user_id": str(row["user_id"])} if row.get("user_id") else {}
                path = f"/organizations/{ids['organization_id']}/memberships"
                yield replace(clerk_list, path=path, parameters={**own, **user})
            case "organization_domains":
                organization = {"organization_id": str(row["organization_id"])}
                yield replace(clerk_list, parameters={**own, **organization})
            case _:
                yield replace(clerk_list, parameters={**own, "query": str(row["id"])})


def _look(value: Any, answer: Answer) -> Look:
    return Look(value=value, began_at_ms=answer.began_at_ms, answered_at_ms=answer.answered_at_ms)


def _is(value: Any, row: Mapping[str, Any]) -> bool:
    """Return True for the very object: a request by id takes slugs, too, and a search more than ids."""
    return isinstance(value, dict) and value.get("id") == row["id"]


def _ask(api: BackendApi, clerk_list: ClerkList, place: Place, limit: int) -> tuple[Page, Step]:
    sent = {**clerk_list.parameters, **parameters(place, limit, has_cursor=clerk_list.has_cursor)}
    try:
        answer = api.get(clerk_list.path, sent)
    except ClerkError as error:
        if not place.cursor or error.status not in _CURSOR_IS_REFUSED:
            raise
        return _NO_PAGE, Step(without_cursor(place), counts=False)
    objects = _objects(clerk_list.path, answer.value)
    rows = [Row(value["created_at"], value["id"]) for value in objects]
    if not clerk_list.has_cursor:
        step = step_back(place, rows, limit)
    elif place.cursor and not rows and api.find(f"{clerk_list.path}/{quote(place.cursor)}").value is None:
        step = Step(without_cursor(place), counts=False)
    else:
        step = by_cursor(place, rows, limit)
    return Page(objects=objects, answer=answer, place=step.place, total=_total(answer.value)), step


def _objects(path: str, value: Any) -> list[Object]:
    """Return the objects of a list's answer, which is an array or has one; raises ClerkError for neither."""
    data = value.get("data") if isinstance(value, dict) else value
    if not isinstance(data, list) or not all(map(_has_place, data)):
        raise ClerkError(f"Clerk's answer at {path} is no list of objects with an id and created_at")
    return data


def _has_place(value: Any) -> bool:
    return _has_id(value) and _is_number(value.get("created_at"))


def _has_id(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("id"), str)


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _total(value: Any) -> int | None:
    total = value.get("total_count") if isinstance(value, dict) else None
    return total if isinstance(total, int) and _is_number(total) and total >= 0 else None
