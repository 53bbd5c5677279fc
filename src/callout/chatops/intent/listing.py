"""`list`: of which severity, status, service, whose, since when. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, Final

from callout.chatops.intent import questions as q
from callout.chatops.intent.asked import period_of, service_named
from callout.chatops.intent.items import Item, Reading
from callout.chatops.intent.parts import Part
from callout.chatops.intent.remarks import unknown
from callout.chatops.intent.values import Intent


def list_asked(part: Part, text: str, whole: str, *, reading: Reading) -> Intent | None:
    """Return the `list` that is asked for, or None."""
    if not (q.LIST.search(text) or q.LIST_ALONE.fullmatch(whole)):
        return None
    if text.startswith(("we ", "they ", "the ")) or (
        " were " in text and not text.startswith(("how ", "which ", "what ", "were "))
    ):
        return None
    kinds = [item.kind for item in part.items]
    filters: dict[str, Any] = {}
    if q.OPEN_WORDS & set(kinds) or ("not" in kinds and {"closed", "resolved"} & set(kinds)):
        filters["open"] = True
    if status := _status_asked(kinds):
        filters.pop("open", None)
        filters["status"] = status
    if q.MINE.search(
        text.replace("show me", "")
        .replace("tell me", "")
        .replace("give me", "")
        .replace("get me", "")
        .replace("bring me", "")
        .replace("find me", "")
    ):
        filters["mine"] = True
    severities = list(dict.fromkeys(item.value for item in part.items if item.kind in {"SEV", "LEVEL"}))
    if len(severities) == 1:
        filters["severity"] = severities[0]
    filters.update(period_of(part.items))
    filters.update(service_named(part.items, reading) or _service_of_a_list(part.items, reading))
    return Intent("list", {"filters": filters})


_NOT_ACKED: Final = frozenset({"unacked", "unacknowledged"})


def _status_asked(kinds: Sequence[str]) -> str:
    """Return the one status that is asked for: `list mitigated ones`, `anything not acked`."""
    found = {kind for kind in kinds if kind in _LISTED}
    if len(found) != 1:
        return "unacknowledged" if _NOT_ACKED & set(kinds) and not found else ""
    (status,) = found
    if "not" not in kinds:
        return _LISTED[status]
    return "unacknowledged" if status == "acked" else ""


_LISTED: Final = {
    "acked": "acknowledged",
    "mitigated": "mitigated",
    "resolved": "resolved",
    "closed": "closed",
}


def _service_of_a_list(items: Sequence[Item], reading: Reading) -> dict[str, Any]:
    """Return the service that the incidents are on: `incidents on payments-api`, a word that means nothing else."""
    for item, following in itertools.pairwise(items):
        if (
            item.kind in {"on", "for", "of", "affecting", "with", "at"}
            and unknown([following])
            and following.value == ""
        ):
            return {"service": reading.text(following.start, following.end)}
    return {}
