"""What Slack sends us: verified over the raw bytes, then read. Pure: no I/O, the request carries its own time."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final
from urllib.parse import parse_qsl

from callout.connectors.slack.render import LINK_ACTION, answer_body, plain_action
from callout.kit.secrets import Secret
from callout.ports.chat import (
    Answer,
    ChannelRef,
    ChatEvent,
    ChatEventKind,
    ChatInput,
    Interaction,
    MessageRef,
    SlashCommand,
)
from callout.ports.inbound import InboundRequest, Reply, Trust, Verdict
from callout.ports.values import Person

MAX_SKEW_SECONDS: Final = 300
_FORM: Final = "application/x-www-form-urlencoded"
_MAX_FIELDS: Final = 100
_MAX_DEPTH_ERROR: Final = "the JSON is nested too deeply"
_OURS_OR_NO_NEWS: Final = frozenset({"bot_message", "message_changed", "message_deleted"})
_EVENT_KINDS: Final[Mapping[str, ChatEventKind]] = {
    "app_mention": ChatEventKind.MENTION,
    "message": ChatEventKind.MESSAGE,
    "app_uninstalled": ChatEventKind.UNINSTALLED,
    "tokens_revoked": ChatEventKind.UNINSTALLED,
    "channel_archive": ChatEventKind.CHANNEL_ARCHIVED,
    "group_archive": ChatEventKind.CHANNEL_ARCHIVED,
    "channel_rename": ChatEventKind.CHANNEL_RENAMED,
    "group_rename": ChatEventKind.CHANNEL_RENAMED,
}


class MalformedError(ValueError):
    """The body is not what Slack sends."""


def signature_is_good(*, secret: bytes, body: bytes, timestamp: bytes, signature: bytes) -> bool:
    """True when `signature` (`v0=` and hex) covers exactly these bytes. An empty secret signs nothing."""
    if not secret:
        return False
    mac = hmac.new(secret, b"v0:" + timestamp + b":" + body, sha256)
    return hmac.compare_digest(b"v0=" + mac.hexdigest().encode(), signature)


class SlackInbound:
    """Slack's request dialect, for one integration. `keys` are its signing secrets, the newest first."""

    def __init__(self, keys: Sequence[Secret]) -> None:
        self._keys = tuple(keys)

    def verify(self, request: InboundRequest) -> Verdict:
        """Judge the raw bytes and their age. Slack always signs: without a key nothing is believed."""
        timestamp = request.headers.get("x-slack-request-timestamp", "")
        signature = request.headers.get("x-slack-signature", "")
        if not self._keys:
            return Verdict(Trust.REFUSED, "no signing secret is configured")
        if not timestamp or not signature:
            return Verdict(Trust.REFUSED, "the signature headers are missing")
        if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 12):  # noqa: PLR2004  # int() of a huge number is slow
            return Verdict(Trust.REFUSED, "the timestamp is not a number")
        if abs(request.received_at.timestamp() - int(timestamp)) > MAX_SKEW_SECONDS:
            return Verdict(Trust.REFUSED, "the timestamp is more than five minutes off")
        sent, stamp = signature.encode("utf-8", "surrogateescape"), timestamp.encode()
        for key in self._keys:
            if signature_is_good(
                secret=key.reveal().encode(), body=request.body, timestamp=stamp, signature=sent
            ):
                return Verdict(Trust.SIGNED)
        return Verdict(Trust.REFUSED, "the signature does not fit the body")

    def reply(self, request: InboundRequest) -> Reply | None:
        """Return the answer to `url_verification` and to the certificate probe, else None. Called after :meth:`verify`."""
        if _is_form(request):
            try:
                fields = _form(request.body)
            except ValueError:
                return None
            return Reply(store=False) if fields.get("ssl_check") == "1" else None
        if b"url_verification" not in request.body:
            return None
        try:
            data = _json_object(request.body)
        except ValueError:
            return None
        challenge = data.get("challenge")
        if data.get("type") != "url_verification" or not isinstance(challenge, str):
            return None
        return Reply(body=challenge.encode("utf-8", "replace"), store=False)

    def parse(self, request: InboundRequest) -> ChatInput | None:
        """Return what the person did, or None when it is nothing for us. Raises ValueError for a malformed body."""
        if not _is_form(request):
            return _event(_json_object(request.body))
        fields = _form(request.body)
        if "payload" in fields:
            return _interaction(_json_object(fields["payload"]))
        if fields.get("ssl_check") == "1":
            return None
        return _slash_command(fields)

    def delivery_id(self, request: InboundRequest) -> str:
        """Return `event_id` for events and `trigger_id` for commands and interactions: the same on every retry."""
        try:
            if not _is_form(request):
                return _text(_json_object(request.body), "event_id")
            fields = _form(request.body)
            if "payload" in fields:
                return _text(_json_object(fields["payload"]), "trigger_id")
        except ValueError:
            return ""
        return fields.get("trigger_id", "")

    def render_answer(self, answer: Answer) -> tuple[bytes, str]:
        """Return the JSON that answers a slash command; an empty answer is Slack's silent acknowledgement."""
        if not answer.text and answer.card is None:
            return b"", "text/plain"
        body = json.dumps(answer_body(answer), ensure_ascii=False).encode("utf-8", "replace")
        return body, "application/json"


