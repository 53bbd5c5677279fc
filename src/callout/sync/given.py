"""What a person gave for a ticket's next move to done: kept with the link, sent over the settings' own, gone when the move was made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from callout.ports.values import Status
from callout.sync import links
from callout.sync.mapping import FieldMappings

if TYPE_CHECKING:
    from callout.storage import AccountTx
    from callout.sync.merge import FieldRule

ENDING: Final = (Status.RESOLVED, Status.CLOSED)
"""The statuses whose moves a person may give fields for."""


def sent_fields(mappings: FieldMappings, wanted: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields to send with the move to `wanted` (theirs): those of the settings, and over them those a person gave."""
    fields = dict(mappings.transition_fields.get(wanted, {}))
    if not given or wanted not in {mappings.statuses[status] for status in ENDING}:
        return fields
    folded = {name.casefold() for name in given}
    return {name: value for name, value in fields.items() if name.casefold() not in folded} | dict(given)


def is_over(status: Status, theirs: str, rule: FieldRule) -> bool:
    """Return whether what was given has no move to go with: the incident goes on, or its ticket is there already."""
    return status not in ENDING or bool(rule.same(status.value, theirs))


async def of_link(tx: AccountTx, link_id: str) -> Mapping[str, Any]:
    """Return what is given for a link now, by field."""
    return (await links.load(tx, link_id)).given


__all__ = ["ENDING", "is_over", "of_link", "sent_fields"]
