"""Slack: the chat connector `chat_slack`. Facts and their sources are in README.md beside this file."""
