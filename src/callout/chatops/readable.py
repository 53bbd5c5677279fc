"""What people wrote as it is kept: mentions as names, links as addresses. A timeline and a ticket are read where mark-up means nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Final

from callout.chatops.commands import Change, Command
from callout.chatops.groups import GROUP_MENTION

if TYPE_CHECKING:
    from callout.chatops.context import ChatContext, Workspace
    from callout.storage import AccountTx

PERSON: Final = re.compile(r"<@([A-Za-z0-9_.:-]{1,100})(?:\|@?([^<>]{0,200}))?>")
_CHANNEL: Final = re.compile(r"<#([A-Za-z0-9_.:-]{1,100})(?:\|#?([^<>]{0,200}))?>")
_MAIL: Final = re.compile(r"<mailto:([^<>|\s]+)(?:\|[^<>]*)?>")
_LINK: Final = re.compile(r"<(https?://[^<>|\s]+)(?:\|([^<>\n]*))?>")
_TEXTS: Final = frozenset({"title", "description", "comment", "text"})
"""Fields of commands that hold words of people's own."""
NAMED_AT_MOST: Final = 20
"""So many people of one text are looked up; those after them are called by what the text says of them."""


async def readable(context: ChatContext, tx: AccountTx, workspace: Workspace, team: str, text: str) -> str:
    """Return `text` with names in place of mark-up. Only a mention without a name is looked up, among those whom we know."""
    if "<" not in text:
        return text
    names: dict[str, str] = {}
    for match in PERSON.finditer(text):
        if not match[2] and match[1] not in names and len(names) < NAMED_AT_MOST:
            known = await context.identities.find(tx.system, workspace.provider, team, match[1])
            names[match[1]] = match[1] if known is None else known.name
    return in_words(text, names)


def in_words(text: str, names: Mapping[str, str]) -> str:
    """Return `text` with names in place of mark-up; `names` are those of people, by id. Pure."""
    text = GROUP_MENTION.sub(lambda match: f"@{match[2] or match[1]}", text)
    text = PERSON.sub(lambda match: f"@{match[2] or names.get(match[1], match[1])}", text)
    text = _CHANNEL.sub(lambda match: f"#{match[2] or match[1]}", text)
    return _LINK.sub(_linked, _MAIL.sub(r"\1", text))


def _linked(match: re.Match[str]) -> str:
    address, label = match[1], (match[2] or "").strip()
    bare = address.partition("://")[2].rstrip("/")
    return (
        address if not label or label.rstrip("/") in {address.rstrip("/"), bare} else f"{label} ({address})"
    )


async def with_names(
    context: ChatContext, tx: AccountTx, workspace: Workspace, team: str, command: Command
) -> Command:
    """Return a command with readable words in every field that holds people's own; whom it is about stays as it was typed."""
    if isinstance(command, Change):
        title = command.values.get("title", "")
        if "<" not in title:
            return command
        told = await readable(context, tx, workspace, team, title)
        return Change(command.incident, {**command.values, "title": told})
    changes: dict[str, str] = {}
    for one in fields(command):
        before = getattr(command, one.name)
        if one.name in _TEXTS and isinstance(before, str) and "<" in before:
            changes[one.name] = await readable(context, tx, workspace, team, before)
    return replace(command, **changes) if changes else command  # type: ignore[arg-type]  # texts for texts


__all__ = ["PERSON", "in_words", "readable", "with_names"]
