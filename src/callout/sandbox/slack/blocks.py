"""Block Kit checking: the limits of the official type documents, explained as Slack explains them."""

from __future__ import annotations

import re
import secrets
from typing import Any

from callout.sandbox.slack.errors import SlackError

MESSAGE_BLOCKS = 50
VIEW_BLOCKS = 100
# from memory: undocumented; messages with more block text than this were seen refused (bolt-js issue 2509).
MESSAGE_BLOCK_TEXT = 13_200
MARKDOWN_TEXT = 12_000
INPUT_TEXT = 3_000

_BLOCK_TYPES = {
    "actions",
    "alert",
    "card",
    "carousel",
    "context",
    "context_actions",
    "divider",
    "file",
    "header",
    "image",
    "input",
    "markdown",
    "plan",
    "rich_text",
    "section",
    "table",
    "task_card",
    "video",
}
_SELECTS = ("static", "external", "users", "conversations", "channels")
_ELEMENT_TYPES = {
    "button",
    "checkboxes",
    "datepicker",
    "datetimepicker",
    "email_text_input",
    "feedback_buttons",
    "file_input",
    "icon_button",
    "image",
    "number_input",
    "overflow",
    "plain_text_input",
    "radio_buttons",
    "rich_text_input",
    "timepicker",
    "url_text_input",
    "workflow_button",
    *(f"{kind}_select" for kind in _SELECTS),
    *(f"multi_{kind}_select" for kind in _SELECTS),
}
_WITH_OPTIONS = {"static_select", "multi_static_select", "overflow", "radio_buttons", "checkboxes"}
_FEW_OPTIONS = {"overflow", "radio_buttons", "checkboxes"}
_NO_ACTION_ID = {"image"}
_ONLY_IN_INPUT = {
    "email_text_input",
    "file_input",
    "number_input",
    "plain_text_input",
    "rich_text_input",
    "url_text_input",
}
_NOT_IN_INPUT = {"button", "overflow", "image", "workflow_button", "icon_button", "feedback_buttons"}
_PATTERNS = {
    "initial_date": (re.compile(r"\d{4}-\d{2}-\d{2}"), "a date in YYYY-MM-DD format"),
    "initial_time": (re.compile(r"([01]\d|2[0-3]):[0-5]\d"), "a time in HH:mm format"),
}
_MOST_FILES = 10


