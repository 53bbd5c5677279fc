"""Cards and answers as Slack messages. Pure.

Users' words never command Slack: plain text stands in `plain_text` objects, where nothing is interpreted, and Markdown goes
through the mrkdwn writer, which escapes. The colour bar exists only on attachments, so the body stands in one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from callout.connectors.slack.mrkdwn import escape, to_mrkdwn
from callout.connectors.slack.wire import Attachment, Block, MessageBody, MessageMetadata, ResponseBody
from callout.kit.text import parse_markdown
from callout.ports.chat import Answer, Button, ButtonStyle, Card, Fact, Section, Tone
from callout.ports.chat_forms import Menu, Option

LINK_ACTION: Final = "link"
OPEN_LABEL: Final = "Open in Callout"

# Slack's limits, in characters, and what we allow ourselves so that the sum of a message stays under its 12,000.
HEADER_LIMIT: Final = 150
SECTION_LIMIT: Final = 3000
TEXT_LIMIT: Final = 2500
FALLBACK_LIMIT: Final = 300
BUTTON_LABEL_LIMIT: Final = 75
BUTTON_VALUE_LIMIT: Final = 2000
BUTTON_URL_LIMIT: Final = 3000
ACTION_ID_LIMIT: Final = 255
ELEMENTS_LIMIT: Final = 25
OPTIONS_LIMIT: Final = 100
OPTION_LIMIT: Final = 75
MENU_LABEL_LIMIT: Final = 150
FIELDS_LIMIT: Final = 10
FACTS_LIMIT: Final = 20
LABEL_LIMIT: Final = 30
VALUE_LIMIT: Final = 160
FOOTER_LIMIT: Final = 300
SECTIONS_LIMIT: Final = 20  # each is two blocks at most; a message has fifty
SECTIONS_TEXT: Final = 6000
MENTIONS_LIMIT: Final = 25
TOPIC_LIMIT: Final = 250  # from memory

COLOURS: Final[Mapping[Tone, str]] = {
    Tone.CRITICAL: "#b3261e",
    Tone.HIGH: "#e8590c",
    Tone.MEDIUM: "#f2b705",
    Tone.LOW: "#3b82f6",
    Tone.GOOD: "#2e9e5b",
    Tone.NEUTRAL: "#6b7280",
}

_STYLES: Final[Mapping[ButtonStyle, str]] = {ButtonStyle.PRIMARY: "primary", ButtonStyle.DANGER: "danger"}
_WORD_JOINER: Final = "\u2060"
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_MARKER = re.compile(r"<(?=[@#!])")
_USER_ID = re.compile(r"[UW][A-Z0-9]{2,30}")
_GROUP_ID = re.compile(r"S[A-Z0-9]{2,30}")
_EMPTY: Final = "\u2013"


def shorten(text: str, limit: int) -> str:
    """Return `text` cut to `limit` characters, the last one an ellipsis when something was cut."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def plain(text: str, limit: int, *, one_line: bool = True) -> str:
    """Return users' words for a `plain_text` object.

    Nothing is interpreted there, but what looks like a mention is broken by an invisible character all the same: a client that
    decodes more than it should must not page a channel.
    """
    clean = _CONTROL.sub("", text.encode("utf-8", "replace").decode())
    clean = " ".join(clean.split()) if one_line else clean.strip()
    return shorten(_MARKER.sub(f"<{_WORD_JOINER}", clean), limit)


def fallback(text: str, limit: int = FALLBACK_LIMIT) -> str:
    """Return users' words escaped for `text`: what notifications and screen readers show."""
    clean = _CONTROL.sub("", text.encode("utf-8", "replace").decode())
    return escape(shorten(" ".join(clean.split()), limit)) or _EMPTY


