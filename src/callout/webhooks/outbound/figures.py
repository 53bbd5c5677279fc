"""How many deliveries wait, and how endpoints stand, of all accounts. For `/metrics`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from callout.storage.schema import from_micros, micros

if TYPE_CHECKING:
    from callout.storage import Tx

_WAITING: Final = "SELECT count(*), min(created_at) FROM webhook_delivery WHERE state = 'pending'"
_ENDPOINTS: Final = (
    "SELECT state, count(*), sum(CASE WHEN open_until > {0} THEN 1 ELSE 0 END) FROM webhook_endpoint"
    " GROUP BY state ORDER BY state"
)


@dataclass(frozen=True, slots=True)
class DeliveryFigures:
    """Deliveries that wait, since when the oldest does, endpoints by state, and those whose circuit is open."""

    waiting: int
    oldest: datetime | None
    endpoints: Sequence[tuple[str, int]]
    circuits_open: int


async def delivery_figures(tx: Tx, now: datetime) -> DeliveryFigures:
    """Count the deliveries and endpoints of all accounts."""
    [(waiting, oldest)] = await tx.driver_all(_WAITING, _WAITING)
    rows = await tx.driver_all(_ENDPOINTS.format("?1"), _ENDPOINTS.format("$1"), (micros(now),))
    return DeliveryFigures(
        int(waiting),
        None if oldest is None else from_micros(oldest),
        [(row[0], int(row[1])) for row in rows],
        sum(int(row[2]) for row in rows),
    )


__all__ = ["DeliveryFigures", "delivery_figures"]
