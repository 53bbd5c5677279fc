"""Acts of people: what a user of the workspace does in the Slack client."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import orjson

from callout.sandbox.core.twin import ActError
from callout.sandbox.slack import chat, response_urls, seed
from callout.sandbox.slack.arguments import Arguments
from callout.sandbox.slack.errors import SlackError
from callout.sandbox.slack.records import Channel, Message
from callout.sandbox.slack.workspace import Shown

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from callout.sandbox.core.ledger import Ledger
    from callout.sandbox.core.webhooks import Attempt
    from callout.sandbox.slack.outgoing import Outgoing
    from callout.sandbox.slack.records import User
    from callout.sandbox.slack.workspace import ResponseUrl, Workspace

Act = dict[str, Any]


def person(space: Workspace, act: Act, key: str = "user") -> User:
    """Return the acting user, named by ID, name or e-mail. Raises ActError."""
    wanted = str(act.get(key) or "")
    for user in space.users.values():
        if wanted and wanted in {user.id, user.name, user.email}:
            return user
    raise ActError(f"no user {wanted!r}")


def place(space: Workspace, act: Act) -> Channel:
    """Return the channel of an act, named by ID or name. Raises ActError."""
    wanted = str(act.get("channel") or "").removeprefix("#")
    channel = space.channels.get(wanted) or space.channel_named(wanted)
    if channel is None:
        raise ActError(f"no channel {wanted!r}")
    return channel


def answer_of(attempts: list[Attempt]) -> dict[str, Any]:
    """Return what the app answered, as the act reports it."""
    first = attempts[0]
    answer: dict[str, Any] = {
        "status": first.status,
        "body": first.response_body,
        "reason": first.reason,
        "elapsed_ms": first.elapsed_ms,
    }
    if len(attempts) > 1:
        answer["repeats"] = [{"status": a.status, "body": a.response_body} for a in attempts[1:]]
    return answer


def json_answer(attempt: Attempt) -> dict[str, Any] | None:
    """Return the JSON object the app answered with, or None for anything else."""
    try:
        value = orjson.loads(attempt.response_body)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


class People:
    """Acts in channels: commands, messages, membership, channel changes."""

    def __init__(self, space: Workspace, outgoing: Outgoing, ledger: Ledger, base_url: str) -> None:
        self._space = space
        self._outgoing = outgoing
        self._ledger = ledger
        self._base_url = base_url

    def acts(self) -> dict[str, Callable[[Act], Awaitable[dict[str, Any]]]]:
        """Return the acts by name."""
        return {
            "slash_command": self.slash_command,
            "message": self.message,
            "edit_message": self.edit_message,
            "delete_message": self.delete_message,
            "react": self.react,
            "join_channel": self.join_channel,
            "leave_channel": self.leave_channel,
            "invite_bot": self.invite_bot,
            "archive_channel": self.archive_channel,
            "rename_channel": self.rename_channel,
            "create_channel": self.create_channel,
            "url_verification": self.url_verification,
            "uninstall": self.uninstall,
            "oauth_code": self.oauth_code,
        }

    async def slash_command(self, act: Act) -> dict[str, Any]:
        """Type `{command} {text}` in a channel; answers with what the app said and the user saw."""
        user, channel = person(self._space, act), place(self._space, act)
        command = str(act.get("command") or "/im")
        trigger = self._space.new_trigger(user.id)
        url = self._space.new_response_url("commands", user.id, channel.id)
        form = {
            "token": seed.VERIFICATION_TOKEN,
            "team_id": seed.TEAM_ID,
            "team_domain": seed.TEAM_DOMAIN,
            "channel_id": channel.id,
            "channel_name": _channel_name(channel),
            "user_id": user.id,
            "user_name": user.name,
            "command": command,
            "text": str(act.get("text") or ""),
            "api_app_id": seed.APP_ID,
            "is_enterprise_install": "false",
            "response_url": f"{self._base_url}{url.path}",
            "trigger_id": trigger.id,
        }
        attempts = await self._outgoing.command(form, repeat=int(act.get("repeat") or 1))
        shown = self._show_answer(attempts[0], url, f"{command} {form['text']}".strip())
        return {
            **answer_of(attempts),
            "trigger_id": trigger.id,
            "response_url": form["response_url"],
            "shown": shown,
        }

    def _show_answer(self, attempt: Attempt, url: ResponseUrl, typed: str) -> dict[str, Any] | None:
        if not attempt.ok:
            # The words Slackbot uses under the failed command; Slack does not send it again.
            code = "operation_timeout" if attempt.reason == "http_timeout" else "dispatch_failed"
            text = f"{typed.split(maxsplit=1)[0]} failed with the error “{code}”"
            self._space.screen.append(Shown(url.user, url.channel, code, text))
            return {"kind": code, "text": text}
        if not attempt.response_body.strip():
            return None
        body = json_answer(attempt) or {"text": attempt.response_body}
        in_channel = body.get("response_type") == "in_channel"
        try:
            parts = chat.content(self._space, Arguments(body))
        except SlackError as error:
            if error.code == "no_text":
                return None
            self._space.screen.append(Shown(url.user, url.channel, "dispatch_failed", error.code))
            return {"kind": "dispatch_failed", "text": error.code}
        if in_channel:
            channel = self._space.channels[url.channel]
            self._space.add_message(channel, Message(self._space.new_ts(), url.user, typed))
        target = response_urls.show(self._space, url, parts, in_channel=in_channel, body=body)
        kind = "in_channel" if in_channel else "ephemeral"
        self._space.screen.append(Shown(url.user, url.channel, kind, parts["text"], parts["blocks"]))
        return {"kind": kind, "text": parts["text"], "blocks": parts["blocks"], "ts": target.split("/")[1]}

    async def message(self, act: Act) -> dict[str, Any]:
        """Write in a channel, thread or to `@callout`: `message`, and `app_mention` when it is mentioned."""
        user = person(self._space, act)
        if act.get("channel") == f"@{seed.BOT_NAME}":
            channel = self._space.direct_channel([seed.BOT_USER_ID, user.id])
        else:
            channel = place(self._space, act)
        if user.id not in channel.members:
            raise ActError(f"{user.name} is not in {channel.name}")
        if channel.archived:
            raise ActError(f"{channel.name} is archived")
        thread_ts = str(act.get("thread_ts") or "") or None
        if thread_ts is not None and thread_ts not in channel.messages:
            raise ActError(f"no thread {thread_ts}")
        text = str(act.get("text") or "")
        message = Message(self._space.new_ts(), user.id, text, thread_ts=thread_ts)
        message.client_msg_id = secrets.token_hex(16)
        message.blocks = [_rich_text(text)]
        message.extra = {"team": seed.TEAM_ID}
        if thread_ts is not None:
            channel.messages[thread_ts].thread_ts = thread_ts
        self._space.add_message(channel, message)
        self._ledger.record("user.message", actor=user.id, target=f"{channel.id}/{message.ts}")
        event_id = self._mention(channel, message, repeat=int(act.get("repeat") or 1))
        return {"channel": channel.id, "ts": message.ts, "app_mention": event_id}

    def _mention(self, channel: Channel, message: Message, *, repeat: int) -> str | None:
        if seed.BOT_USER_ID not in message.notified or seed.BOT_USER_ID not in channel.members:
            return None
        event = {
            **message.as_json(),
            "type": "app_mention",
            "channel": channel.id,
            "event_ts": message.ts,
        }
        return self._outgoing.event(self._space, event, repeat=repeat)

    async def edit_message(self, act: Act) -> dict[str, Any]:
        """Change one's own message."""
        user, channel, message = self._own_message(act)
        text = str(act.get("text") or "")
        parts = {"text": text, "blocks": [_rich_text(text)], "attachments": []}
        chat.replace_message(self._space, channel, message, parts)
        self._ledger.record("user.edit_message", actor=user.id, target=f"{channel.id}/{message.ts}")
        return {"channel": channel.id, "ts": message.ts}

    async def delete_message(self, act: Act) -> dict[str, Any]:
        """Delete one's own message."""
        user, channel, message = self._own_message(act)
        chat.remove_message(self._space, channel, message)
        self._ledger.record("user.delete_message", actor=user.id, target=f"{channel.id}/{message.ts}")
        return {"channel": channel.id, "ts": message.ts}

    def _own_message(self, act: Act) -> tuple[User, Channel, Message]:
        user, channel = person(self._space, act), place(self._space, act)
        message = channel.messages.get(str(act.get("ts")))
        if message is None or (message.user != user.id and not user.is_admin):
            raise ActError(f"no message {act.get('ts')!r} of {user.name}")
        return user, channel, message

    async def react(self, act: Act) -> dict[str, Any]:
        """Put an emoji on a message."""
        user, channel = person(self._space, act), place(self._space, act)
        message = channel.messages.get(str(act.get("ts")))
        if message is None:
            raise ActError(f"no message {act.get('ts')!r}")
        name = str(act.get("name") or "eyes")
        message.reactions.setdefault(name, []).append(user.id)
        event = {
            "type": "reaction_added",
            "user": user.id,
            "reaction": name,
            "item_user": message.user,
            "item": {"type": "message", "channel": channel.id, "ts": message.ts},
            "event_ts": self._space.new_ts(),
        }
        self._space.report(event, channel=channel)
        return {"ok": True}

    async def join_channel(self, act: Act) -> dict[str, Any]:
        """Join a channel (or be let into a private one)."""
        user, channel = person(self._space, act), place(self._space, act)
        if user.id not in channel.members:
            self._space.join(channel, user.id)
        return {"channel": channel.id, "members": channel.members}

    async def leave_channel(self, act: Act) -> dict[str, Any]:
        """Leave a channel."""
        user, channel = person(self._space, act), place(self._space, act)
        if user.id in channel.members:
            self._space.leave(channel, user.id)
        return {"channel": channel.id, "members": channel.members}

    async def invite_bot(self, act: Act) -> dict[str, Any]:
        """Invite the app into a channel (`/invite @callout`)."""
        user, channel = person(self._space, act), place(self._space, act)
        if seed.BOT_USER_ID not in channel.members:
            self._space.join(channel, seed.BOT_USER_ID, inviter=user.id)
        return {"channel": channel.id, "members": channel.members}

    async def archive_channel(self, act: Act) -> dict[str, Any]:
        """Archive a channel."""
        user, channel = person(self._space, act), place(self._space, act)
        if channel.archived:
            raise ActError(f"{channel.name} is archived already")
        self._space.archive(channel, user.id)
        self._ledger.record("user.archive_channel", actor=user.id, target=channel.id)
        return {"channel": channel.id}

    async def rename_channel(self, act: Act) -> dict[str, Any]:
        """Rename a channel to `name`."""
        user, channel = person(self._space, act), place(self._space, act)
        self._space.rename(channel, user.id, str(act.get("name")))
        self._ledger.record("user.rename_channel", actor=user.id, target=channel.id)
        return {"channel": channel.id, "name": channel.name}

    async def create_channel(self, act: Act) -> dict[str, Any]:
        """Make a channel `name`, without the app in it."""
        user = person(self._space, act)
        name = str(act.get("name") or "")
        if not name or self._space.channel_named(name) is not None:
            raise ActError(f"cannot make a channel {name!r}")
        private = bool(act.get("is_private"))
        channel = Channel(
            self._space.new_id("C"),
            name,
            "private" if private else "public",
            user.id,
            int(self._space.clock.now()),
            members=[user.id],
        )
        self._space.channels[channel.id] = channel
        self._ledger.record("user.create_channel", actor=user.id, target=channel.id)
        return {"channel": channel.id, "name": name}

    async def url_verification(self, act: Act) -> dict[str, Any]:
        """Save the events URL in the app's settings: Slack checks the challenge."""
        challenge = str(act.get("challenge") or secrets.token_urlsafe(24))
        attempt = await self._outgoing.verification(challenge)
        body = json_answer(attempt)
        said = body.get("challenge") if body is not None else attempt.response_body.strip()
        return {**answer_of([attempt]), "verified": attempt.ok and said == challenge}

    async def uninstall(self, act: Act) -> dict[str, Any]:
        """Remove the app from the workspace: its tokens die and it is told."""
        del act
        for token in self._space.tokens.values():
            token.revoked = True
        event_ts = self._space.new_ts()
        tokens = {"oauth": [], "bot": [seed.BOT_USER_ID]}
        self._space.report({"type": "tokens_revoked", "tokens": tokens, "event_ts": event_ts})
        self._space.report({"type": "app_uninstalled", "event_ts": event_ts})
        self._ledger.record("user.uninstall", target=seed.TEAM_ID)
        return {"ok": True}

    async def oauth_code(self, act: Act) -> dict[str, Any]:
        """Approve the install; answers with the code Slack would put into the redirect."""
        user = person(self._space, {"user": act.get("user") or "admin"})
        code = new_code(self._space, user.id, str(act.get("scope") or ""), str(act.get("redirect_uri") or ""))
        return {"code": code}


def new_code(space: Workspace, user: str, scope: str, redirect_uri: str) -> str:
    """Mint a single-use OAuth code."""
    code = f"{secrets.randbelow(10**12)}.{secrets.token_hex(16)}"
    space.oauth_codes[code] = {"user": user, "scope": scope, "redirect_uri": redirect_uri}
    return code


def _channel_name(channel: Channel) -> str:
    return {"public": channel.name, "private": "privategroup", "im": "directmessage"}.get(
        channel.kind, channel.name
    )


def _rich_text(text: str) -> dict[str, Any]:
    element = {"type": "text", "text": text}
    return {
        "type": "rich_text",
        "block_id": secrets.token_urlsafe(4)[:5],
        "elements": [{"type": "rich_text_section", "elements": [element]}],
    }
