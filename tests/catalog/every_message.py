"""Every built-in message as text, of samples as they are, bare, and written by strangers: `make messages`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from summaries import Stored, data_of, of_data

from hub import catalog
from hub.catalog.fields import Field
from hub.model.summary import Summary

STRANGER = 'Øystein <!channel> @everyone "&" [x](https://evil.example) \u202eabc\r\n\x00\u2028 </td><script> '
"""What a stranger may write; in the samples it stands at full length in every text of theirs."""

LONG = (STRANGER * 50)[:4000]


@dataclass(frozen=True, kw_only=True)
class Scene:
    """An event of a type in one of the shapes that it may have, and the event before it, if one is stored."""

    type: str
    shape: str
    data: Mapping[str, Any]
    before: Mapping[str, Any] = field(default_factory=dict)
    kind: str = ""
    is_relayed: bool = False

    @property
    def summary(self) -> Summary:
        kind, before_id = self.kind or self.type.partition(".")[0], self.before.get("id", self.data.get("id"))
        earlier = Stored({(kind, before_id): self.before})
        return of_data(self.type, self.data, earlier=earlier, is_relayed=self.is_relayed)


def scenes() -> Iterator[Scene]:
    """Yield every event of the table, type by type."""
    for name in catalog.event_types():
        sample = data_of(name)
        yield Scene(type=name, shape="sample", data=sample)
        yield Scene(
            type=name, shape="without what is optional", data=changed(name, sample, _without_optional)
        )
        yield Scene(type=name, shape="null where it may be", data=changed(name, sample, _with_nulls))
        yield Scene(type=name, shape="nothing", data={"id": sample["id"]})
        yield Scene(type=name, shape="a stranger's words", data=changed(name, sample, _by_a_stranger))
        yield from (scene for scene in CASES if scene.type == name)
    yield from (scene for scene in CASES if scene.type not in catalog.event_types())


def changed(name: str, data: Mapping[str, Any], change: Callable[[Any, str, Field | None], Any]) -> Any:
    """Return data whose every value is changed by what is declared of it; `...` leaves it out."""
    event_type = catalog.find_event_type(name)
    assert event_type is not None
    declared = {one.path: one for one in catalog.fields_of(event_type)}
    return _walked(dict(data), "data", declared, change)


def _walked(value: Any, path: str, declared: Mapping[str, Field], change: Any) -> Any:
    if isinstance(value, list):
        return [_walked(item, f"{path}[]", declared, change) for item in value]
    if not isinstance(value, dict) or (path in declared and declared[path].free_form):
        return value
    walked = {
        key: change(_walked(item, f"{path}.{key}", declared, change), key, declared.get(f"{path}.{key}"))
        for key, item in value.items()
    }
    return {key: item for key, item in walked.items() if item is not ...}


def _without_optional(value: Any, key: str, declared: Field | None) -> Any:
    return ... if declared is not None and declared.optional and key != "id" else value


def _with_nulls(value: Any, key: str, declared: Field | None) -> Any:
    return None if declared is not None and declared.nullable else value


def _by_a_stranger(value: Any, key: str, declared: Field | None) -> Any:
    if declared is None or declared.enum or declared.secret or not isinstance(value, str):
        return value
    return LONG if key != "id" and not key.endswith("_id") else value


# -- cases ------------------------------------------------------------------------------------------

_USER, _ORGANIZATION = data_of("user.created"), data_of("organization.created")
_MEMBER = data_of("organizationMembership.created")


def _case(name: str, shape: str, changes: Mapping[str, Any], before: Any = None, kind: str = "") -> Scene:
    return Scene(type=name, shape=shape, data=data_of(name, changes), before=before or {}, kind=kind)


def _user(shape: str, now: Mapping[str, Any], before: Mapping[str, Any]) -> Scene:
    return Scene(
        type="user.updated", shape=shape, data={**_USER, **now}, before={**_USER, **before}, kind="user"
    )


def _problem(shape: str, *findings: Mapping[str, Any]) -> Scene:
    return Scene(type="hub.problem", shape=shape, data={"findings": list(findings)})


_FAILING = {
    "code": "failing",
    "severity": "bad",
    "subject": "crm",
    "headline": "crm is failing",
    "reason": "6 failures in a row, the last: 500 Internal Server Error",
    "since": "2026-06-12T00:40:00+00:00",
    "count": 82,
    "cure": "see why: hub deliveries --destination crm; the hub keeps trying",
    "last_error": "answered 500 Internal Server Error",
    "last_answer": "database is on fire",
    "next_try": "2026-06-12T17:13:00+00:00",
}
_SILENT = {
    "code": "silent",
    "severity": "watch",
    "subject": "clerk",
    "headline": "clerk has sent nothing for 7 d",
    "reason": None,
    "since": "2026-06-05T17:12:00+00:00",
    "count": None,
    "cure": "look at the endpoint in Clerk's dashboard",
}
_OVER = {
    "code": "failing",
    "subject": "crm",
    "headline": "crm works again",
    "over": True,
    "lasted_seconds": 2040,
    "sent": 82,
    "cure": "1 dead letter is left: hub retry --state dead --destination crm",
}

CASES = [
    _case(
        "user.created",
        "made in the dashboard",
        {
            "external_accounts": [],
            "phone_numbers": [],
            "email_addresses": [
                {
                    "id": "idn_1",
                    "email_address": "mara@example.org",
                    "verification": {"status": "verified", "strategy": "admin"},
                }
            ],
        },
    ),
    _user("another name", {"last_name": "Berg"}, {}),
    _user("another email address", {"primary_email_address_id": "idn_2xS5tF4lkRlsze5HkxCpktZwqcO"}, {}),
    _user("no phone number any more", {"phone_numbers": []}, {}),
    _user("several changes", {"last_name": "Berg", "username": "mara", "public_metadata": {}}, {}),
    _user("metadata alone", {"public_metadata": {"plan": "team"}}, {}),
    _user("banned", {"banned": True}, {}),
    _user("no longer banned", {}, {"banned": True}),
    _user("locked", {"locked": True}, {}),
    _user("no longer locked", {}, {"locked": True}),
    _user("two steps", {"two_factor_enabled": True}, {}),
    _user("one step", {}, {"two_factor_enabled": True}),
    _case("user.deleted", "known", {}, {**_USER, "id": data_of("user.deleted")["id"]}),
    _case("user.deleted", "with your own id", {"external_id": "customer-8812"}),
    _case("session.created", "by somebody else", {"actor": {"sub": "user_1"}}),
    _case("session.updated", "expired", {"status": "expired"}),
    _case("session.updated", "abandoned", {"status": "abandoned"}),
    _case("session.updated", "replaced", {"status": "replaced"}),
    _case("organization.created", "its creator known", {}, {
        **_USER, "id": _ORGANIZATION["created_by"]}, "user"),
    _case("organization.updated", "another name", {"max_allowed_memberships": 25}, _ORGANIZATION),
    _case("organization.updated", "more members allowed", {"name": "Harbor & Pine"}, _ORGANIZATION),
    _case("organization.updated", "several changes", {"slug": "interiors"}, _ORGANIZATION),
    _case("organization.deleted", "known", {"slug": None}, _ORGANIZATION),
    _case("organizationDomain.updated", "changed later", {
        "verification": None, "affiliation_verification.verified_at": 1781000000000}),
    _case("organizationDomain.updated", "not verified", {
        "verification.status": "failed", "affiliation_verification": None}),
    _case("organizationDomain.updated", "not verified in time", {
        "verification.status": "expired", "affiliation_verification": None}),
    _case("organizationDomain.deleted", "known", {}, {
        **data_of("organizationDomain.created"), "id": data_of("organizationDomain.deleted")["id"]}),
    _case("organizationMembership.updated", "another role", {}, _MEMBER),
    _case("role.deleted", "known", {}, {**data_of("role.created"), "id": data_of("role.deleted")["id"]}),
    _case("permission.deleted", "known", {}, {
        **data_of("permission.created"), "id": data_of("permission.deleted")["id"]}),
    _case("waitlistEntry.updated", "signed up", {"status": "completed"}),
    _case("waitlistEntry.updated", "turned down", {"status": "rejected"}),
    _case("waitlistEntry.updated", "of no known status", {"status": "odd"}),
    _case("paymentAttempt.updated", "paid", {"status": "paid"}),
    _case("paymentAttempt.updated", "still pending", {"status": "pending"}),
    _case("paymentAttempt.updated", "for a reason nobody knows", {
        "failed_reason.decline_code": "odd_new_code"}),
    _case("paymentAttempt.updated", "by a person, by Link", {
        "payer.organization_name": None, "payment_source.payment_method": "link"}),
    _case("subscription.created", "to a plan that costs", {
        "items[0].plan.amount": 4900, "items[0].plan.name": "Team"}),
    _case("subscriptionItem.active", "a trial", {"is_free_trial": True}),
    _case("subscriptionItem.active", "for nothing", {"plan.amount": 0}),
    _case("email.created", "left to you", {"delivered_by_clerk": False}),
    _case("sms.created", "left to you", {"delivered_by_clerk": False}),
    *(
        Scene(
            type=name,
            shape="left to you, and relayed",
            data=data_of(name, {"delivered_by_clerk": False}),
            is_relayed=True,
        )
        for name in ("email.created", "sms.created")
    ),
    Scene(type="hub.test", shape="to team", data={"destination": "team"}),
    _problem("one", _FAILING),
    _problem("one that does not answer", {
        **_FAILING, "last_error": "could not connect to crm.example.com:443", "last_answer": None}),
    _problem("another", _SILENT),
    _problem("a third", {
        "code": "dead", "severity": "watch", "subject": "crm", "headline": "1 delivery to crm died",
        "reason": "answered 410 Gone", "since": "2026-06-12T17:10:00+00:00", "count": 1,
        "cure": "see why: hub deliveries --state dead --destination crm"}),
    _problem("several", _SILENT, _FAILING, {**_OVER, "subject": "alerts", "headline": "alerts works again"}),
    _problem("over", _OVER),
    _problem("all over", _OVER, {**_OVER, "subject": "alerts", "headline": "alerts works again"}),
    Scene(
        type="order.paid",
        shape="of no known type",
        data={"id": "ord_1", "number": "A-1042", "total": 49, "is_late": False, "status": "waiting_for_bank"},
    ),
]  # fmt: skip


# -- as text ----------------------------------------------------------------------------------------


def as_text() -> str:
    """Return all messages; one that two shapes share stands there once."""
    lines: list[str] = []
    previous = ""
    for scene in scenes():
        if scene.type != previous:
            lines += ["", scene.type]
            previous = scene.type
        lines += [f"  {scene.shape}", *(f"      {line}" for line in _lines(scene.summary))]
    return "\n".join(lines).lstrip("\n") + "\n"


def _lines(summary: Summary) -> Iterator[str]:
    yield f"{summary.tone.value:<5} {summary.headline}"
    yield from (f"      {label}: {value}" for label, value in summary.fields)
    yield f"      ({summary.note})"
    if summary.about not in summary.headline:
        yield f"      about {summary.about}"


if __name__ == "__main__":
    print(as_text(), end="")
