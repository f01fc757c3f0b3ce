"""Microsoft Teams: a channel or a chat, by the webhook of a Workflow."""
