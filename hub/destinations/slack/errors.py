"""Slack's words for errors -> the error of an attempt: whose fault it is, and so what follows.

From https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks (a status and a word) and
https://docs.slack.dev/reference/methods/chat.postMessage and …/chat.update (200 and `ok: false` with a word).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from hub.errors import Pause, Reject, Retry, SendError, Unknown
from hub.transport.http import retry_after_seconds
from hub.transport.judging import is_page

MESSAGE_ERRORS = frozenset(
    {
        "attachment_payload_limit_exceeded",
        "block_mismatch",
        "invalid_arguments",
        "invalid_attachments",
        "invalid_blocks",
        "invalid_blocks_format",
        "invalid_payload",
        "msg_blocks_too_long",
        "msg_too_long",
        "no_text",
        "too_many_attachments",
    }
)
"""Slack's words for: this message can never be accepted in this form.

One image that Slack cannot fetch is enough for `invalid_blocks`.
"""

_ARCHIVED = "its channel was archived; unarchive the channel, or choose another channel in routes.yaml"

DESTINATION_ERRORS: Mapping[str, str] = {
    "access_denied": "the bot may not do that; look at its scopes and at the workspace's settings",
    "account_inactive": "the bot's app or workspace is gone; install it and put its token into bot_token",
    "action_prohibited": "an admin of the workspace forbids it; ask them, or use another channel",
    "channel_is_archived": _ARCHIVED,
    "channel_not_found": "there is no such channel for it; create it, or invite the bot",
    "ekm_access_denied": "admins of the workspace have suspended posting; ask them",
    "enterprise_is_restricted": "it cannot be used from an Enterprise; install the app in a workspace",
    "invalid_auth": "the token is not valid; put a new token into bot_token",
    "invalid_token": "the webhook URL is not valid; put that of a new one into webhook_url",
    "is_archived": _ARCHIVED,
    "is_inactive": "the channel is frozen, archived or deleted; use another one",
    "missing_scope": "the bot lacks the scope chat:write; add it and install the app again",
    "no_permission": "the bot may not post there; invite it to the channel",
    "no_service": "the webhook was removed; put the URL of a new one into webhook_url",
    "no_service_id": "the webhook URL is not whole; copy it again into webhook_url",
    "no_team": "the workspace of the webhook is gone; put the URL of a new one into webhook_url",
    "not_allowed_token_type": "the token is of another kind; put one that begins with xoxb- into bot_token",
    "not_authed": "no token arrived; put one into bot_token",
    "not_in_channel": "the bot is not in the channel; invite it",
    "posting_to_general_channel_denied": "few may post to that channel; ask an admin or use another one",
    "restricted_action": "a setting of the workspace keeps the bot from posting; ask an admin",
    "restricted_action_read_only_channel": "nobody may post to that channel; use another one",
    "restricted_action_thread_only_channel": "only replies are allowed in that channel; use another one",
    "team_access_not_granted": "the token is not for that workspace; install the app there",
    "team_disabled": "the workspace is no longer active; use another one",
    "token_expired": "the token has expired; put a new token into bot_token",
    "token_revoked": "the token was revoked; put a new token into bot_token",
    "two_factor_setup_required": "the bot's owner has to set up two-factor authentication",
    "user_not_found": "whom the webhook posts to is gone; put the URL of a new one into webhook_url",
}
"""Slack's words for: this destination accepts nothing, with what to do about it."""

THREAD_ERRORS = frozenset(
    {
        "cannot_reply_to_message",
        "cant_broadcast_message",
        "cant_update_message",
        "edit_window_closed",
        "message_not_found",
        "restricted_action_non_threadable_channel",
        "restricted_action_thread_locked",
        "thread_not_found",
    }
)
"""Slack's words for: the first message of a thread is gone or closed; a new one can be posted."""

UNKNOWN_ERRORS = frozenset({"fatal_error", "internal_error", "update_failed"})
"""Slack's words for: something broke here, and the message may have been posted."""

THROTTLED_ERRORS = frozenset({"ratelimited", "rate_limited"})


def word_in(text: Any) -> str:
    """Return Slack's word for an error; nothing where the text is something else, which could be anything."""
    return text.strip() if isinstance(text, str) and re.fullmatch(r"\s*[a-z_]{2,60}\s*", text) else ""


def is_refusal(answer: str) -> bool:
    """Return True for JSON that says of itself that the message was not taken, whatever the status says."""
    document = _document(answer)
    return document.get("ok") is False or document.get("success") is False


def error_in(answer: str) -> str:
    """Return Slack's word for an error in JSON; nothing where there is none."""
    return word_in(_document(answer).get("error"))


def _document(answer: str) -> Mapping[str, Any]:
    try:
        document = json.loads(answer)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def explanation_in(answer: str) -> str:
    """Return Slack's sentence on what is wrong in a bot's message; nothing where that could be anything."""
    errors = _document(answer).get("errors")
    first = errors[0] if isinstance(errors, list) and errors else None
    return first if isinstance(first, str) and re.fullmatch(r"[\w .,:/()\[\]'-]{1,150}", first) else ""


def refusal_error(
    status: int, headers: Mapping[str, Any], word: str, now: datetime, answer: str
) -> SendError:
    """Return the error that a refusal with Slack's word for it stands for; `answer` is all that came."""
    error = _error(status, headers, word, now, answer)
    error.answer = answer
    return error


def _error(status: int, headers: Mapping[str, Any], word: str, now: datetime, answer: str) -> SendError:
    reason = f"Slack answered {status} {word}".rstrip()
    if status == 200:
        reason = f"Slack answered {word or 'that it did not take the message'}"
    if word in DESTINATION_ERRORS:
        return Pause(f"{reason}: {DESTINATION_ERRORS[word]}", status=status)
    if status in (403, 404, 410):
        return Pause(
            f"{reason}: it does not take messages here; check the destination's address", status=status
        )
    if word in MESSAGE_ERRORS or (status in (400, 413) and not is_page(answer)):
        reason = ": ".join(filter(None, (reason, explanation_in(answer))))
        return Reject(reason, form=True, status=status)
    if word in UNKNOWN_ERRORS and status == 200:
        return Unknown(reason, status=status)
    if 300 <= status < 400:
        reason = f"answered with a redirect ({status}), which is not followed"
    return Retry(
        reason,
        status=status,
        throttled=status == 429 or word in THROTTLED_ERRORS,
        after_seconds=retry_after_seconds(headers, now),
    )
