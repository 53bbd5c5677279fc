"""How many links are in which state, of all accounts. For `/metrics`: it looks at every link, so not every second."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from callout.storage import Tx

# As `links.in_conflict`: the conflicts stand last in a document of our own.
_LINKS: Final = (
    "SELECT state, count(*), sum(CASE WHEN merge_state LIKE '%\"conflicts\":{}}' THEN 0 ELSE 1 END)"
    " FROM sync_link GROUP BY state ORDER BY state"
)


class LinkFigures(NamedTuple):
    """Links of one state, and how many of them have a conflict that a person has to decide."""

    state: str
    links: int
    in_conflict: int


async def link_figures(tx: Tx) -> Sequence[LinkFigures]:
    """Count the links of all accounts."""
    return [LinkFigures(row[0], int(row[1]), int(row[2])) for row in await tx.driver_all(_LINKS, _LINKS)]


__all__ = ["LinkFigures", "link_figures"]
