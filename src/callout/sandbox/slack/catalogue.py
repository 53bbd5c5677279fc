"""Every Web API method of the twin: handler, the scopes that allow it, its tier, whether it takes JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from callout.sandbox.slack import (
    chat,
    conversations,
    directory,
    extras,
    filing,
    oauth,
    reading,
    scheduled,
    views,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from callout.sandbox.slack.context import Context
    from callout.sandbox.slack.records import Kind

_MANAGE = ("channels:manage", "groups:write", "im:write", "mpim:write")
_READ = ("channels:read", "groups:read", "im:read", "mpim:read")
_HISTORY = ("channels:history", "groups:history", "im:history", "mpim:history")
# Each kind of conversation has its own scope; a person's token says channels:write for channels:manage.
_BY_KIND: dict[tuple[str, ...], dict[Kind, tuple[str, ...]]] = {
    scopes: {
        "public": (scopes[0], "channels:write") if scopes is _MANAGE else (scopes[0],),
        "private": (scopes[1],),
        "im": (scopes[2],),
        "mpim": (scopes[3],),
    }
    for scopes in (_MANAGE, _READ, _HISTORY)
}


@dataclass(frozen=True, slots=True)
class Method:
    """One method; any one of `scopes` is enough; `tier` None means no limit of the method itself."""

    handler: Callable[[Context], dict[str, Any]]
    scopes: tuple[str, ...] = ()
    tier: int | None = None
    takes_json: bool = True
    token: str = "bot"

    @property
    def by_kind(self) -> dict[Kind, tuple[str, ...]] | None:
        """The scopes by kind of conversation, of a method that works on conversations."""
        return _BY_KIND.get(self.scopes)


# Tiers and scopes: method index of 2026-05. from memory: which reads ignore a JSON body (takes_json=False).
METHODS: dict[str, Method] = {
    "api.test": Method(extras.api_test, tier=4, token="none"),
    "apps.connections.open": Method(oauth.connections_open, tier=3, token="app"),
    "apps.uninstall": Method(oauth.apps_uninstall, tier=1, takes_json=False),
    "auth.revoke": Method(oauth.auth_revoke, tier=3, token="any"),
    "auth.test": Method(oauth.auth_test, token="any"),
    "bookmarks.add": Method(extras.bookmark_add, ("bookmarks:write",), 2),
    "bookmarks.edit": Method(extras.bookmark_edit, ("bookmarks:write",), 2),
    "bookmarks.list": Method(extras.bookmark_list, ("bookmarks:read",), 3),
    "bookmarks.remove": Method(extras.bookmark_remove, ("bookmarks:write",), 2),
    "bots.info": Method(reading.bot_info, ("users:read",), 3, takes_json=False),
    "chat.delete": Method(chat.delete, ("chat:write",), 3),
    "chat.deleteScheduledMessage": Method(scheduled.unschedule, ("chat:write",), 3),
    "chat.getPermalink": Method(chat.get_permalink, takes_json=False),
    "chat.postEphemeral": Method(chat.post_ephemeral, ("chat:write",), 4),
    "chat.postMessage": Method(chat.post_message, ("chat:write",)),
    "chat.scheduleMessage": Method(scheduled.schedule, ("chat:write",), 3),
    "chat.scheduledMessages.list": Method(scheduled.listing, tier=3, takes_json=False),
    "chat.update": Method(chat.update, ("chat:write",), 3),
    "conversations.archive": Method(conversations.archive, _MANAGE, 2),
    "conversations.close": Method(conversations.close, _MANAGE, 2),
    "conversations.create": Method(conversations.create, _MANAGE, 2),
    "conversations.history": Method(reading.history, _HISTORY, 3, takes_json=False),
    "conversations.info": Method(reading.info, _READ, 3, takes_json=False),
    "conversations.invite": Method(conversations.invite, _MANAGE, 3),
    "conversations.join": Method(conversations.join, ("channels:join",), 3),
    "conversations.kick": Method(conversations.kick, _MANAGE, 3),
    "conversations.leave": Method(conversations.leave, _MANAGE, 3),
    "conversations.list": Method(reading.list_channels, _READ, 2, takes_json=False),
    "conversations.members": Method(reading.members, _READ, 4, takes_json=False),
    "conversations.open": Method(conversations.open_direct, _MANAGE, 3),
    "conversations.rename": Method(conversations.rename, _MANAGE, 2),
    "conversations.replies": Method(reading.replies, _HISTORY, 3, takes_json=False),
    "conversations.setPurpose": Method(conversations.set_purpose, _MANAGE, 2),
    "conversations.setTopic": Method(conversations.set_topic, _MANAGE, 2),
    "conversations.unarchive": Method(conversations.unarchive, _MANAGE, 2),
    "files.completeUploadExternal": Method(filing.complete_upload, ("files:write",), 4),
    "files.delete": Method(filing.delete, ("files:write",), 3),
    "files.getUploadURLExternal": Method(filing.get_upload_url, ("files:write",), 4, takes_json=False),
    "files.info": Method(filing.info, ("files:read",), 4, takes_json=False),
    "files.list": Method(filing.listing, ("files:read",), 3, takes_json=False),
    "oauth.v2.access": Method(oauth.access, takes_json=False, token="none"),
    "oauth.v2.exchange": Method(oauth.exchange, tier=3, takes_json=False, token="none"),
    "pins.add": Method(extras.pin_add, ("pins:write",), 2),
    "pins.list": Method(extras.pin_list, ("pins:read",), 2, takes_json=False),
    "pins.remove": Method(extras.pin_remove, ("pins:write",), 2),
    "reactions.add": Method(extras.reaction_add, ("reactions:write",), 3),
    "reactions.get": Method(extras.reaction_get, ("reactions:read",), 3, takes_json=False),
    "reactions.remove": Method(extras.reaction_remove, ("reactions:write",), 2),
    "team.info": Method(extras.team_info, ("team:read",), 3, takes_json=False),
    "usergroups.list": Method(directory.group_list, ("usergroups:read",), 2, takes_json=False),
    "usergroups.users.list": Method(directory.group_users, ("usergroups:read",), 2, takes_json=False),
    "users.conversations": Method(reading.list_own_channels, _READ, 3, takes_json=False),
    "users.info": Method(reading.user_info, ("users:read",), 4, takes_json=False),
    "users.list": Method(reading.user_list, ("users:read",), 2, takes_json=False),
    "users.lookupByEmail": Method(reading.lookup_by_email, ("users:read.email",), 3, takes_json=False),
    "users.profile.get": Method(reading.profile, ("users.profile:read",), 4, takes_json=False),
    "views.open": Method(views.open_modal, tier=4),
    "views.publish": Method(views.publish, tier=4),
    "views.push": Method(views.push, tier=4),
    "views.update": Method(views.update, tier=4),
}