def mrkdwn(markdown: str, limit: int = TEXT_LIMIT) -> str:
    """Return Markdown as mrkdwn of at most `SECTION_LIMIT` characters.

    The source is cut, never the result, which might break an entity or leave a code block open.
    """
    source = shorten(_CONTROL.sub("", markdown.encode("utf-8", "replace").decode()).strip(), limit)
    result = to_mrkdwn(parse_markdown(source))
    while len(result) > SECTION_LIMIT:
        source = shorten(source, len(source) * 3 // 4)
        result = to_mrkdwn(parse_markdown(source))
    return result


def mention(user: str) -> str:
    """Return the mark-up that notifies the person (or user group) with this id; empty for what is no id."""
    if _USER_ID.fullmatch(user):
        return f"<@{user}>"
    return f"<!subteam^{user}>" if _GROUP_ID.fullmatch(user) else ""


def message(card: Card) -> MessageBody:
    """Return the content of a message for `card`, always with all three parts: an update replaces only what it names.

    A card without a title is a plain message: its text, without header and colour.
    """
    title = f"{card.emoji} {card.title}".strip()
    blocks = _content(card)
    if not title:
        text = mrkdwn(card.text, FALLBACK_LIMIT) or _EMPTY
        return {"text": text, "blocks": blocks or [_section(text)], "attachments": []}
    header = _header(title)
    attachments: list[Attachment] = []
    if blocks:
        attachments = [{"color": COLOURS[card.tone], "fallback": fallback(title), "blocks": blocks}]
    return {"text": fallback(title), "blocks": [header], "attachments": attachments}


def card_blocks(card: Card) -> list[Block]:
    """Return a card as blocks alone, for a page, which has no attachments."""
    title = f"{card.emoji} {card.title}".strip()
    return [*([_header(title)] if title else []), *_content(card)]


def legacy_message(card: Card) -> dict[str, Any]:
    """Return the content of a message without blocks: a legacy attachment of title, text and fields.

    For a message whose blocks Slack does not take: what happened is told all the same, without buttons.
    """
    title = f"{card.emoji} {card.title}".strip()
    attachment = {
        "color": COLOURS[card.tone],
        "fallback": fallback(title or card.text),
        "title": fallback(title),
        "title_link": card.link,
        "text": mrkdwn(card.text),
        "mrkdwn_in": ["text"],
        "fields": [
            {"title": fallback(fact.label), "value": fallback(fact.value), "short": True}
            for fact in card.facts[:FACTS_LIMIT]
        ],
        "footer": fallback(card.footer) if card.footer else "",
    }
    return {
        "text": fallback(title or card.text),
        "attachments": [{name: value for name, value in attachment.items() if value}],
    }


def option(one: Option) -> Block:
    """Return an option of a menu."""
    return {
        "text": {"type": "plain_text", "text": plain(one.label, OPTION_LIMIT) or _EMPTY, "emoji": True},
        "value": one.value[:OPTION_LIMIT],
    }


def answer_body(answer: Answer) -> ResponseBody:
    """Return the content of an answer to a command or interaction."""
    content: MessageBody
    if answer.card is not None:
        content = message(answer.card)
        if answer.text:
            text = mrkdwn(answer.text)
            content["blocks"].insert(0, _section(text))
            short = text if len(answer.text) <= FALLBACK_LIMIT else mrkdwn(answer.text, FALLBACK_LIMIT)
            content["text"] = short or content["text"]
    else:
        text = mrkdwn(answer.text) or _EMPTY
        content = {"text": text, "blocks": [_section(text)], "attachments": []}
    return {
        "text": content["text"],
        "blocks": content["blocks"],
        "attachments": content["attachments"],
        "response_type": "in_channel" if answer.in_channel else "ephemeral",
    }


def metadata(key: str) -> MessageMetadata:
    """Return our key as data on a message, unseen by people, so that the message can be recognised as ours."""
    return {"event_type": "callout_message", "event_payload": {"key": key}}


def plain_action(action_id: str) -> str:
    """Return the action that a pressed button stands for: :func:`message` numbers buttons of one action apart."""
    return action_id.partition("~")[0]


def _content(card: Card) -> list[Block]:
    used: dict[str, int] = {}
    return [
        *_body(card),
        *_fact_rows(card.facts[:FACTS_LIMIT]),
        *_sections(card.sections[:SECTIONS_LIMIT], used),
        *_buttons(card, used),
        *_footer(card.footer),
    ]


def _header(title: str) -> Block:
    return {
        "type": "header",
        "text": {"type": "plain_text", "text": plain(title, HEADER_LIMIT) or _EMPTY, "emoji": True},
    }


def _section(text: str) -> Block:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}


