"""An incident's values and one ticket, kept in step by the merge core alone: no database, no jobs, the vendor's real habits."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from callout.ports.manifest import Manifest
from callout.ports.provider import TicketingProvider
from callout.ports.ticketing import TicketPatch
from callout.sync.mapping import FieldMappings, patch_values, theirs_of
from callout.sync.merge import Base, FieldRule, LinkState, MergeResult, fold, merge
from tests.conformance.harness import Harness


def mappings_of(harness: Harness) -> FieldMappings:
    """Return what sync starts from with this provider: the defaults of its manifest, or the harness's own settings."""
    if harness.mapping is not None:
        return FieldMappings.from_settings(harness.mapping)
    kind = type(harness.provider)
    described = importlib.import_module(f"{kind.__module__.rpartition('.')[0]}.manifest")
    found = [m for m in vars(described).values() if isinstance(m, Manifest) and m.provider_class is kind]
    assert found, f"no manifest beside {kind.__name__} describes it: give the harness a mapping"
    return FieldMappings.from_settings(found[0].mapping_defaults)


@dataclass
class Pair:
    """One link. `ours` holds the synced fields that are looked at, by our names."""

    provider: TicketingProvider
    mappings: FieldMappings
    ticket_id: str
    ours: dict[str, Any]
    state: LinkState = field(default_factory=LinkState)

    @property
    def rules(self) -> Mapping[str, FieldRule]:
        """The merge rules of the mapping."""
        return self.mappings.rules("int-1")

    async def agree(self, **ours: Any) -> None:
        """Take the ticket as it is for the last agreed state, with these values of ours."""
        theirs = theirs_of(await self.provider.get_ticket(self.ticket_id))
        self.state = LinkState({name: Base(value, theirs[name]) for name, value in ours.items()})

    async def step(self) -> MergeResult:
        """Merge once, carry out what comes of it on both sides, and fold the read-back."""
        theirs = theirs_of(await self.provider.get_ticket(self.ticket_id))
        result = merge(self.state, self.ours, theirs, self.rules)
        self.state = result.state
        self.ours |= result.to_ours
        if result.to_theirs:
            asked = str(result.to_theirs.get("status", ""))
            patch = TicketPatch(
                patch_values(result.to_theirs),
                transition_fields=self.mappings.transition_fields.get(asked, {}),
            )
            back = await self.provider.patch_ticket(self.ticket_id, patch)
            self.state = fold(self.state, theirs_of(back), self.rules)
        return result

    async def is_quiet(self) -> bool:
        """Return whether another look finds nothing to write on either side."""
        result = await self.step()
        return not (result.to_ours or result.to_theirs or result.conflicts or result.overridden)
