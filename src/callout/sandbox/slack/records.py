"""The things a workspace holds: users, channels, messages, and their JSON as the Web API shows them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from callout.sandbox.slack.seed import APP_ID, BOT_NAME, TEAM_ID

Kind = Literal["public", "private", "im", "mpim"]
Guest = Literal["multi", "single"]
CHANNEL_TYPES: dict[Kind, str] = {"public": "channel", "private": "group", "im": "im", "mpim": "mpim"}


@dataclass(slots=True)
class User:
    """One member of the workspace."""

    id: str
    name: str
    real_name: str
    email: str
    tz: str = "Europe/London"
    deleted: bool = False
    is_admin: bool = False
    is_bot: bool = False
    bot_id: str | None = None
    updated: int = 0
    team: str = TEAM_ID
    guest: Guest | None = None
    stranger: bool = False
    """Of another organization, seen in a shared channel."""
    title: str = ""

    def profile(self, *, with_email: bool) -> dict[str, Any]:
        """Return the profile; the e-mail only for an app that may read it."""
        first, _, last = self.real_name.partition(" ")
        profile: dict[str, Any] = {
            "title": self.title,
            "phone": "",
            "skype": "",
            "real_name": self.real_name,
            "real_name_normalized": self.real_name,
            "display_name": self.name,
            "display_name_normalized": self.name,
            "first_name": first,
            "last_name": last,
            "status_text": "",
            "status_emoji": "",
            "avatar_hash": "g000000",
            "image_72": f"https://avatars.example.com/{self.id}_72.png",
            "team": self.team,
        }
        if self.is_bot:
            profile |= {"bot_id": self.bot_id, "api_app_id": APP_ID, "always_active": False}
        elif with_email:
            profile["email"] = self.email
        return profile

    def as_json(self, *, with_email: bool) -> dict[str, Any]:
        """Return the user object; a deleted user has fewer fields."""
        user: dict[str, Any] = {
            "id": self.id,
            "team_id": self.team,
            "name": self.name,
            "deleted": self.deleted,
            "profile": self.profile(with_email=with_email),
            "is_bot": self.is_bot,
            "is_app_user": False,
            "updated": self.updated,
        }
        if not self.deleted:
            user |= {
                "color": "9f69e7",
                "real_name": self.real_name,
                "tz": self.tz,
                "tz_label": self.tz,
                "tz_offset": 0,
                "is_admin": self.is_admin,
                "is_owner": self.is_admin,
                "is_primary_owner": False,
                "is_restricted": self.guest is not None,
                "is_ultra_restricted": self.guest == "single",
                "is_email_confirmed": not self.is_bot,
            }
        if self.stranger:
            user["is_stranger"] = True  # from memory: only there where it is so
        return user


@dataclass(slots=True)
class Message:
    """One message; `visible_to` is set on an ephemeral one, `notified` holds whom it pinged."""

    ts: str
    user: str
    text: str
    blocks: list[dict[str, Any]] = field(default_factory=list)
    attachments: list[dict[str, Any]] = field(default_factory=list)
    bot_id: str | None = None
    thread_ts: str | None = None
    subtype: str | None = None
    metadata: dict[str, Any] | None = None
    edited_at: str | None = None
    edited_by: str | None = None
    broadcast: bool = False
    username: str | None = None
    visible_to: str | None = None
    notified: list[str] = field(default_factory=list)
    reactions: dict[str, list[str]] = field(default_factory=dict)
    pinned_by: str | None = None
    client_msg_id: str | None = None
    team: str = TEAM_ID
    files: list[dict[str, Any]] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)

    def as_json(self, *, with_metadata: bool = False) -> dict[str, Any]:
        """Return the message object as history and post answers show it."""
        message: dict[str, Any] = {"type": "message", "user": self.user, "text": self.text, "ts": self.ts}
        if self.subtype:
            message["subtype"] = self.subtype
        if self.client_msg_id:
            message["client_msg_id"] = self.client_msg_id
        if self.bot_id:
            message |= _bot_parts(self.bot_id, self.user, self.team)
        optional = {
            "username": self.username,
            "blocks": self.blocks,
            "attachments": self.attachments,
            "files": self.files,
            "thread_ts": self.thread_ts,
        }
        message |= {key: value for key, value in optional.items() if value}
        if self.edited_at:
            message["edited"] = {"user": self.edited_by, "ts": self.edited_at}
        if self.reactions:
            message["reactions"] = [
                {"name": name, "users": users, "count": len(users)} for name, users in self.reactions.items()
            ]
        if self.metadata and with_metadata:
            message["metadata"] = self.metadata
        if self.pinned_by:
            message["pinned_info"] = {"pinned_by": self.pinned_by}
        return message | self.extra


def _bot_parts(bot_id: str, user: str, team: str) -> dict[str, Any]:
    return {
        "bot_id": bot_id,
        "app_id": APP_ID,
        "team": team,
        "bot_profile": {
            "id": bot_id,
            "app_id": APP_ID,
            "user_id": user,
            "name": BOT_NAME,
            "deleted": False,
            "team_id": team,
        },
    }


@dataclass(slots=True)
class Channel:
    """A conversation of any kind; messages are kept in `ts` order."""

    id: str
    name: str
    kind: Kind
    creator: str
    created: int
    members: list[str] = field(default_factory=list)
    archived: bool = False
    topic: dict[str, Any] = field(default_factory=lambda: {"value": "", "creator": "", "last_set": 0})
    purpose: dict[str, Any] = field(default_factory=lambda: {"value": "", "creator": "", "last_set": 0})
    previous_names: list[str] = field(default_factory=list)
    messages: dict[str, Message] = field(default_factory=dict)
    ephemerals: dict[str, Message] = field(default_factory=dict)
    pins: dict[str, dict[str, Any]] = field(default_factory=dict)
    bookmarks: dict[str, dict[str, Any]] = field(default_factory=dict)
    updated: int = 0
    team: str = TEAM_ID
    is_general: bool = False
    """The channel everyone is in, which cannot be archived."""
    external: bool = False
    """Whether people of another organization are in it, too (`is_ext_shared`)."""
    closed_for: set[str] = field(default_factory=set)

    @property
    def channel_type(self) -> str:
        """What the Events API calls this kind of conversation: `channel`, `group`, `im` or `mpim`."""
        return CHANNEL_TYPES[self.kind]

    @property
    def is_named(self) -> bool:
        """Whether it is a channel with a name, not a direct message."""
        return self.kind in {"public", "private"}

    def replies(self, thread_ts: str) -> list[Message]:
        """Return the replies of a thread, oldest first, without the parent."""
        return [m for m in self.messages.values() if m.thread_ts == thread_ts and m.ts != thread_ts]

    def as_json(self, viewer: str, *, num_members: bool = False) -> dict[str, Any]:
        """Return the conversation object as `viewer` (a user ID) sees it."""
        if self.kind == "im":
            other = next((member for member in self.members if member != viewer), viewer)
            return {
                "id": self.id,
                "created": self.created,
                "is_archived": False,
                "is_im": True,
                "is_org_shared": False,
                "context_team_id": self.team,
                "updated": self.updated,
                "user": other,
                "is_user_deleted": False,
                "is_open": viewer not in self.closed_for,
                "priority": 0,
            }
        channel: dict[str, Any] = {
            "id": self.id,
            "name": self.name,
            "is_channel": self.kind == "public",
            "is_group": self.kind == "private",
            "is_im": False,
            "is_mpim": self.kind == "mpim",
            "is_private": self.kind != "public",
            "created": self.created,
            "is_archived": self.archived,
            "is_general": self.is_general,
            "unlinked": 0,
            "name_normalized": self.name,
            "is_shared": False,
            "is_org_shared": False,
            "is_pending_ext_shared": False,
            "pending_shared": [],
            "context_team_id": self.team,
            "updated": self.updated,
            "creator": self.creator,
            "is_ext_shared": self.external,
            "shared_team_ids": [self.team],
            "pending_connected_team_ids": [],
            "is_member": viewer in self.members,
            "topic": self.topic,
            "purpose": self.purpose,
            "previous_names": self.previous_names,
        }
        if num_members:
            channel["num_members"] = len(self.members)
        return channel


@dataclass(slots=True)
class UserGroup:
    """A user group, mentioned as `<!subteam^S..>`."""

    id: str
    team: str
    handle: str
    name: str
    users: list[str]
    created: int
    deleted: bool = False

    def as_json(self, *, with_users: bool, with_count: bool) -> dict[str, Any]:
        """Return the user group object; `date_delete` above 0 marks a disabled one."""
        group: dict[str, Any] = {
            "id": self.id,
            "team_id": self.team,
            "is_usergroup": True,
            "is_subteam": True,
            "name": self.name,
            "description": "",
            "handle": self.handle,
            "is_external": False,
            "date_create": self.created,
            "date_update": self.created,
            "date_delete": self.created if self.deleted else 0,
            "auto_type": None,
            "auto_provision": False,
            "enterprise_subteam_id": "",
            "created_by": "USLACKBOT",
            "updated_by": "USLACKBOT",
            "deleted_by": None,
            "prefs": {"channels": [], "groups": []},
        }
        if with_users:
            group["users"] = self.users
        if with_count:
            group["user_count"] = len(self.users)
        return group
