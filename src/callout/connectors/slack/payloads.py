"""What people do in Slack, read from its JSON: the same whether it came as a signed request or through a socket. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from callout.connectors.slack.files import shared_files
from callout.connectors.slack.render import LINK_ACTION, plain_action
from callout.connectors.slack.said import said
from callout.ports.chat import (
    ChannelRef,
    Interaction,
    InteractionKind,
    MessageRef,
    SlashCommand,
)
from callout.ports.values import Person


class MalformedError(ValueError):
    """The body is not what Slack sends."""


def object_of(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return the object member `name`; an absent or null one is empty. Raises ValueError for anything else."""
    value = data.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise MalformedError(f"{name} is not an object")
    return value


def text_of(data: Mapping[str, Any], name: str) -> str:
    """Return the text member `name`; an absent or null one is empty. Raises ValueError for anything else."""
    value = data.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise MalformedError(f"{name} is not a text")
    return value


def required(value: str, name: str) -> str:
    """Return `value`. Raises ValueError, which names it, when it is empty."""
    if not value:
        raise MalformedError(f"{name} is missing")
    return value


def slash_command(fields: Mapping[str, str]) -> SlashCommand:
    """Read a typed command. Raises ValueError."""
    return SlashCommand(
        name=required(fields.get("command", ""), "command"),
        text=said(fields.get("text", "")),
        user=Person(required(fields.get("user_id", ""), "user_id"), fields.get("user_name", "")),
        team=required(fields.get("team_id", ""), "team_id"),
        channel=ChannelRef(
            required(fields.get("channel_id", ""), "channel_id"), fields.get("channel_name", "")
        ),
        invocation=required(fields.get("trigger_id", ""), "trigger_id"),
        response=fields.get("response_url", ""),
        trigger=fields.get("trigger_id", ""),
    )


def interaction(data: Mapping[str, Any]) -> Interaction | None:
    """Read a pressed button or a submitted form; None for what is nothing for us. Raises ValueError."""
    kind = text_of(data, "type")
    if _is_of_another_team(data):
        return None
    if kind == "block_actions":
        return _block_action(data)
    if kind == "view_submission":
        return _submission(data)
    if kind == "shortcut":
        return _shortcut(data)
    if kind == "message_action":
        return _message_action(data)
    if not kind:
        raise MalformedError("type is missing")
    return None


def _is_of_another_team(data: Mapping[str, Any]) -> bool:
    """Whether somebody of another organization did it, in a channel that is shared with it: they command nothing here.

    Within one Enterprise Grid the two may differ, too; there the payload names the enterprise. From memory.
    """
    team = text_of(object_of(data, "team"), "id")
    own = text_of(object_of(data, "user"), "team_id")
    return bool(team and own and team != own and not data.get("enterprise"))


def _actor(data: Mapping[str, Any]) -> tuple[Person, str]:
    user = object_of(data, "user")
    # A workspace of an organization may send no team, but every user has one.
    team = text_of(object_of(data, "team"), "id") or text_of(user, "team_id")
    name = text_of(user, "username") or text_of(user, "name")
    return Person(required(text_of(user, "id"), "user.id"), name), required(team, "team.id")


def _block_action(data: Mapping[str, Any]) -> Interaction | None:
    actions = data.get("actions")
    if not isinstance(actions, list) or not actions or not isinstance(actions[0], dict):
        raise MalformedError("actions is missing")
    pressed = actions[0]
    action = plain_action(required(text_of(pressed, "action_id"), "action_id"))
    if action == LINK_ACTION:  # Slack tells us that a link was opened; it asks for nothing but a 200
        return None
    user, team = _actor(data)
    container, message = object_of(data, "container"), object_of(data, "message")
    channel_id = text_of(object_of(data, "channel"), "id") or text_of(container, "channel_id")
    message_id = text_of(message, "ts") or text_of(container, "message_ts")
    return Interaction(
        action=action,
        value=_chosen(pressed),
        user=user,
        team=team,
        channel=ChannelRef(channel_id, text_of(object_of(data, "channel"), "name")) if channel_id else None,
        message=MessageRef(channel_id, message_id, text_of(message, "thread_ts"))
        if channel_id and message_id
        else None,
        invocation=required(text_of(data, "trigger_id"), "trigger_id"),
        response=text_of(data, "response_url"),
        trigger=text_of(data, "trigger_id"),
    )


def _shortcut(data: Mapping[str, Any]) -> Interaction:
    user, team = _actor(data)
    trigger = required(text_of(data, "trigger_id"), "trigger_id")
    return Interaction(
        action=required(text_of(data, "callback_id"), "callback_id"),
        value="",
        user=user,
        team=team,
        channel=None,
        message=None,
        invocation=trigger,
        trigger=trigger,
        kind=InteractionKind.SHORTCUT,
    )


def _message_action(data: Mapping[str, Any]) -> Interaction:
    user, team = _actor(data)
    trigger = required(text_of(data, "trigger_id"), "trigger_id")
    channel, message = object_of(data, "channel"), object_of(data, "message")
    channel_id = required(text_of(channel, "id"), "channel.id")
    author = text_of(message, "user")
    return Interaction(
        action=required(text_of(data, "callback_id"), "callback_id"),
        value="",
        user=user,
        team=team,
        channel=ChannelRef(channel_id, text_of(channel, "name")),
        message=MessageRef(
            channel_id, required(text_of(message, "ts"), "message.ts"), text_of(message, "thread_ts")
        ),
        invocation=trigger,
        response=text_of(data, "response_url"),
        trigger=trigger,
        kind=InteractionKind.MESSAGE_ACTION,
        text=said(text_of(message, "text")),
        author=Person(author) if author else None,
        files=shared_files(message.get("files")),
    )


def _submission(data: Mapping[str, Any]) -> Interaction:
    user, team = _actor(data)
    view = object_of(data, "view")
    values: dict[str, str] = {}
    for block_id, elements in object_of(object_of(view, "state"), "values").items():
        if not isinstance(elements, dict):
            raise MalformedError("view.state.values is not an object of objects")
        for element in elements.values():
            if isinstance(element, dict):
                values[str(block_id)] = _chosen(element)
    return Interaction(
        action=required(text_of(view, "callback_id"), "view.callback_id"),
        value=text_of(view, "private_metadata"),
        user=user,
        team=team,
        channel=None,
        message=None,
        # A submission may come without a trigger; the view's own id and hash are as unique.
        invocation=text_of(data, "trigger_id")
        or required(text_of(view, "id"), "view.id") + text_of(view, "hash"),
        trigger=text_of(data, "trigger_id"),
        values=values,
        kind=InteractionKind.SUBMITTED,
    )


def _chosen(element: Mapping[str, Any]) -> str:
    """Return the value of a button, a select, a picker or an input."""
    selected = object_of(element, "selected_option")
    for name in ("value", "selected_user", "selected_channel", "selected_conversation", "selected_date"):
        if text := text_of(element, name):
            return text
    several = element.get("selected_options")
    if isinstance(several, list):
        return "\n".join(text_of(one, "value") for one in several if isinstance(one, dict))
    return text_of(selected, "value")
