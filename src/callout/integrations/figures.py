"""How many integrations fare how, of all accounts: three statements, however many there are. For `/metrics`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from callout.integrations.problems import LASTS
from callout.storage.schema import micros

if TYPE_CHECKING:
    from callout.storage import Tx

_STATES: Final = (
    "SELECT i.provider_type, CASE WHEN i.enabled THEN coalesce(h.state, 'unknown') ELSE 'disabled' END AS state, count(*)"
    " FROM integrations i LEFT JOIN integration_health h ON h.integration_id = i.id GROUP BY 1, 2 ORDER BY 1, 2"
)
# Each way by itself: so each is one look into the index of pauses.
_PAUSED: Final = (
    "SELECT i.provider_type, count(*) FROM integrations i WHERE i.enabled AND ("
    " EXISTS (SELECT 1 FROM pauses p WHERE p.account_id = '*' AND p.scope = 'everything' AND (p.until IS NULL OR p.until > {0}))"
    " OR EXISTS (SELECT 1 FROM pauses p WHERE p.account_id = i.account_id AND p.scope = 'everything'"
    " AND (p.until IS NULL OR p.until > {0}))"
    " OR EXISTS (SELECT 1 FROM pauses p WHERE p.account_id = i.account_id AND p.scope = 'integration' AND p.scope_id = i.id"
    " AND (p.until IS NULL OR p.until > {0}))) GROUP BY 1 ORDER BY 1"
)
_PROBLEMS: Final = (
    "SELECT i.provider_type, p.kind, p.updated_at, count(*) FROM integration_problem p"
    " JOIN integrations i ON i.id = p.integration_id AND i.enabled GROUP BY 1, 2, 3 ORDER BY 1, 2"
)


@dataclass(frozen=True, slots=True)
class IntegrationFigures:
    """Numbers of integrations: by provider and state, paused by provider, with a problem by provider and its kind."""

    states: Sequence[tuple[str, str, int]]
    paused: Sequence[tuple[str, int]]
    problems: Sequence[tuple[str, str, int]]


async def integration_figures(tx: Tx, now: datetime) -> IntegrationFigures:
    """Count the integrations of all accounts."""
    states = await tx.driver_all(_STATES, _STATES)
    paused = await tx.driver_all(_PAUSED.format("?1"), _PAUSED.format("$1"), (micros(now),))
    problems: dict[tuple[str, str], int] = {}
    for provider, kind, updated_at, count in await tx.driver_all(_PROBLEMS, _PROBLEMS):
        if _lasts(kind, updated_at, now):
            problems[provider, kind] = problems.get((provider, kind), 0) + int(count)
    return IntegrationFigures(
        [(row[0], row[1], int(row[2])) for row in states],
        [(row[0], int(row[1])) for row in paused],
        [(*name, count) for name, count in problems.items()],
    )


def _lasts(kind: str, updated_at: Any, now: datetime) -> bool:  # noqa: ANN401  # microseconds, from a driver
    return kind not in LASTS or micros(now - LASTS[kind]) < int(updated_at)


__all__ = ["IntegrationFigures", "integration_figures"]
