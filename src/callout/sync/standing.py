"""How the links of an account stand, by integration: each link counts once.

One statement, and no look at the links that are at rest: they are counted in an index, and those that are not have one of their own.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from callout.jobs.backlog import at_work
from callout.sync.links import PARTITION
from callout.sync.tables import OUT_OF_STEP_POSTGRES, OUT_OF_STEP_SQLITE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from callout.storage import AccountTx, Tx

_CONFLICT: Final = "{ending} <> '\"conflicts\":{{}}}}'"
_STATEMENT: Final = (
    "WITH out_of_step AS (SELECT integration_id, CASE"
    " WHEN state IN ('stopped', 'gone') THEN 'stopped' WHEN {conflict} THEN 'in_conflict'"
    " WHEN problem IS NOT NULL THEN 'problems' ELSE 'waiting' END AS standing"
    " FROM sync_link WHERE {mine}{out}),"
    " busy AS ({busy})"
    " SELECT integration_id, 'links', count(*) FROM sync_link{where} GROUP BY integration_id"
    " UNION ALL SELECT integration_id, standing, count(*) FROM out_of_step GROUP BY integration_id, standing"
    " UNION ALL SELECT integration_id, 'waiting', count(*) FROM sync_link"
    " WHERE id IN (SELECT name FROM busy) AND {mine}NOT ({out}) GROUP BY integration_id"
)
_ENDING: Final = len('"conflicts":{}}')
_SQLITE: Final = {
    "conflict": _CONFLICT.format(ending=f"substr(merge_state, -{_ENDING})"),
    "out": OUT_OF_STEP_SQLITE,
}
_POSTGRES: Final = {
    "conflict": _CONFLICT.format(ending=f"right(merge_state, {_ENDING})"),
    "out": OUT_OF_STEP_POSTGRES,
}
_BUSY: Final = {"busy": at_work(PARTITION)}
_ALL: Final = {"mine": "", "where": "", **_BUSY}
_OF_ACCOUNT: Final = (
    _STATEMENT.format(mine="account_id = ?1 AND ", where=" WHERE account_id = ?1", **_BUSY, **_SQLITE),
    _STATEMENT.format(mine="account_id = $1 AND ", where=" WHERE account_id = $1", **_BUSY, **_POSTGRES),
)
_OF_EVERYBODY: Final = (_STATEMENT.format(**_ALL, **_SQLITE), _STATEMENT.format(**_ALL, **_POSTGRES))
_IN_CONFLICT: Final = (
    "SELECT number, title FROM incident WHERE account_id = {0} AND id IN (SELECT incident_id FROM sync_link"
    " WHERE account_id = {0} AND integration_id = {1} AND {out} AND {conflict} AND state NOT IN ('stopped', 'gone'))"
    " ORDER BY created_at DESC, id DESC LIMIT {2}"
)
_IN_CONFLICT_SQLITE: Final = _IN_CONFLICT.format("?1", "?2", "?3", **_SQLITE)
_IN_CONFLICT_POSTGRES: Final = _IN_CONFLICT.format("$1", "$2", "$3", **_POSTGRES)


@dataclass(frozen=True, slots=True)
class Standing:
    """The links of one integration: all, and of those in each standing, where a link counts for the first that holds.

    `stopped`: a person or the loop breaker ended it, or the ticket is gone. `in_conflict`: a person has to choose. `problems`: something
    failed, and says what to do. `waiting`: something is to be written, read or made. `in_step`: none of these.
    """

    integration_id: str
    links: int = 0
    in_step: int = 0
    waiting: int = 0
    in_conflict: int = 0
    problems: int = 0
    stopped: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form, without the integration."""
        found = asdict(self)
        del found["integration_id"]
        return found


async def standing_of(tx: AccountTx) -> tuple[Standing, ...]:
    """Return how the links of each integration of the account stand, for those that have any."""
    return tuple((await _standing(tx.system, *_OF_ACCOUNT, tx.account_id)).values())


async def standing_of_all(tx: Tx) -> Mapping[str, Standing]:
    """Return how the links of each integration stand, of all accounts, by its id. It looks at the index of all links."""
    return await _standing(tx, *_OF_EVERYBODY)


async def _standing(tx: Tx, sqlite: str, postgresql: str, *params: str) -> dict[str, Standing]:
    counts: dict[str, dict[str, int]] = {}
    for integration_id, standing, count in await tx.driver_all(sqlite, postgresql, params):
        of_one = counts.setdefault(integration_id, {})
        of_one[standing] = of_one.get(standing, 0) + int(count)
    found = {}
    for integration_id, of_one in sorted(counts.items()):
        links = of_one.pop("links", 0)
        found[integration_id] = Standing(integration_id, links, links - sum(of_one.values()), **of_one)
    return found


@dataclass(frozen=True, slots=True)
class InConflict:
    """An incident with a ticket about which a person has to choose."""

    key: str
    title: str


async def in_conflict_with(tx: AccountTx, integration_id: str, *, limit: int) -> tuple[InConflict, ...]:
    """Return the incidents, newest first, whose ticket in this integration has an open conflict."""
    params = (tx.account_id, integration_id, limit)
    rows = await tx.system.driver_all(_IN_CONFLICT_SQLITE, _IN_CONFLICT_POSTGRES, params)
    return tuple(InConflict(f"INC-{row[0]}", row[1]) for row in rows)
