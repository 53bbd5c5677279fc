"""The snapshot of `GET _twin/state`: what each team holds and what its people see."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from callout.sandbox.slack.records import Channel
    from callout.sandbox.slack.workspace import Workspace


def team_state(space: Workspace) -> dict[str, Any]:
    """Return channels with messages, users, open views, files, and what people saw."""
    return {
        "team": {"id": space.team.id, "name": space.team.name, "domain": space.team.domain},
        "installed": space.installed,
        "channels": {channel.id: _channel(space, channel) for channel in space.channels.values()},
        "users": {user.id: user.as_json(with_email=True) for user in space.users.values()},
        "files": {
            file.id: {**file.as_json(), "completed": file.upload_key is None} for file in space.files.values()
        },
        "usergroups": {g.id: g.as_json(with_users=True, with_count=True) for g in space.groups.values()},
        "views": space.views,
        "modal_stacks": space.modal_stacks,
        "homes": space.homes,
        "screen": [asdict(shown) for shown in space.screen],
    }


def _channel(space: Workspace, channel: Channel) -> dict[str, Any]:
    return {
        **channel.as_json(space.bot_user_id, num_members=True),
        "members": channel.members,
        "messages": [
            {**message.as_json(with_metadata=True), "notified": message.notified}
            for message in channel.messages.values()
        ],
        "ephemerals": [
            {**message.as_json(), "visible_to": message.visible_to} for message in channel.ephemerals.values()
        ],
        "pins": channel.pins,
        "bookmarks": list(channel.bookmarks.values()),
    }
