"""What a visit works with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from callout.incidents import Incident
    from callout.jobs import Work
    from callout.ports.provider import TicketingProvider
    from callout.sync.context import Target
    from callout.sync.links import Link
    from callout.sync.mapping import FieldMappings


@dataclass(frozen=True, slots=True)
class Visit:
    """What a visit works with: read once at its start."""

    work: Work
    account_id: str
    link: Link
    incident: Incident
    target: Target
    mappings: FieldMappings
    provider: TicketingProvider
    with_comments: bool
