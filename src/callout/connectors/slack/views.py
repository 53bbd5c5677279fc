"""Forms as modals, the app's home page, and what a submission is answered with (docs.slack.dev/surfaces/modals)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import orjson

from callout.connectors.slack.render import answer_body, card_blocks, mrkdwn, option, plain
from callout.connectors.slack.wire import Block
from callout.ports.chat import Answer, Card, ChatInput, Interaction, InteractionKind, SlashCommand
from callout.ports.chat_forms import FieldKind, Form, FormField

TITLE_LIMIT: Final = 24
SUBMIT_LIMIT: Final = 24
LABEL_LIMIT: Final = 2000
HINT_LIMIT: Final = 2000
TEXT_LIMIT: Final = 3000
ERROR_LIMIT: Final = 2000  # from memory: Slack names no limit of these
METADATA_LIMIT: Final = 3000
OPTIONS_LIMIT: Final = 100
BLOCKS_LIMIT: Final = 100  # from memory
ELEMENT: Final = "value"
"""The action id of every field's element: the field's name is its block's id."""


def modal(form: Form) -> dict[str, Any]:
    """Return the view of a form. Raises ValueError for a token that Slack could not carry."""
    if len(form.token) > METADATA_LIMIT:
        raise ValueError(
            f"the token of a form has {len(form.token)} characters; {METADATA_LIMIT} are allowed"
        )
    blocks: list[Block] = []
    if form.text:
        blocks.append(_section(mrkdwn(form.text)))
    blocks += [_input(field) for field in form.fields]
    return {
        "type": "modal",
        "callback_id": form.action,
        "private_metadata": form.token,
        "title": _plain(form.title, TITLE_LIMIT),
        "submit": _plain(form.submit, SUBMIT_LIMIT),
        "close": _plain("Cancel", SUBMIT_LIMIT),
        "blocks": blocks[:BLOCKS_LIMIT],
    }


def home(card: Card) -> dict[str, Any]:
    """Return the view of the app's home page."""
    return {"type": "home", "blocks": card_blocks(card)[:BLOCKS_LIMIT]}


def reply_to(given: ChatInput, answer: Answer) -> Mapping[str, Any] | None:
    """Return the JSON that answers what a person did, None for an empty answer: Slack reads it from commands and submissions alone."""
    if isinstance(given, SlashCommand):
        shown = answer.text or answer.card is not None
        return dict(answer_body(answer)) if shown else None
    if not isinstance(given, Interaction) or given.kind is not InteractionKind.SUBMITTED:
        return None
    if answer.errors:
        errors = {name: plain(text, ERROR_LIMIT) for name, text in answer.errors.items()}
        return {"response_action": "errors", "errors": errors}
    if answer.form is not None:
        return {"response_action": "update", "view": modal(answer.form)}
    if answer.text:
        return {"response_action": "update", "view": _notice(answer.text)}
    return None


def reply_bytes(given: ChatInput, answer: Answer) -> tuple[bytes, str]:
    """Return that JSON as a body with its media type; an empty one is Slack's silent acknowledgement."""
    reply = reply_to(given, answer)
    if reply is None:
        return b"", "text/plain"
    try:
        body = orjson.dumps(reply)
    except orjson.JSONEncodeError:  # half a character, if we were sent one, has no UTF-8
        body = json.dumps(reply, ensure_ascii=False).encode("utf-8", "replace")
    return body, "application/json"


def _notice(text: str) -> dict[str, Any]:
    return {
        "type": "modal",
        "title": _plain("Callout", TITLE_LIMIT),
        "close": _plain("Close", SUBMIT_LIMIT),
        "blocks": [_section(mrkdwn(text))],
    }


def _input(field: FormField) -> Block:
    block: Block = {
        "type": "input",
        "block_id": field.name,
        "label": _plain(field.label, LABEL_LIMIT),
        "optional": not field.required,
        "element": {"action_id": ELEMENT, **_element(field)},
    }
    if field.hint:
        block["hint"] = _plain(field.hint, HINT_LIMIT)
    return block


def _element(field: FormField) -> Block:
    if field.kind in {FieldKind.LINE, FieldKind.TEXT}:
        limit = min(field.limit or TEXT_LIMIT, TEXT_LIMIT)
        element: Block = {
            "type": "plain_text_input",
            "multiline": field.kind is FieldKind.TEXT,
            "max_length": limit,
        }
        # What stood there before is shown as it was, or not at all: a cut value would be saved as the whole.
        return element | ({"initial_value": field.value} if field.value and len(field.value) <= limit else {})
    if field.kind is FieldKind.PERSON:
        return {"type": "users_select"} | ({"initial_user": field.value} if field.value else {})
    if field.kind is FieldKind.DATE:
        return {"type": "datepicker"} | ({"initial_date": field.value} if field.value else {})
    return _select(field)


def _select(field: FormField) -> Block:
    options = [option(one) for one in field.options[:OPTIONS_LIMIT]]
    chosen = set(field.value.split("\n")) if field.kind is FieldKind.CHOICES else {field.value}
    initial = [one for one in options if one["value"] in chosen]
    if field.kind is FieldKind.CHOICES:
        element: Block = {"type": "multi_static_select", "options": options}
        return element | ({"initial_options": initial} if initial else {})
    element = {"type": "static_select", "options": options}
    return element | ({"initial_option": initial[0]} if initial else {})


def _section(text: str) -> Block:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text or "\u2013", "verbatim": True}}


def _plain(text: str, limit: int) -> Block:
    return {"type": "plain_text", "text": plain(text, limit) or "\u2013", "emoji": True}
