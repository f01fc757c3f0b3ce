"""The facts that built-in messages tell: a module for each family of event types, all of one contract.

A family is called with an `Occurrence` and returns `Facts`: texts by name, which the patterns in
`catalog/events/` put together, and the case that chooses among these.
"""

from collections.abc import Callable, Mapping

from hub.catalog.summaries import (
    billing,
    invitations,
    messages,
    organizations,
    people,
    roles,
    sessions,
    waitlist,
)
from hub.catalog.summaries.facts import Facts, Occurrence

FAMILIES: Mapping[str, Callable[[Occurrence], Facts]] = {
    "email": messages.email,
    "invitation": invitations.of_application,
    "organization": organizations.organization,
    "organizationDomain": organizations.domain,
    "organizationInvitation": invitations.of_organization,
    "organizationMembership": organizations.membership,
    "paymentAttempt": billing.payment,
    "permission": roles.permission,
    "role": roles.role,
    "session": sessions.session,
    "sms": messages.sms,
    "subscription": billing.subscription,
    "subscriptionItem": billing.item,
    "user": people.user,
    "waitlistEntry": waitlist.entry,
}
"""By the beginning of the event types: `user` of `user.created`."""
