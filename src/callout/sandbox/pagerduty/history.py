"""The log of an incident, and the account's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callout.sandbox.pagerduty.model import LogEntry

if TYPE_CHECKING:
    from callout.sandbox.pagerduty.account import Account
    from callout.sandbox.pagerduty.model import Agent, Incident, Json, JsonObject

WEBSITE: JsonObject = {"type": "website"}
AUTO: JsonObject = {"type": "auto"}
# "the most important changes to the incident"; which those are is from memory.
_OVERVIEW = frozenset({"trigger", "acknowledge", "resolve", "reopen", "escalate", "assign", "annotate"})


def write(
    account: Account,
    incident: Incident,
    kind: str,
    agent: Agent,
    *,
    said: str,
    channel: JsonObject | None = None,
    **more: Json,
) -> LogEntry:
    """Append an entry.

    Args:
        kind: the type without `_log_entry`.
        said: the summary.
        more: further members of the entry's JSON.
    """
    entry = LogEntry(
        id=account.new_id("R"),
        type=kind,
        summary=said,
        created_at=account.moment(),
        agent=agent,
        incident=incident,
        channel=dict(channel or WEBSITE),
        overview=kind in _OVERVIEW,
        more=more,
    )
    incident.log.append(entry)
    account.log.append(entry)
    return entry