class BlockChecker:
    """Collects Slack's messages about a list of blocks."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self._block_ids: set[str] = set()

    def check(self, blocks: Any, most: int, pointer: str) -> None:
        """Check a list of blocks that may hold at most `most`."""
        if not isinstance(blocks, list):
            self._say("must be an array", pointer)
            return
        if len(blocks) > most:
            self._say(f"no more than {most} items allowed", pointer)
        for index, block in enumerate(blocks):
            self._block(block, f"{pointer}/{index}")

    def check_options(self, options: Any, pointer: str) -> None:
        """Check the options of a menu, at most a hundred."""
        self._option_list(options, 100, pointer)

    def _say(self, text: str, pointer: str) -> None:
        self.messages.append(f"[ERROR] {text} [json-pointer:{pointer}]")

    def _block(self, block: Any, at: str) -> None:
        if not isinstance(block, dict):
            self._say("must be an object", at)
            return
        kind = block.get("type")
        if not kind:
            self._say("missing required field: type", at)
            return
        if kind not in _BLOCK_TYPES:
            self._say(f"unsupported type: {kind}", f"{at}/type")
            return
        block_id = block.get("block_id")
        self._length(block_id, 255, f"{at}/block_id")
        if block_id:
            if block_id in self._block_ids:
                self._say(f"`block_id` already exists: {block_id}", f"{at}/block_id")  # from memory
            self._block_ids.add(block_id)
        check = getattr(self, f"_{kind}", None)
        if check is not None:
            check(block, at)

    def _section(self, block: dict[str, Any], at: str) -> None:
        fields = block.get("fields")
        if block.get("text") is None and not fields:
            self._say("missing required field: text", at)
        if block.get("text") is not None:
            self._text(block["text"], 3000, f"{at}/text")
        if fields is not None:
            for index, item in enumerate(self._items(fields, 10, f"{at}/fields")):
                self._text(item, 2000, f"{at}/fields/{index}")
        if block.get("accessory") is not None:
            self._element(block["accessory"], f"{at}/accessory", without=_ONLY_IN_INPUT)

    def _header(self, block: dict[str, Any], at: str) -> None:
        self._needed_text(block, "text", 150, at, plain=True)

    def _context(self, block: dict[str, Any], at: str) -> None:
        for index, item in enumerate(self._items(block.get("elements"), 10, f"{at}/elements")):
            if isinstance(item, dict) and item.get("type") == "image":
                self._image(item, f"{at}/elements/{index}")
            else:
                self._text(item, 3000, f"{at}/elements/{index}")

    def _actions(self, block: dict[str, Any], at: str) -> None:
        seen: set[str] = set()
        for index, item in enumerate(self._items(block.get("elements"), 25, f"{at}/elements")):
            pointer = f"{at}/elements/{index}"
            self._element(item, pointer, without=_ONLY_IN_INPUT)
            action_id = item.get("action_id") if isinstance(item, dict) else None
            if action_id in seen:
                self._say(f"`action_id` already exists: {action_id}", pointer)  # from memory
            if action_id:
                seen.add(action_id)

    def _image(self, block: dict[str, Any], at: str) -> None:
        if not block.get("image_url") and not block.get("slack_file"):
            self._say("missing required field: image_url", at)
        if not block.get("alt_text"):
            self._say("missing required field: alt_text", at)
        self._length(block.get("image_url"), 3000, f"{at}/image_url")
        self._length(block.get("alt_text"), 2000, f"{at}/alt_text")

    def _input(self, block: dict[str, Any], at: str) -> None:
        self._needed_text(block, "label", 2000, at, plain=True)
        if block.get("hint") is not None:
            self._text(block["hint"], 2000, f"{at}/hint", plain=True)
        if not isinstance(block.get("element"), dict):
            self._say("missing required field: element", at)
        else:
            self._element(block["element"], f"{at}/element", without=_NOT_IN_INPUT)

    def _markdown(self, block: dict[str, Any], at: str) -> None:
        if not block.get("text"):
            self._say("missing required field: text", at)
        self._length(block.get("text"), MARKDOWN_TEXT, f"{at}/text")

    def _table(self, block: dict[str, Any], at: str) -> None:
        for index, row in enumerate(self._items(block.get("rows"), 100, f"{at}/rows")):
            self._items(row, 20, f"{at}/rows/{index}")

    def _element(self, element: Any, at: str, *, without: set[str]) -> None:
        if not isinstance(element, dict):
            self._say("must be an object", at)
            return
        kind = element.get("type")
        if kind not in _ELEMENT_TYPES or kind in without:
            self._say(f"unsupported type: {kind}", f"{at}/type")
            return
        if kind == "image":
            self._image(element, at)
            return
        self._length(element.get("action_id"), 255, f"{at}/action_id")
        if element.get("placeholder") is not None:
            self._text(element["placeholder"], 150, f"{at}/placeholder", plain=True)
        if element.get("confirm") is not None:
            self._confirm(element["confirm"], f"{at}/confirm")
        if kind == "button":
            self._button(element, at)
        if kind in _WITH_OPTIONS:
            self._options(element, kind, at)
        self._numbers(element, kind, at)
        for key, (pattern, wanted) in _PATTERNS.items():
            if element.get(key) is not None and not pattern.fullmatch(str(element[key])):
                self._say(f"must be {wanted}", f"{at}/{key}")  # from memory: the words

    def _button(self, button: dict[str, Any], at: str) -> None:
        self._needed_text(button, "text", 75, at, plain=True)
        self._length(button.get("value"), 2000, f"{at}/value")
        self._length(button.get("url"), 3000, f"{at}/url")
        if button.get("style") not in {None, "primary", "danger"}:
            self._say("unsupported value for style", f"{at}/style")

    def _numbers(self, element: dict[str, Any], kind: str, at: str) -> None:
        longest, files = element.get("max_length"), element.get("max_files")
        if kind == "plain_text_input" and isinstance(longest, int) and longest > INPUT_TEXT:
            self._say(f"must be less than {INPUT_TEXT + 1}", f"{at}/max_length")
        if kind == "file_input" and isinstance(files, int) and not 1 <= files <= _MOST_FILES:
            self._say(f"must be less than {_MOST_FILES + 1}", f"{at}/max_files")
        if kind == "number_input" and not isinstance(element.get("is_decimal_allowed"), bool):
            self._say("missing required field: is_decimal_allowed", at)

    def _options(self, element: dict[str, Any], kind: str, at: str) -> None:
        groups = element.get("option_groups")
        if groups is not None:
            for index, group in enumerate(self._items(groups, 100, f"{at}/option_groups")):
                self._option_list(group.get("options"), 100, f"{at}/option_groups/{index}/options")
            return
        self._option_list(element.get("options"), 10 if kind in _FEW_OPTIONS else 100, f"{at}/options")

    def _option_list(self, options: Any, most: int, at: str) -> None:
        for index, option in enumerate(self._items(options, most, at)):
            if not isinstance(option, dict):
                self._say("must be an object", f"{at}/{index}")
                continue
            self._needed_text(option, "text", 75, f"{at}/{index}")
            # from memory: 75 in the newer type documents, 150 in the Python SDK's own check; Slack takes 150.
            self._length(option.get("value"), 150, f"{at}/{index}/value")
            if option.get("description") is not None:
                self._text(option["description"], 75, f"{at}/{index}/description")

    def _confirm(self, confirm: Any, at: str) -> None:
        if not isinstance(confirm, dict):
            self._say("must be an object", at)
            return
        for key, most in (("title", 100), ("text", 300), ("confirm", 30), ("deny", 30)):
            if confirm.get(key) is not None:
                self._text(confirm[key], most, f"{at}/{key}")

    def _items(self, items: Any, most: int, at: str) -> list[Any]:
        if not isinstance(items, list) or not items:
            self._say("must be an array with at least 1 item", at)
            return []
        if len(items) > most:
            self._say(f"no more than {most} items allowed", at)
        return items

    def _needed_text(
        self, holder: dict[str, Any], key: str, most: int, at: str, *, plain: bool = False
    ) -> None:
        if holder.get(key) is None:
            self._say(f"missing required field: {key}", at)
        else:
            self._text(holder[key], most, f"{at}/{key}", plain=plain)

    def _text(self, value: Any, most: int, at: str, *, plain: bool = False) -> None:
        if not isinstance(value, dict):
            self._say("must be an object", at)
            return
        allowed = {"plain_text"} if plain else {"plain_text", "mrkdwn"}
        if value.get("type") not in allowed:
            self._say(f"must provide a {' or '.join(sorted(allowed))} object", f"{at}/type")
        text = value.get("text")
        if not isinstance(text, str) or not text:
            self._say("must be more than 0 characters", f"{at}/text")
        else:
            self._length(text, most, f"{at}/text")

    def _length(self, value: Any, most: int, at: str) -> None:
        if isinstance(value, str) and len(value) > most:
            self._say(f"must be less than {most + 1} characters", at)


def check_message_blocks(blocks: Any) -> list[dict[str, Any]]:
    """Return blocks ready to store. Raises SlackError `invalid_blocks*` or `msg_blocks_too_long`."""
    if not isinstance(blocks, list):
        raise SlackError("invalid_blocks_format")
    checker = BlockChecker()
    checker.check(blocks, MESSAGE_BLOCKS, "/blocks")
    if checker.messages:
        raise SlackError("invalid_blocks", response_metadata={"messages": checker.messages})
    if _text_size(blocks) > MESSAGE_BLOCK_TEXT:
        raise SlackError("msg_blocks_too_long")
    return [completed(block) for block in blocks]


def checked_options(body: Any) -> tuple[list[dict[str, Any]], str | None]:
    """Return the options of an answer to `block_suggestion`, groups flattened, and what is wrong with it."""
    if not isinstance(body, dict) or ("options" in body) == ("option_groups" in body):
        return [], "the answer has neither options nor option_groups"
    groups = body["option_groups"] if "option_groups" in body else [{"options": body["options"]}]
    checker = BlockChecker()
    options: list[dict[str, Any]] = []
    for index, group in enumerate(groups if isinstance(groups, list) else []):
        found = group.get("options") if isinstance(group, dict) else None
        if found != []:  # nothing found is a fine answer
            checker.check_options(found, f"/option_groups/{index}/options")
            options += [_with_defaults(option) for option in found or [] if isinstance(option, dict)]
    return ([], "; ".join(checker.messages)) if checker.messages else (options, None)


def completed(block: dict[str, Any]) -> dict[str, Any]:
    """Return a block with what Slack adds when storing it: a `block_id`, `action_id`s, text defaults."""
    filled: dict[str, Any] = _with_defaults(block)
    filled.setdefault("block_id", secrets.token_urlsafe(4)[:5])
    return filled


def _with_defaults(node: Any) -> Any:
    if isinstance(node, list):
        return [_with_defaults(item) for item in node]
    if not isinstance(node, dict):
        return node
    filled = {key: _with_defaults(value) for key, value in node.items()}
    kind = filled.get("type")
    if kind == "plain_text":
        filled.setdefault("emoji", True)
    elif kind == "mrkdwn":
        filled.setdefault("verbatim", False)
    elif kind in _ELEMENT_TYPES - _NO_ACTION_ID:
        filled.setdefault("action_id", secrets.token_urlsafe(4)[:5])
    return filled


def _text_size(node: Any) -> int:
    if isinstance(node, list):
        return sum(_text_size(item) for item in node)
    if isinstance(node, dict):
        own = len(node["text"]) if isinstance(node.get("text"), str) else 0
        return own + sum(_text_size(value) for value in node.values() if not isinstance(value, str))
    return 0
