"""The services of response, together: what ways in are handed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from callout.incidents.catalogue import Catalogue
    from callout.incidents.escalation.service import Escalations
    from callout.incidents.response_settings import ResponseSettings
    from callout.incidents.sla.service import ServiceLevels


@dataclass(frozen=True, slots=True)
class Responding:
    """The catalogue, the account's documents, service levels and escalation."""

    catalogue: Catalogue
    settings: ResponseSettings
    escalations: Escalations
    levels: ServiceLevels
