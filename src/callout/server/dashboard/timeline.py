"""Lines of the timeline in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from callout.incidents import wording

FILTERS: Final[Mapping[str, tuple[str, ...]]] = {
    "": (),
    "changes": ("declared", "changed", "role_changed", "corrected"),
    "notes": ("noted", "message_added", "message_edited", "message_deleted", "corrected"),
    "people": (
        "joined",
        "left",
        "role_changed",
        *sorted(kind for kind in wording.KINDS if kind.startswith(("page", "escalated", "sla_"))),
    ),
    "tickets": (
        *sorted(kind for kind in wording.KINDS if kind.startswith(("ticket_", "sync_", "comment_"))),
        "file_removed_there",
    ),
}
"""What a reader may choose to see, by the word in the address."""
_CHANNELS: Final[Mapping[str, str]] = {
    "api": "by API",
    "chat": "in chat",
    "dashboard": "here",
    "cli": "by command line",
}


def shown_line(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a line as pages show it: what the API tells of it, with `words` and `way`."""
    channel = entry["channel"]
    words = wording.said(entry["kind"], entry["data"])
    return {**entry, "words": words, "way": _CHANNELS.get(channel, channel)}