def _is_form(request: InboundRequest) -> bool:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == _FORM


def _form(body: bytes) -> dict[str, str]:
    pairs = parse_qsl(
        body.decode("utf-8"), keep_blank_values=True, max_num_fields=_MAX_FIELDS, errors="strict"
    )
    return dict(pairs)


def _json_object(source: bytes | str) -> dict[str, Any]:
    try:
        data = json.loads(source)
    except RecursionError:
        raise MalformedError(_MAX_DEPTH_ERROR) from None
    if not isinstance(data, dict):
        raise MalformedError("the body is not a JSON object")
    return data


def _object(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return the object member `name`; an absent or null one is empty. Raises ValueError for anything else."""
    value = data.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise MalformedError(f"{name} is not an object")
    return value


def _text(data: Mapping[str, Any], name: str) -> str:
    """Return the text member `name`; an absent or null one is empty. Raises ValueError for anything else."""
    value = data.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise MalformedError(f"{name} is not a text")
    return value


def _required(value: str, name: str) -> str:
    if not value:
        raise MalformedError(f"{name} is missing")
    return value


def _slash_command(fields: Mapping[str, str]) -> SlashCommand:
    return SlashCommand(
        name=_required(fields.get("command", ""), "command"),
        text=unescape(fields.get("text", "")),
        user=Person(_required(fields.get("user_id", ""), "user_id"), fields.get("user_name", "")),
        team=_required(fields.get("team_id", ""), "team_id"),
        channel=ChannelRef(
            _required(fields.get("channel_id", ""), "channel_id"), fields.get("channel_name", "")
        ),
        invocation=_required(fields.get("trigger_id", ""), "trigger_id"),
        response=fields.get("response_url", ""),
        trigger=fields.get("trigger_id", ""),
    )


def _interaction(data: Mapping[str, Any]) -> Interaction | None:
    kind = _text(data, "type")
    if kind == "block_actions":
        return _block_action(data)
    if kind == "view_submission":
        return _submission(data)
    if not kind:
        raise MalformedError("type is missing")
    return None


def _actor(data: Mapping[str, Any]) -> tuple[Person, str]:
    user = _object(data, "user")
    # A workspace of an organization may send no team, but every user has one.
    team = _text(_object(data, "team"), "id") or _text(user, "team_id")
    name = _text(user, "username") or _text(user, "name")
    return Person(_required(_text(user, "id"), "user.id"), name), _required(team, "team.id")


def _block_action(data: Mapping[str, Any]) -> Interaction | None:
    actions = data.get("actions")
    if not isinstance(actions, list) or not actions or not isinstance(actions[0], dict):
        raise MalformedError("actions is missing")
    pressed = actions[0]
    action = plain_action(_required(_text(pressed, "action_id"), "action_id"))
    if action == LINK_ACTION:  # Slack tells us that a link was opened; it asks for nothing but a 200
        return None
    user, team = _actor(data)
    container, message = _object(data, "container"), _object(data, "message")
    channel_id = _text(_object(data, "channel"), "id") or _text(container, "channel_id")
    message_id = _text(message, "ts") or _text(container, "message_ts")
    return Interaction(
        action=action,
        value=_chosen(pressed),
        user=user,
        team=team,
        channel=ChannelRef(channel_id, _text(_object(data, "channel"), "name")) if channel_id else None,
        message=MessageRef(channel_id, message_id, _text(message, "thread_ts"))
        if channel_id and message_id
        else None,
        invocation=_required(_text(data, "trigger_id"), "trigger_id"),
        response=_text(data, "response_url"),
        trigger=_text(data, "trigger_id"),
    )


def _submission(data: Mapping[str, Any]) -> Interaction:
    user, team = _actor(data)
    view = _object(data, "view")
    values: dict[str, str] = {}
    for block_id, elements in _object(_object(view, "state"), "values").items():
        if not isinstance(elements, dict):
            raise MalformedError("view.state.values is not an object of objects")
        for element in elements.values():
            if isinstance(element, dict):
                values[str(block_id)] = _chosen(element)
    return Interaction(
        action=_required(_text(view, "callback_id"), "view.callback_id"),
        value=_text(view, "private_metadata"),
        user=user,
        team=team,
        channel=None,
        message=None,
        # A submission may come without a trigger; the view's own id and hash are as unique.
        invocation=_text(data, "trigger_id") or _required(_text(view, "id"), "view.id") + _text(view, "hash"),
        trigger=_text(data, "trigger_id"),
        values=values,
    )


def _chosen(element: Mapping[str, Any]) -> str:
    """Return the value of a button, a select, a picker or an input."""
    selected = _object(element, "selected_option")
    for name in ("value", "selected_user", "selected_channel", "selected_conversation", "selected_date"):
        if text := _text(element, name):
            return text
    return _text(selected, "value")


def _event(data: Mapping[str, Any]) -> ChatEvent | None:
    if _text(data, "type") != "event_callback":
        if not _text(data, "type"):
            raise MalformedError("type is missing")
        return None
    event = _object(data, "event")
    vendor_event = _required(_text(event, "type"), "event.type")
    event_id = _required(_text(data, "event_id"), "event_id")
    if _is_a_bots_own(data, event):
        return None
    channel = _event_channel(event)
    user_id = _text(event, "user") if isinstance(event.get("user"), str) else ""
    ts, thread = _text(event, "ts"), _text(event, "thread_ts")
    text = _text(event, "text")
    kind = _EVENT_KINDS.get(vendor_event, ChatEventKind.OTHER)
    if kind is ChatEventKind.MENTION:
        text = _without_leading_mention(text)
    return ChatEvent(
        kind=kind,
        id=event_id,
        team=_text(data, "team_id"),
        user=Person(user_id) if user_id else None,
        channel=channel,
        message=MessageRef(channel.id, ts, thread) if channel is not None and ts else None,
        text=unescape(text),
        occurred_at=_moment(data.get("event_time")),
        vendor_event=vendor_event,
    )


def _is_a_bots_own(data: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    """Whether a program wrote it. Nothing that a program says may command us: two bots could talk for ever."""
    if event.get("bot_id") or event.get("subtype") in _OURS_OR_NO_NEWS:
        return True
    authorizations = data.get("authorizations")
    ours = {
        entry.get("user_id")
        for entry in (authorizations if isinstance(authorizations, list) else [])
        if isinstance(entry, dict) and entry.get("is_bot")
    }
    user = event.get("user")
    return isinstance(user, str) and user in ours


def _event_channel(event: Mapping[str, Any]) -> ChannelRef | None:
    channel = event.get("channel")
    if isinstance(channel, dict):  # channel_rename carries the object
        identity = _text(channel, "id")
        return ChannelRef(identity, _text(channel, "name")) if identity else None
    return ChannelRef(channel) if isinstance(channel, str) and channel else None


def _without_leading_mention(text: str) -> str:
    stripped = text.lstrip()
    if stripped.startswith("<@"):
        _, closed, rest = stripped.partition(">")
        if closed:
            return rest.lstrip()
    return stripped


def unescape(text: str) -> str:
    """Undo Slack's escaping of the three control characters, in the order that keeps `&amp;lt;` a text."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _moment(seconds: object) -> datetime | None:
    if isinstance(seconds, bool) or not isinstance(seconds, int):
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):
        return None
