"""What the pages of integrations stand on beside the management API's services: pauses, budgets, mappings, what the other side offers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

    from callout.integrations import Integration, Pauses
    from callout.ports.manifest import Manifest
    from callout.ports.ticketing import FieldCatalogue, RemoteField
    from callout.storage import Tx


@dataclass(frozen=True, slots=True)
class QuotaLeft:
    """What is left of one limit that the vendor told: `left` of `amount` calls until `ends_at`, or nothing until `blocked_until`."""

    name: str
    left: int
    amount: int
    ends_at: datetime | None
    blocked_until: datetime | None


@dataclass(frozen=True, slots=True)
class Allowed:
    """What an integration's vendor allows now, in words; until when work waits for it, why, and how many changes wait."""

    text: str
    quotas: tuple[QuotaLeft, ...] = ()
    until: datetime | None = None
    reason: str = ""
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class Offered:
    """What the other system offers a mapping: the place where tickets are made, and every field. None, or empty: it cannot tell."""

    place: FieldCatalogue | None = None
    fields: tuple[RemoteField, ...] = ()


@dataclass(frozen=True, slots=True)
class Oversight:
    """Services of the integrations' pages. `offered` asks the vendor, so it is never called inside of a transaction."""

    address: str
    """Where vendors reach us."""
    manifests: Mapping[str, Manifest]
    pauses: Pauses
    allowed: Callable[[Tx, str], Awaitable[Allowed]]
    """By integration id."""
    sync: Callable[[Integration], Mapping[str, Any]]
    """An integration's effective sync settings: its connector's own, overlaid by the operator's. Raises InvalidRequestError."""
    offered: Callable[[Integration], Awaitable[Offered]]
    """Raises ConnectorError and its kinds, after ten seconds at most."""


__all__ = ["Allowed", "Offered", "Oversight", "QuotaLeft"]
