"""Keys as other tools call them, and as routes.yaml does."""

from __future__ import annotations

from collections.abc import Collection, Mapping

_MEANT: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("if", "condition", "conditions", "filter", "filters", "where", "unless"), ("when",)),
    **dict.fromkeys(("on", "event", "trigger", "triggers", "event_type", "event_types"), ("events",)),
    **dict.fromkeys(("to", "then", "do", "actions", "action", "notify", "deliver"), ("send",)),
    **dict.fromkeys(("destination", "destinations", "target", "targets", "receiver"), ("to", "send")),
    **dict.fromkeys(("receivers", "sinks", "outputs", "notifiers", "services"), ("destinations",)),
    **dict.fromkeys(("rules", "flows", "workflows", "subscriptions"), ("routes",)),
    **dict.fromkeys(("inputs", "endpoints", "webhooks"), ("sources",)),
    **dict.fromkeys(("id", "title"), ("name", "subject", "summary")),
    **dict.fromkeys(("content", "message", "msg", "plain", "body"), ("text", "body", "json", "summary")),
    **dict.fromkeys(("payload", "data"), ("json", "text")),
    **dict.fromkeys(("recipients", "rcpt", "mail_to", "email_to", "address"), ("recipient", "to")),
    **dict.fromkeys(("replyTo", "replyto", "reply-to", "reply_to_address", "reply_to_email"), ("reply_to",)),
    **dict.fromkeys(("carbon_copy", "copy", "CC"), ("cc",)),
    **dict.fromkeys(("thread_key", "threadKey", "thread_ts", "conversation"), ("thread",)),
    **dict.fromkeys(("sender", "from_email", "mail_from"), ("from",)),
    **dict.fromkeys(("url", "uri", "webhook", "hook_url", "webhook_uri"), ("webhook_url", "url", "path")),
    **dict.fromkeys(("endpoint", "target_url"), ("url", "webhook_url", "path")),
    **dict.fromkeys(("smtp", "host", "server", "dsn", "smarthost"), ("smtp_url", "url")),
    **dict.fromkeys(("token", "api_token", "access_token", "slack_token"), ("bot_token", "api_key")),
    **dict.fromkeys(("secret", "signing_key", "webhook_secret", "key"), ("signing_secret", "sign_with")),
    **dict.fromkeys(("server_token", "server token", "server_api_token", "apikey", "apiKey"), ("api_key",)),
    **dict.fromkeys(("service", "vendor", "esp", "mailer"), ("provider",)),
    **dict.fromkeys(("sending_domain", "sender_domain", "mailgun_domain"), ("domain",)),
    **dict.fromkeys(("base_url", "api_base", "api_base_url", "region"), ("api_url",)),
    "signing_secret": ("sign_with",),
    "webhook_url": ("url",),
    **dict.fromkeys(("retries", "max_retries", "backoff", "retry_schedule"), ("retry",)),
    **dict.fromkeys(("rate", "ratelimit", "throttle"), ("rate_limit",)),
    **dict.fromkeys(("workers", "parallel", "max_concurrency"), ("concurrency",)),
    **dict.fromkeys(("tz", "time_zone", "timeZone"), ("timezone",)),
    **dict.fromkeys(("kind", "provider"), ("type",)),
    **dict.fromkeys(("disabled", "active"), ("enabled",)),
    **dict.fromkeys(("verb", "http_method"), ("method",)),
    **dict.fromkeys(("contentType", "mime_type"), ("content_type",)),
    **dict.fromkeys(("integration_key", "service_key"), ("routing_key",)),
    **dict.fromkeys(("incident_key", "dedupKey"), ("dedup_key",)),
    **dict.fromkeys(("messaging_service_sid", "from_number", "sender_id"), ("from",)),
    **dict.fromkeys(("phone", "phone_number", "number", "to_number"), ("recipient", "to")),
    **dict.fromkeys(("sid", "twilio_account_sid"), ("account_sid",)),
    **dict.fromkeys(("adaptive_card", "adaptiveCard", "attachments", "cards"), ("card",)),
    **dict.fromkeys(("avatar_url", "avatar", "icon_url", "icon_emoji"), ("icon",)),
    **dict.fromkeys(("chat", "channel_id", "group_id"), ("chat_id", "channel")),
    **dict.fromkeys(("topic", "topic_id", "thread_id"), ("message_thread_id",)),
    **dict.fromkeys(("disable_notification", "quiet", "mute"), ("silent",)),
    **dict.fromkeys(("embed", "attachments"), ("embeds",)),
    **dict.fromkeys(("cardsV2", "cards_v2", "card"), ("cards",)),
    **dict.fromkeys(("ca", "cafile", "ca_file", "ca_bundle", "cacert", "ca_certs", "root_ca"), ("ca_cert",)),
    **dict.fromkeys(("cert", "cert_file", "tls_cert", "client_certificate", "certificate"), ("client_cert",)),
    **dict.fromkeys(("key_file", "tls_key", "private_key", "client_private_key"), ("client_key",)),
    **dict.fromkeys(("proxy_url", "http_proxy", "https_proxy", "HTTPS_PROXY"), ("proxy",)),
    **dict.fromkeys(("ttl", "expires", "expires_in", "expire_after", "valid_for", "maxAge"), ("max_age",)),
    **dict.fromkeys(("database_url", "connection_string", "connection_url", "db_url", "path"), ("url",)),
    **dict.fromkeys(("primary_key", "on_conflict", "unique", "match"), ("key",)),
    **dict.fromkeys(("columns", "values", "row", "fields", "upsert"), ("set",)),
    **dict.fromkeys(("delete", "on_deleted", "deleted", "ondelete"), ("on_delete",)),
    **dict.fromkeys(("exclude", "omit", "redact"), ("leave_out",)),
    "event_action": ("action",),
    "custom_details": ("details",),
    "break": ("stop",),
    "room": ("channel",),
}
"""By another tool's word: ours, the likeliest first."""


_VERIFYING = frozenset(
    (
        *("verify", "verify_ssl", "verify_tls", "verify_certs", "insecure", "insecure_skip_verify"),
        *("skip_verify", "skip_tls_verify", "tls_verify", "ssl_verify", "rejectUnauthorized"),
    )
)
"""Switches of other tools that the hub does not have, whatever they are set to."""


def advice_on(name: str) -> str:
    """Return the end of a message about a key that there is on purpose none of; empty for any other."""
    if name in _VERIFYING:
        return "; certificates are always verified: an authority of your own goes under ca_cert"
    return ""


def synonym(name: str, keys: Collection[str]) -> str | None:
    """Return the key among these that another tool calls so; None where there is none."""
    return next((key for key in _MEANT.get(name, ()) if key in keys), None)