def _body(card: Card) -> list[Block]:
    blocks = []
    text = mrkdwn(card.text) if card.text.strip() else ""
    if text:
        blocks.append(_section(text))
    mentions = " ".join(filter(None, (mention(user) for user in card.mentions[:MENTIONS_LIMIT])))
    if mentions:
        blocks.append(_section(mentions))
    return blocks


def _fact_rows(facts: Sequence[Fact]) -> list[Block]:
    """Return rows of label and value: fields stand in two columns, so that each pair is one line."""
    fields = [
        field
        for fact in facts
        for field in (
            {"type": "mrkdwn", "text": f"*{_label(fact.label)}*", "verbatim": True},
            {"type": "plain_text", "text": plain(fact.value, VALUE_LIMIT) or _EMPTY, "emoji": False},
        )
    ]
    return [
        {"type": "section", "fields": fields[start : start + FIELDS_LIMIT]}
        for start in range(0, len(fields), FIELDS_LIMIT)
    ]


def _label(text: str) -> str:
    # Labels are our own words; a star in one would end the bold early.
    return escape(plain(text, LABEL_LIMIT).replace("*", "")) or _EMPTY


def _sections(sections: Sequence[Section], used: dict[str, int]) -> list[Block]:
    """Return the parts of a card, each with its buttons. They share the message's limit of characters."""
    blocks: list[Block] = []
    limit = min(TEXT_LIMIT, SECTIONS_TEXT // max(1, len(sections)))
    for part in sections:
        text = mrkdwn(part.text, limit)
        if text:
            blocks.append(_section(text))
        elements = [_button(button, used) for button in part.buttons]
        elements += [_menu(menu, used) for menu in part.menus]
        if elements:
            blocks.append({"type": "actions", "elements": elements[:ELEMENTS_LIMIT]})
    return blocks


def _buttons(card: Card, used: dict[str, int]) -> list[Block]:
    buttons = list(card.buttons)
    if card.link:
        buttons.append(Button(action=LINK_ACTION, label=OPEN_LABEL, url=card.link))
    elements = [_button(button, used) for button in buttons if len(button.url) <= BUTTON_URL_LIMIT]
    elements += [_menu(menu, used) for menu in card.menus]
    return [{"type": "actions", "elements": elements[:ELEMENTS_LIMIT]}] if elements else []


def _apart(action: str, used: dict[str, int]) -> str:
    """Return the action id; Slack refuses two elements of one id in a block, and a message is easier to read with each of them once."""
    action = action[: ACTION_ID_LIMIT - 5]
    count = used[action] = used.get(action, 0) + 1
    return action if count == 1 else f"{action}~{count}"


def _menu(menu: Menu, used: dict[str, int]) -> Block:
    options = [option(one) for one in menu.options[:OPTIONS_LIMIT]]
    element: Block = {
        "type": "static_select",
        "action_id": _apart(menu.action, used),
        "placeholder": {"type": "plain_text", "text": plain(menu.label, MENU_LABEL_LIMIT) or _EMPTY},
        "options": options,
    }
    chosen = [one for one in options if menu.chosen and one["value"] == menu.chosen]
    return element | ({"initial_option": chosen[0]} if chosen else {})


def _button(button: Button, used: dict[str, int]) -> Block:
    element: Block = {
        "type": "button",
        "action_id": _apart(LINK_ACTION if button.url else button.action, used),
        "text": {
            "type": "plain_text",
            "text": plain(button.label, BUTTON_LABEL_LIMIT) or _EMPTY,
            "emoji": True,
        },
    }
    if button.url:
        element["url"] = button.url
    elif button.value:
        element["value"] = button.value[:BUTTON_VALUE_LIMIT]
    if button.style in _STYLES:
        element["style"] = _STYLES[button.style]
    return element


def _footer(text: str) -> list[Block]:
    words = plain(text, FOOTER_LIMIT)
    if not words:
        return []
    return [{"type": "context", "elements": [{"type": "plain_text", "text": words, "emoji": False}]}]
