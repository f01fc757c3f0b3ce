"""Every event type that Clerk sends: what it means, its schema, a sample, its built-in message, its secrets.

A new type is one new file in `events/`, named after it:

    meaning             one sentence for people
    message             its built-in message: tone, headline, subject (`about`) and fields by their labels, as
                        patterns (`summaries/patterns.py`) of the texts that its family in `summaries/` makes;
                        each of its `cases` overrules keys of it
    schema              the file in `schemas/` that its data follows
    published           false where Clerk publishes no schema for the type: the one given is inferred
    secret              paths below data (`paths.py`) of one-time secrets: never shown, and blanked once spent
    sensitive           paths of what is never shown either, but kept
    sample              its data; {"$base": "User", ...} takes `samples/User.json` and overrides keys of it

Declared fields are under `properties` in a schema; an object that takes any key says
`additionalProperties: true`. Everything is read when it is first asked for.
"""

from hub.catalog.event_types import EventType, event_types, find_event_type
from hub.catalog.fields import Field, fields_of
from hub.catalog.masking import (
    MASK,
    blank_secrets,
    has_secrets,
    hidden_values,
    hides,
    json_bytes,
    mask,
    mask_body,
    secret_values,
)
from hub.catalog.samples import (
    BODY_LIMIT_BYTES,
    assign,
    check_start,
    read_body,
    sample,
    sample_payload,
    unknown_event_type,
)
from hub.catalog.summaries.hub import PROBLEM, TEST
from hub.catalog.summary import summarise

__all__ = [
    "BODY_LIMIT_BYTES",
    "MASK",
    "PROBLEM",
    "TEST",
    "EventType",
    "Field",
    "assign",
    "blank_secrets",
    "check_start",
    "event_types",
    "fields_of",
    "find_event_type",
    "has_secrets",
    "hidden_values",
    "hides",
    "json_bytes",
    "mask",
    "mask_body",
    "read_body",
    "sample",
    "sample_payload",
    "secret_values",
    "summarise",
    "unknown_event_type",
]
