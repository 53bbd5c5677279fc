"""The Slack app that an installation needs: its scopes, and its manifest (docs.slack.dev/reference/app-manifest)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from callout.connectors.slack.config import SlackConfig

SCOPES: Final[Mapping[str, str]] = {
    "chat:write": "posting messages",
    "chat:write.public": "posting to public channels without joining them",
    "commands": "the slash command, shortcuts and message actions",
    "app_mentions:read": "hearing mentions",
    "channels:manage": "creating incident channels",
    "groups:write": "creating private incident channels",
    "channels:read": "finding channels by name",
    "groups:read": "finding private channels by name",
    "channels:join": "joining the channels it posts to",
    "channels:history": "noticing that a message on the timeline was edited",
    "groups:history": "the same in private channels",
    "im:write": "writing to a person directly",
    "im:history": "hearing what a person writes to the app",
    "users:read": "people's names",
    "users:read.email": "knowing people by their e-mail",
    "usergroups:read": "reaching the people of a user group that is mentioned or invited",
    "bookmarks:write": "the bookmarks of an incident's channel",
    "bookmarks:read": "keeping those bookmarks true",
    "pins:write": "pinning the card",
    "files:read": "taking files that people share in an incident's channel",
    "files:write": "showing files of an incident in its channel",
}
"""Scope of the bot → what goes missing without it."""
BOT_SCOPES: Final = tuple(SCOPES)
EVENTS: Final = (
    "app_home_opened",
    "app_mention",
    "app_uninstalled",
    "channel_archive",
    "channel_deleted",
    "channel_left",
    "channel_rename",
    "channel_unarchive",
    "file_deleted",
    "group_archive",
    "group_deleted",
    "group_left",
    "group_rename",
    "group_unarchive",
    "message.channels",
    "message.groups",
    "message.im",
    "tokens_revoked",
    "user_change",
)
SHORTCUTS: Final = (
    ("global", "Declare an incident", "declare", "Say what is broken; the right people are told."),
    ("message", "Add to timeline", "add_to_timeline", "Keep this message in the incident's timeline."),
)
MESSAGE_SHORTCUT: Final = "message"


def app_manifest(config: SlackConfig, *, url: str, socket: bool) -> dict[str, Any]:
    """Return the app's manifest.

    Args:
        config: the integration's settings.
        url: the address of the integration's doors (`https://…/v1/chat/<id>`); empty where there is none yet.
        socket: whether Slack sends through Socket Mode, which needs no address.
    """
    settings: dict[str, Any] = {
        "event_subscriptions": {"bot_events": list(EVENTS)},
        "interactivity": {"is_enabled": True},
        "org_deploy_enabled": False,
        "socket_mode_enabled": socket,
        "token_rotation_enabled": False,
    }
    command: dict[str, Any] = {
        "command": config.command,
        "description": "Declare and run incidents",
        "usage_hint": "help",
        "should_escape": True,
    }
    if not socket:
        settings["event_subscriptions"]["request_url"] = f"{url}/events"
        settings["interactivity"]["request_url"] = f"{url}/interactions"
        command["url"] = f"{url}/commands"
    scopes: dict[str, Any] = {"bot": list(BOT_SCOPES)}
    if config.user_scopes:
        scopes["user"] = list(config.user_scopes)
    oauth: dict[str, Any] = {"scopes": scopes}
    if url:
        oauth["redirect_urls"] = [f"{url.partition('/v1/')[0]}/v1/chat/installed"]
    return {
        "display_information": {
            "name": "Callout",
            "description": "Incidents, their tickets and the people who look after them",
            "background_color": "#1f2937",
        },
        "features": {
            "app_home": {
                "home_tab_enabled": True,
                "messages_tab_enabled": True,
                "messages_tab_read_only_enabled": False,
            },
            "bot_user": {"display_name": "callout", "always_online": True},
            "shortcuts": [
                {"type": kind, "name": name, "callback_id": callback, "description": what}
                for kind, name, callback, what in SHORTCUTS
            ],
            "slash_commands": [command],
        },
        "oauth_config": oauth,
        "settings": settings,
    }
