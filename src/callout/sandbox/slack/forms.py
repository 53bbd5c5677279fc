"""Interactive elements as a person uses them: what may be chosen, and the state that goes to the app."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Any

from callout.sandbox.core.twin import ActError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from callout.sandbox.slack.workspace import Workspace

# Where each kind of element keeps the person's choice.
_CHOICE_KEYS = {
    "plain_text_input": "value",
    "email_text_input": "value",
    "url_text_input": "value",
    "number_input": "value",
    "rich_text_input": "rich_text_value",
    "file_input": "files",
    "users_select": "selected_user",
    "multi_users_select": "selected_users",
    "conversations_select": "selected_conversation",
    "multi_conversations_select": "selected_conversations",
    "channels_select": "selected_channel",
    "multi_channels_select": "selected_channels",
    "datepicker": "selected_date",
    "timepicker": "selected_time",
    "datetimepicker": "selected_date_time",
}
ONE_OPTION = {"static_select", "external_select", "radio_buttons", "overflow"}
MANY_OPTIONS = {"multi_static_select", "multi_external_select", "checkboxes"}
_INITIAL_KEYS = {
    "value": "initial_value",
    "rich_text_value": "initial_value",
    "selected_user": "initial_user",
    "selected_date": "initial_date",
    "selected_time": "initial_time",
    "selected_date_time": "initial_date_time",
    "selected_channel": "initial_channel",
    "selected_conversation": "initial_conversation",
    "selected_channels": "initial_channels",
    "selected_conversations": "initial_conversations",
    "selected_users": "initial_users",
    "selected_option": "initial_option",
    "selected_options": "initial_options",
}
_PATTERNS = {
    "datepicker": (r"\d{4}-\d{2}-\d{2}", "a date such as 2026-01-31"),
    "timepicker": (r"([01]\d|2[0-3]):[0-5]\d", "a time such as 09:30"),
    "datetimepicker": (r"\d{10}", "Unix seconds"),
    "email_text_input": (r"[^@\s]+@[^@\s]+\.[^@\s]+", "an e-mail address"),
    "url_text_input": (r"https?://\S+", "an address"),
}
_LONGEST_TEXT = 3_000


def rich_text(text: str) -> dict[str, Any]:
    """Return what a person typed as Slack's composer stores it."""
    element = {"type": "text", "text": text}
    return {
        "type": "rich_text",
        "block_id": secrets.token_urlsafe(4)[:5],
        "elements": [{"type": "rich_text_section", "elements": [element]}],
    }


def elements_of(blocks: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield (block, element) for everything interactive in a list of blocks."""
    for block in blocks:
        if block.get("type") in {"actions", "context_actions"}:
            for element in block.get("elements", []):
                yield block, element
        for key in ("accessory", "element"):
            if isinstance(block.get(key), dict) and "action_id" in block[key]:
                yield block, block[key]


def initial(element: dict[str, Any]) -> dict[str, Any]:
    """Return the state of an element nobody touched."""
    kind, key = element["type"], _key(element["type"])
    empty: Any = [] if key in {"selected_options", "files"} or kind.startswith("multi_") else None
    return {"type": kind, key: element.get(_INITIAL_KEYS.get(key, ""), empty)}


def is_empty(state: dict[str, Any]) -> bool:
    """Whether an element holds nothing."""
    return not any(value for key, value in state.items() if key != "type")


def _key(kind: str) -> str:
    if kind in ONE_OPTION:
        return "selected_option"
    return "selected_options" if kind in MANY_OPTIONS else _CHOICE_KEYS.get(kind, "value")


class Chooser:
    """Chooses in elements as a person of one team; `where` is the view or message the elements are in."""

    def __init__(self, space: Workspace, where: str) -> None:
        self._space = space
        self._where = where

    def chosen(self, element: dict[str, Any], value: Any) -> dict[str, Any]:
        """Return the state after a person chose `value`. Raises ActError for what Slack would not let them do."""
        kind = element["type"]
        if kind in ONE_OPTION:
            picked = None if value is None else self._option(element, value)
            return {"type": kind, "selected_option": picked}
        if kind in MANY_OPTIONS:
            self._count(element, value or [])
            return {"type": kind, "selected_options": [self._option(element, item) for item in value or []]}
        if kind == "rich_text_input" and isinstance(value, str):
            value = rich_text(value)
        elif kind == "file_input":
            self._count(element, value or [], "max_files")
            value = [self._file(str(item)) for item in value or []]
        elif value not in (None, ""):
            self._check(element, value)
            value = str(value) if kind == "number_input" else value
        return {"type": kind, _key(kind): value}

    def _option(self, element: dict[str, Any], value: Any) -> dict[str, Any]:
        offered = [
            *(element.get("options") or []),
            *(option for group in element.get("option_groups") or [] for option in group.get("options", [])),
        ]
        if element["type"].endswith("external_select"):
            offered = self._space.suggestions.get((self._where, element["action_id"]), [])
            offered += [element["initial_option"]] if "initial_option" in element else []
        wanted = value.get("value") if isinstance(value, dict) else str(value)
        for option in offered:
            if option.get("value") == wanted:
                return dict(option)
        raise ActError(f"{element['action_id']} offers no option {wanted!r}")

    def _count(self, element: dict[str, Any], values: list[Any], limit: str = "max_selected_items") -> None:
        if len(values) > int(element.get(limit) or len(values)):
            raise ActError(f"{element['action_id']} takes no more than {element[limit]}")

    def _file(self, file_id: str) -> dict[str, Any]:
        file = self._space.files.get(file_id)
        if file is None:
            raise ActError(f"no file {file_id!r} (upload it first)")
        return file.as_json()

    def _check(self, element: dict[str, Any], value: Any) -> None:
        kind, name = element["type"], element["action_id"]
        values = value if isinstance(value, list) else [value]
        if kind in _PATTERNS:
            pattern, wanted = _PATTERNS[kind]
            if not re.fullmatch(pattern, str(value)):
                raise ActError(f"{name} takes {wanted}, not {value!r}")
        elif kind == "plain_text_input":
            self._check_length(element, str(value))
        elif kind == "number_input":
            self._check_number(element, str(value))
        elif kind.endswith("users_select"):
            known = {user.id for user in self._space.users.values() if not user.deleted}
            self._check_known(element, values, known)
        elif kind.endswith(("conversations_select", "channels_select")):
            self._check_known(element, values, set(self._space.channels))

    def _check_known(self, element: dict[str, Any], values: list[Any], known: set[str]) -> None:
        self._count(element, values)
        if not set(values) <= known:
            raise ActError(f"{element['action_id']} does not offer {sorted(set(values) - known)}")

    def _check_length(self, element: dict[str, Any], text: str) -> None:
        low, high = int(element.get("min_length") or 0), int(element.get("max_length") or _LONGEST_TEXT)
        if not low <= len(text) <= high:
            raise ActError(f"{element['action_id']} takes {low} to {high} characters, not {len(text)}")

    def _check_number(self, element: dict[str, Any], text: str) -> None:
        number = r"-?\d+(\.\d+)?" if element.get("is_decimal_allowed") else r"-?\d+"
        if not re.fullmatch(number, text):
            raise ActError(f"{element['action_id']} takes a number, not {text!r}")
        low = float(element.get("min_value") or "-inf")
        if not low <= float(text) <= float(element.get("max_value") or "inf"):
            raise ActError(f"{element['action_id']} is out of bounds: {text}")
