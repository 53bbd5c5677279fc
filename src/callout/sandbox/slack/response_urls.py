"""What an app may post to a `response_url`: five times within thirty minutes, without a token."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
from starlette.responses import PlainTextResponse

from callout.sandbox.slack import chat
from callout.sandbox.slack.arguments import Arguments
from callout.sandbox.slack.errors import SlackError
from callout.sandbox.slack.handles import RESPONSE_URL_SECONDS, RESPONSE_URL_USES
from callout.sandbox.slack.records import Message

if TYPE_CHECKING:
    from typing import Any

    from starlette.responses import Response

    from callout.sandbox.core.ledger import Ledger
    from callout.sandbox.slack.handles import ResponseUrl
    from callout.sandbox.slack.workspace import Workspace


def take(space: Workspace, ledger: Ledger, path: str, raw: bytes) -> Response:
    """Handle one post to a response URL. # from memory: the error texts and their statuses."""
    url = space.response_urls.get(path)
    if url is None:
        return PlainTextResponse("no_active_hooks", status_code=404)
    if space.clock.now() - url.created > RESPONSE_URL_SECONDS:
        return PlainTextResponse("expired_url", status_code=404)
    if url.uses >= RESPONSE_URL_USES:
        return PlainTextResponse("used_url", status_code=404)
    try:
        body = _json_object(raw)
        target = apply(space, url, body)
    except SlackError as error:
        return PlainTextResponse(error.code, status_code=500 if error.code == "no_text" else 400)
    url.uses += 1
    ledger.record(
        "response_url.post",
        actor=space.bot_user_id,
        target=target,
        summary={"text": body.get("text"), "use": url.uses, "user": url.user},
    )
    return PlainTextResponse("ok")


def _json_object(raw: bytes) -> dict[str, Any]:
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise SlackError("invalid_payload") from None
    if not isinstance(body, dict):
        raise SlackError("invalid_payload")
    return body


def apply(space: Workspace, url: ResponseUrl, body: dict[str, Any]) -> str:
    """Do what the body asks; returns `channel/ts`. Raises SlackError `no_text` and others."""
    channel = space.channels[url.channel]
    source = None
    if url.source_ts is not None:
        source = channel.messages.get(url.source_ts) or channel.ephemerals.get(url.source_ts)
    if body.get("delete_original") and source is not None:
        _delete(space, url, source)
        return f"{channel.id}/{source.ts}"
    parts = chat.content(space, Arguments(body))
    if body.get("replace_original") and source is not None:
        if source.visible_to is None:
            chat.replace_message(space, channel, source, parts)
        else:
            source.text, source.blocks = parts["text"], parts["blocks"]
            source.attachments = parts["attachments"]
        return f"{channel.id}/{source.ts}"
    return show(space, url, parts, in_channel=body.get("response_type") == "in_channel", body=body)


def show(
    space: Workspace, url: ResponseUrl, parts: dict[str, Any], *, in_channel: bool, body: dict[str, Any]
) -> str:
    """Post a new message: to everyone in the channel, or to the one who asked."""
    channel = space.channels[url.channel]
    thread_ts = body.get("thread_ts") or url.thread_ts
    if in_channel:
        # Works in channels the app is not in: the person's command is the permission.
        message = Message(
            space.new_ts(), space.bot_user_id, **parts, bot_id=space.bot_id, thread_ts=thread_ts
        )
        space.add_message(channel, message)
    else:
        message = chat.add_ephemeral(space, channel, url.user, parts, thread_ts=thread_ts)
    return f"{channel.id}/{message.ts}"


def _delete(space: Workspace, url: ResponseUrl, source: Message) -> None:
    channel = space.channels[url.channel]
    if source.visible_to is None:
        chat.remove_message(space, channel, source)
    else:
        del channel.ephemerals[source.ts]
