"""What the moves to resolved and closed ask for, read from a live workflow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from callout.ports.provider import SupportsCatalogue
from callout.ports.ticketing import StatusCategory
from callout.ports.values import Status
from callout.sync.given import ENDING
from callout.sync.plan_paths import USUAL, Moves, meant

if TYPE_CHECKING:
    from callout.ports.provider import TicketingProvider
    from callout.ports.ticketing import FieldCatalogue, RemoteField, Transition
    from callout.sync.mapping import FieldMappings

MOST_CHOICES: Final = 500
MOST_FIELDS: Final = 20


@dataclass(frozen=True, slots=True)
class NeededField:
    """A field that a move asks for. `choices` are (id, name), `default` what the connector sends where nobody gives a value."""

    id: str
    label: str
    kind: str = "string"
    required: bool = False
    choices: tuple[tuple[str, str], ...] = ()
    default: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "id": self.id,
            "label": self.label,
            "kind": self.kind,
            "required": self.required,
            "choices": [list(one) for one in self.choices],
            "default": self.default,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> NeededField:
        """Read what :meth:`to_json` wrote."""
        choices = tuple((str(ident), str(name)) for ident, name in data["choices"])
        return cls(data["id"], data["label"], data["kind"], data["required"], choices, data["default"])


@dataclass(frozen=True, slots=True)
class Asked:
    """What the ways to one status ask for; `wanted` is what our status was mapped to when it was read."""

    wanted: str
    fields: tuple[NeededField, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"wanted": self.wanted, "fields": [one.to_json() for one in self.fields]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Asked:
        """Read what :meth:`to_json` wrote."""
        return cls(data["wanted"], tuple(NeededField.from_json(one) for one in data["fields"]))


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read of one place. `unread` are the statuses from which nobody could tell what follows: no ticket is in them."""

    found: Mapping[Status, Asked] = field(default_factory=dict)
    unread: tuple[str, ...] = ()


async def read_needs(mappings: FieldMappings, moves: Moves, catalogue: FieldCatalogue) -> Reading:
    """Return what the moves to each ending status ask for, from a new ticket and from one that is worked on. Raises ConnectorError."""
    if not mappings.rules("")["status"].direction.outbound or not catalogue.statuses:
        return Reading()
    starts = [await moves.start()]
    for status in (Status.ACKNOWLEDGED, Status.MITIGATED):
        names = meant(mappings.statuses[status], catalogue.statuses)
        usual = min(names, key=_usual, default="")
        if usual and usual not in starts:
            starts.append(usual)
    found: dict[Status, Asked] = {}
    unread: dict[str, None] = {}
    for status in ENDING:
        wanted = mappings.statuses[status]
        ways = [await moves.way(start, wanted) for start in starts]
        unread |= dict.fromkeys(name for way in ways if way.moves is None for name in way.unread)
        told = [move for way in ways for move in way.moves or ()]
        if told:
            found[status] = Asked(wanted, _asked(told, mappings.transition_fields.get(wanted, {})))
    return Reading(found, tuple(unread))


async def read_place(
    mappings: FieldMappings, provider: TicketingProvider, project: str, issue_type: str
) -> Reading:
    """Return what the moves ask for in one place of the live instance. Raises ConnectorError."""
    if not isinstance(provider, SupportsCatalogue):
        return Reading()
    catalogue = await provider.field_catalogue(project, issue_type)
    return await read_needs(mappings, Moves(provider, catalogue), catalogue)


def _usual(name: str) -> int:
    folded = name.casefold()
    return USUAL.index(folded) if folded in USUAL else len(USUAL)


def _asked(moves: list[Transition], given: Mapping[str, Any]) -> tuple[NeededField, ...]:
    named = {str(name).casefold() for name in given}
    found: dict[str, NeededField] = {}
    for move in moves:
        ending = move.to_category is StatusCategory.DONE
        for one in move.fields:
            wanted = one.required or (one.usual and ending) or not named.isdisjoint(_names(one))
            if not wanted:
                continue
            before = found.get(one.id)
            needed = _needed(one)
            found[one.id] = (
                needed if before is None else replace(needed, required=needed.required or before.required)
            )
    return tuple(found.values())[:MOST_FIELDS]


def _names(one: RemoteField) -> set[str]:
    return {one.id.casefold(), one.name.casefold()}


def _needed(one: RemoteField) -> NeededField:
    choices = tuple((option.id, option.name) for option in one.options[:MOST_CHOICES])
    return NeededField(one.id, one.name, one.kind, one.required, choices, one.default)


__all__ = ["Asked", "NeededField", "Reading", "read_needs", "read_place"]
