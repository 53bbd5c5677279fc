"""Acts of people: what a user of the workspace does in the Slack client."""

from __future__ import annotations

import base64
import binascii
import secrets
from typing import TYPE_CHECKING, Any

from callout.sandbox.core.twin import ActError
from callout.sandbox.slack import chat, filing, response_urls, seed
from callout.sandbox.slack.acting import Act, Acts, answer_of, json_answer, person, place, shown_name
from callout.sandbox.slack.arguments import Arguments
from callout.sandbox.slack.errors import SlackError
from callout.sandbox.slack.forms import rich_text
from callout.sandbox.slack.handles import Shown
from callout.sandbox.slack.records import Channel, Message

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from callout.sandbox.core.webhooks import Attempt
    from callout.sandbox.slack.handles import ResponseUrl
    from callout.sandbox.slack.records import User


class People(Acts):
    """Acts in conversations: commands, messages, reactions, files."""

    def acts(self) -> dict[str, Callable[[Act], Awaitable[dict[str, Any]]]]:
        """Return the acts by name."""
        return {
            "slash_command": self.slash_command,
            "message": self.message,
            "edit_message": self.edit_message,
            "delete_message": self.delete_message,
            "react": self.react,
            "upload_file": self.upload_file,
            "share_file": self.share_file,
            "delete_file": self.delete_file,
            "url_verification": self.url_verification,
            "uninstall": self.uninstall,
            "app_rate_limited": self.app_rate_limited,
        }

    async def slash_command(self, act: Act) -> dict[str, Any]:
        """Type `{command} {text}` in a channel; answers with what the app said and the user saw."""
        user, channel = person(self._space, act), place(self._space, act)
        self._check_able(user)
        if channel.kind != "public" and user.id not in channel.members:
            raise ActError(f"{user.name} is not in {channel.name}")
        command = str(act.get("command") or "/im")
        trigger = self._space.new_trigger(user.id)
        url = self._space.new_response_url("commands", user.id, channel.id)
        form = {
            "token": seed.VERIFICATION_TOKEN,
            "team_id": self._space.team.id,
            "team_domain": self._space.team.domain,
            "channel_id": channel.id,
            "channel_name": shown_name(channel),
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
        user, channel, thread_ts = self._writing(act)
        text = str(act.get("text") or "")
        message = Message(self._space.new_ts(), user.id, text, thread_ts=thread_ts)
        message.client_msg_id = secrets.token_hex(16)
        message.blocks = [rich_text(text)]
        message.extra = {"team": self._space.team.id}
        if thread_ts is not None:
            channel.messages[thread_ts].thread_ts = thread_ts
        self._space.add_message(channel, message)
        self._ledger.record("user.message", actor=user.id, target=f"{channel.id}/{message.ts}")
        event_id = self._mention(channel, message, repeat=int(act.get("repeat") or 1))
        return {"channel": channel.id, "ts": message.ts, "app_mention": event_id}

    def _writing(self, act: Act) -> tuple[User, Channel, str | None]:
        user = person(self._space, act)
        if act.get("channel") == f"@{seed.BOT_NAME}":
            channel = self._space.direct_channel([self._space.bot_user_id, user.id])
        else:
            channel = place(self._space, act)
        if user.deleted:
            raise ActError(f"{user.name} is deactivated")
        if user.id not in channel.members:
            raise ActError(f"{user.name} is not in {channel.name}")
        if channel.archived:
            raise ActError(f"{channel.name} is archived")
        thread_ts = str(act.get("thread_ts") or "") or None
        if thread_ts is not None and thread_ts not in channel.messages:
            raise ActError(f"no thread {thread_ts}")
        return user, channel, thread_ts

    def _mention(self, channel: Channel, message: Message, *, repeat: int) -> str | None:
        bot = self._space.bot_user_id
        # In a direct conversation a mention is only a message.
        if bot not in message.notified or bot not in channel.members or not channel.is_named:
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
        parts = {"text": text, "blocks": [rich_text(text)], "attachments": []}
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
        """Put an emoji `name` on a message, or take it off with `remove`."""
        user, channel = person(self._space, act), place(self._space, act)
        message = channel.messages.get(str(act.get("ts")))
        if message is None:
            raise ActError(f"no message {act.get('ts')!r}")
        name = str(act.get("name") or "eyes")
        holders = message.reactions.setdefault(name, [])
        if (user.id in holders) is not bool(act.get("remove")):
            raise ActError(f"{user.name} has {'' if user.id in holders else 'not '}reacted with {name}")
        (holders.remove if act.get("remove") else holders.append)(user.id)
        if not holders:
            del message.reactions[name]
        event = {
            "type": "reaction_removed" if act.get("remove") else "reaction_added",
            "user": user.id,
            "reaction": name,
            "item_user": message.user,
            "item": {"type": "message", "channel": channel.id, "ts": message.ts},
            "event_ts": self._space.new_ts(),
        }
        self._space.report(event, channel=channel)
        return {"ok": True}

    async def upload_file(self, act: Act) -> dict[str, Any]:
        """Share a file `filename` (`content` as text, or `content_base64`) in a channel, with a `comment`.

        Without a channel it is only uploaded, to be put into a form.
        """
        name = str(act.get("filename") or "note.txt")
        try:
            content = base64.b64decode(str(act.get("content_base64") or ""), validate=True)
        except binascii.Error as error:
            raise ActError(f"content_base64: {error}") from error
        content = content or str(act.get("content") or "").encode()
        if not content:
            raise ActError("an empty file is not uploaded")
        if not act.get("channel"):
            user = person(self._space, act)
            file = self._new_file(user, name, content)
            return {"file": file.as_json()}
        user, channel, thread_ts = self._writing(act)
        file = self._new_file(user, name, content)
        file.mode, file.access = str(act.get("mode") or file.mode), str(act.get("file_access") or file.access)
        file.external_type = str(act.get("external_type") or ("gdrive" if file.mode == "external" else ""))
        comment = str(act.get("comment") or "")
        message = Message(self._space.new_ts(), user.id, comment, thread_ts=thread_ts, subtype="file_share")
        message.blocks = [rich_text(comment)] if comment else []
        message.extra = {"upload": True}
        if thread_ts is not None:
            channel.messages[thread_ts].thread_ts = thread_ts
        filing.share(self._space, channel, [file], message)
        self._note("upload_file", user, f"{channel.id}/{message.ts}", file=file.id, name=name)
        mention = self._mention(channel, message, repeat=1)
        return {"file": file.as_json(), "channel": channel.id, "ts": message.ts, "app_mention": mention}

    def _new_file(self, user: User, name: str, content: bytes) -> filing.File:
        file = filing.new_file(self._space, name, user.id, size=len(content), base_url=self._base_url)
        file.content = content
        return file

    async def share_file(self, act: Act) -> dict[str, Any]:
        """Share a `file` that is there already, in another `channel`."""
        user, channel, thread_ts = self._writing(act)
        file = self._space.files.get(str(act.get("file")))
        if file is None or not filing.may_see(self._space, user.id, file):
            raise ActError(f"no file {act.get('file')!r} that {user.name} sees")
        message = Message(self._space.new_ts(), user.id, "", thread_ts=thread_ts, subtype="file_share")
        filing.share(self._space, channel, [file], message)
        self._note("share_file", user, f"{channel.id}/{message.ts}", file=file.id)
        return {"file": file.as_json(), "channel": channel.id, "ts": message.ts}

    async def delete_file(self, act: Act) -> dict[str, Any]:
        """Delete one's own file `file`."""
        user = person(self._space, act)
        file = self._space.files.get(str(act.get("file")))
        if file is None or (file.user != user.id and not user.is_admin):
            raise ActError(f"no file {act.get('file')!r} of {user.name}")
        filing.remove_file(self._space, file)
        self._note("delete_file", user, file.id)
        return {"ok": True}

    async def url_verification(self, act: Act) -> dict[str, Any]:
        """Save the events URL in the app's settings: Slack checks the challenge."""
        challenge = str(act.get("challenge") or secrets.token_urlsafe(24))
        attempt = await self._outgoing.verification(challenge)
        body = json_answer(attempt)
        said = body.get("challenge") if body is not None else attempt.response_body.strip()
        return {**answer_of([attempt]), "verified": attempt.ok and said == challenge}

    async def app_rate_limited(self, act: Act) -> dict[str, Any]:
        """Send `app_rate_limited`, as Slack does above 30,000 events an hour in one team."""
        del act
        return {"sent": self._outgoing.rate_limited(self._space)}

    async def uninstall(self, act: Act) -> dict[str, Any]:
        """Remove the app from the workspace: its tokens die and it is told."""
        del act
        self._space.uninstall()
        self._ledger.record("user.uninstall", target=self._space.team.id)
        return {"ok": True}
