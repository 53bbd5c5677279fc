"""What Slack does to message text on the way in, and whom a message notifies."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_MARKUP = re.compile(r"<(?:[@#!][^<>\s][^<>]*|(?:https?|mailto|tel|ftp|slack)[^<>]*)>")
_BARE_AMPERSAND = re.compile(r"&(?!(?:amp|lt|gt);)")
_URL = re.compile(r"https?://[^\s<>|]+[^\s<>|.,;:!?)\]'\"]")
_AT_NAME = re.compile(r"(?<![\w@])@([a-z0-9._-]+)")
_USER_MENTION = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^>]*)?>")
_GROUP_MENTION = re.compile(r"<!(here|channel|everyone|subteam\^[A-Z0-9]+)(?:\|[^>]*)?>")
_BROADCASTS = {"here", "channel", "everyone"}


def as_stored(text: str, *, link_names: bool, user_ids: Mapping[str, str]) -> str:
    """Return the text as Slack keeps it: stray `&<>` escaped, URLs linked, names linked when asked to.

    # from memory: Slack stores API text in this normalised form and answers with it.
    """
    parts: list[str] = []
    at = 0
    for markup in _MARKUP.finditer(text):
        parts.append(_plain(text[at : markup.start()], link_names=link_names, user_ids=user_ids))
        parts.append(markup.group())
        at = markup.end()
    parts.append(_plain(text[at:], link_names=link_names, user_ids=user_ids))
    return "".join(parts)


def notified_by(text: str, blocks: list[dict[str, Any]], *, text_is_mrkdwn: bool = True) -> list[str]:
    """Return who gets a notification: user IDs, `here`, `channel`, `everyone`, `subteam^S..`.

    With blocks, `text` is only the fallback and mentions in it still notify; plain_text never does.
    """
    found: list[str] = []
    sources = [text] if text_is_mrkdwn else []
    sources += list(_mrkdwn_texts(blocks))
    for source in sources:
        found += _USER_MENTION.findall(source)
        found += _GROUP_MENTION.findall(source)
    return list(dict.fromkeys(found))


def _plain(text: str, *, link_names: bool, user_ids: Mapping[str, str]) -> str:
    text = _BARE_AMPERSAND.sub("&amp;", text).replace("<", "&lt;").replace(">", "&gt;")
    text = _URL.sub(lambda match: f"<{match.group()}>", text)
    if link_names:
        text = _AT_NAME.sub(lambda match: _linked(match, user_ids), text)
    return text


def _linked(match: re.Match[str], user_ids: Mapping[str, str]) -> str:
    name = match.group(1)
    if name in _BROADCASTS:
        return f"<!{name}>"
    return f"<@{user_ids[name]}>" if name in user_ids else match.group()


def _mrkdwn_texts(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for item in node:
            yield from _mrkdwn_texts(item)
    elif isinstance(node, dict):
        kind, text = node.get("type"), node.get("text")
        if kind in {"mrkdwn", "markdown"} and isinstance(text, str):
            yield text
        elif kind == "user" and "user_id" in node:
            yield f"<@{node['user_id']}>"
        elif kind == "broadcast" and "range" in node:
            yield f"<!{node['range']}>"
        for key, value in node.items():
            if key != "text" or not isinstance(value, str):
                yield from _mrkdwn_texts(value)
