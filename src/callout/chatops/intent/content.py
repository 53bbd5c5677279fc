"""Commands whose last slot is free text: declare, task, note, title.

What leads to the text is read strictly; the text is kept as it was written, whatever it says.
"""

from __future__ import annotations

from callout.chatops.intent.courtesy import Core
from callout.chatops.intent.cursor import Cursor
from callout.chatops.intent.declaring import declare
from callout.chatops.intent.finishing import finished
from callout.chatops.intent.items import Reading
from callout.chatops.intent.naming import with_names_after
from callout.chatops.intent.noting import note
from callout.chatops.intent.tasking import task, task_said_first
from callout.chatops.intent.ticking import ticked
from callout.chatops.intent.titling import title
from callout.chatops.intent.values import Ask, Hearing, Intent


def content_of(core: Core, reading: Reading, hearing: Hearing) -> Intent | Ask | None:
    """Return what a phrase of these commands means, or None when it is none of them."""
    if (done := finished(core, reading) or ticked(core, reading)) is not None:
        return done
    cursor = Cursor(core.items)
    incident = _incident_before(cursor)
    _wanting(cursor)
    for read in (declare, task, note, title):
        items = with_names_after(core.items, reading) if read is task else core.items
        branch = Cursor(items, cursor.at)
        if (found := read(branch, incident, core, reading, hearing)) is not None:
            return found
    return task_said_first(core, reading)


def _incident_before(cursor: Cursor) -> str:
    """Step over `INC-4:` or `on INC-4,` before the command; return the key."""
    start = cursor.at
    there, key = cursor.pointing()
    if not there or not key:
        cursor.at = start
        return ""
    cursor.skip({":", ",", "-", "please", "."})
    return key


def _wanting(cursor: Cursor) -> None:
    """Step over `I need` and `we want` before a thing (`we need a task on INC-4: …`)."""
    if cursor.kind() == "needs" and cursor.at:
        cursor.at += 1
    if cursor.kind() in {"i", "we"} and cursor.kind(1) in {"need", "want"}:
        ahead = 2
        while cursor.kind(ahead) in {"a", "an", "new", "the", "another"}:
            ahead += 1
        if cursor.kind(ahead) in {"task", "note", "SEV", "incident"} or (
            cursor.kind(ahead) == "AUD" and cursor.kind(ahead + 1) == "note"
        ):
            cursor.at += 1
