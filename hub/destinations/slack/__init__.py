"""Slack: a channel's incoming webhook, or a bot that posts to a channel."""
