"""How each integration fares: state, last success and failure, the last error in words with the next step,
counters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import orjson
from sqlalchemy import select

from callout.integrations.history import History
from callout.integrations.problems import IntegrationProblem, Problems
from callout.integrations.tables import integration_health, integrations
from callout.kit.clock import Clock
from callout.kit.redaction import redact_text
from callout.ports.errors import AuthFailedError, CalloutError, NotFoundError, PermissionDeniedError
from callout.storage import AccountTx, Tx
from callout.storage.schema import micros
from callout.storage.upsert import insert_or_ignore

FAILED_AFTER: Final = 3
"""So many failures in a row make an integration `failed`; refused credentials do at once."""
_MAX_ERROR: Final = 500
_STILL_WELL: Final = (
    "{first}UPDATE integration_health SET requests = requests + fared.calls, last_success = {now}, updated_at = {now},"
    " consecutive_failures = 0 FROM {fared} WHERE integration_health.integration_id = fared.integration_id"
    " AND integration_health.account_id = fared.account_id AND state = 'ok'"
    " RETURNING integration_health.account_id, integration_health.integration_id"
)
_STILL_WELL_SQLITE: Final = _STILL_WELL.format(
    first="",
    now="?1",
    fared="(SELECT json_extract(value, '$[0]') AS account_id, json_extract(value, '$[1]') AS integration_id,"
    " json_extract(value, '$[2]') AS calls FROM json_each(?2)) AS fared",
)
_STILL_WELL_POSTGRES: Final = _STILL_WELL.format(
    # The rows are locked in the order of their ids first, since other processes write them, too.
    first="WITH fared AS MATERIALIZED (SELECT given.* FROM unnest($2::text[], $3::text[], $4::bigint[])"
    " AS given(account_id, integration_id, calls) JOIN integration_health AS held USING (account_id, integration_id)"
    " ORDER BY integration_id FOR UPDATE OF held) ",
    now="$1::bigint",
    fared="fared",
)


class HealthState(StrEnum):
    """How an integration fares."""

    OK = "ok"
    DEGRADED = "degraded"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class HealthRecord:
    """The health of one integration. `last_error` stays after a success, as history.

    With a problem of the integration as a whole the state is not `ok`, though every call succeeds.
    """

    integration_id: str
    account_id: str
    state: HealthState
    consecutive_failures: int
    requests: int
    failed: int
    created_at: datetime
    updated_at: datetime
    last_success: datetime | None = None
    last_failure: datetime | None = None
    last_error: str | None = None
    error_code: str | None = None
    next_step: str | None = None
    last_webhook: datetime | None = None
    problems: tuple[IntegrationProblem, ...] = ()

    def with_problems(self, problems: Sequence[IntegrationProblem]) -> HealthRecord:
        """Return the record with what is wrong with the integration as a whole."""
        well = self.state in {HealthState.OK, HealthState.UNKNOWN}
        state = HealthState.DEGRADED if problems and well else self.state
        return replace(self, problems=tuple(problems), state=state)


@dataclass(frozen=True, slots=True)
class Fared:
    """So many calls to an integration's other system, all of which went well."""

    account_id: str
    integration_id: str
    requests: int


class Health:
    """Keeps the health of integrations. Callers with many requests report them together: `requests`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._problems = Problems(clock)
        self._history = History(clock)

    async def succeeded(self, tx: AccountTx, integration_id: str, *, requests: int = 1) -> None:
        """Note that the vendor answered as it should."""
        row = await self._row(tx, integration_id)
        if row is None:
            return
        now = self._clock.now()
        await self._history.count(tx, integration_id, succeeded=requests, failed=0)
        if row.state is not HealthState.OK:
            known = row.requests + requests
            await self._history.note(
                tx, integration_id, state=HealthState.OK.value, requests=known, error=None
            )
        await self._write(
            tx,
            integration_id,
            state=HealthState.OK.value,
            last_success=now,
            consecutive_failures=0,
            requests=integration_health.c.requests + requests,
            updated_at=now,
        )

    async def still_well(self, tx: Tx, fared: Sequence[Fared]) -> frozenset[str]:
        """Note the calls of the integrations that are `ok` already, of whatever account, all at once; return which these are.

        The others want `succeeded` or `failed`, one by one: their state changes.
        """
        if not fared:
            return frozenset()
        columns = [
            [getattr(one, name) for one in fared] for name in ("account_id", "integration_id", "requests")
        ]
        rows = list(zip(*columns, strict=True))
        now = micros(self._clock.now())
        given = [orjson.dumps(rows).decode()] if tx.dialect == "sqlite" else columns
        well = await tx.driver_all(_STILL_WELL_SQLITE, _STILL_WELL_POSTGRES, (now, *given))
        places = {(account_id, integration_id) for account_id, integration_id in well}
        await self._history.count_all(tx, [row for row in rows if row[:2] in places])
        return frozenset(integration_id for _, integration_id in places)

    async def failed(
        self, tx: AccountTx, integration_id: str, error: CalloutError, *, requests: int = 1, failed: int = 1
    ) -> None:
        """Note that the vendor refused, failed or could not be reached; the words of `error` are kept without
        secrets.
        """
        row = await self._row(tx, integration_id)
        if row is None:
            return
        now, in_a_row = self._clock.now(), row.consecutive_failures + 1
        # These do not heal by themselves, so one is enough.
        needs_operator = isinstance(error, (AuthFailedError, PermissionDeniedError))
        state = HealthState.FAILED if needs_operator or in_a_row >= FAILED_AFTER else HealthState.DEGRADED
        message = redact_text(error.message)[:_MAX_ERROR]
        await self._history.count(tx, integration_id, succeeded=max(0, requests - failed), failed=failed)
        if (row.state, row.last_error) != (state, message):
            known = row.requests + requests
            await self._history.note(tx, integration_id, state=state.value, requests=known, error=message)
        await self._write(
            tx,
            integration_id,
            state=state.value,
            last_failure=now,
            last_error=message,
            error_code=error.code,
            next_step=redact_text(error.remediation)[:_MAX_ERROR],
            consecutive_failures=in_a_row,
            requests=integration_health.c.requests + requests,
            failed=integration_health.c.failed + failed,
            updated_at=now,
        )

    async def webhook_received(self, tx: AccountTx, integration_id: str) -> None:
        """Note that the vendor's webhook arrived."""
        if await self._row(tx, integration_id) is not None:
            await self._write(tx, integration_id, last_webhook=self._clock.now())

    async def get(self, tx: AccountTx, integration_id: str) -> HealthRecord:
        """Return the health of an integration; `unknown` before anything happened. Raises NotFoundError."""
        problems = (await self._problems.of_account(tx)).get(integration_id, ())
        row = await self._row(tx, integration_id, make=False)
        if row is not None:
            return row.with_problems(problems)
        made = await tx.scalar(
            tx.select(integrations.c.created_at).where(integrations.c.id == integration_id)
        )
        if made is None:
            raise NotFoundError(f"there is no integration {integration_id!r}")
        unknown = HealthRecord(integration_id, tx.account_id, HealthState.UNKNOWN, 0, 0, 0, made, made)
        return unknown.with_problems(problems)

    async def list(self, tx: AccountTx) -> Sequence[HealthRecord]:
        """Return the health of every integration of the account that ever did something."""
        query = tx.select(integration_health).order_by(integration_health.c.integration_id)
        problems = await self._problems.of_account(tx)
        return [
            _record(row).with_problems(problems.get(row["integration_id"], ())) for row in await tx.all(query)
        ]

    async def list_all(self, tx: Tx, *, among: frozenset[str] | None = None) -> Sequence[HealthRecord]:
        """Return the health of integrations of all accounts, or of those in `among`."""
        query = select(integration_health).order_by(
            integration_health.c.account_id, integration_health.c.integration_id
        )
        return [_record(row) for row in await tx.all(query) if among is None or row["account_id"] in among]

    async def reset(self, tx: AccountTx, integration_id: str) -> None:
        """Forget counters and errors; the state is unknown again. Raises NotFoundError."""
        await self.get(tx, integration_id)
        await tx.execute(
            tx.delete(integration_health).where(integration_health.c.integration_id == integration_id)
        )
        await self._history.forget(tx, integration_id)

    async def _row(self, tx: AccountTx, integration_id: str, *, make: bool = True) -> HealthRecord | None:
        """Return the row, locked and made when `make`; None for an integration that is not the account's."""
        query = tx.select(integration_health).where(integration_health.c.integration_id == integration_id)
        row = await tx.one(query.with_for_update() if make else query)
        if row is not None or not make:
            return None if row is None else _record(row)
        found = await tx.scalar(tx.select(integrations.c.id).where(integrations.c.id == integration_id))
        if found is None:
            return None
        now = self._clock.now()
        first = {
            "integration_id": integration_id,
            "account_id": tx.account_id,
            "state": HealthState.UNKNOWN.value,
            "consecutive_failures": 0,
            "requests": 0,
            "failed": 0,
            "created_at": now,
            "updated_at": now,
        }
        await tx.system.execute(insert_or_ignore(tx.system, integration_health, first))
        row = await tx.one(query.with_for_update())
        return None if row is None else _record(row)

    async def _write(self, tx: AccountTx, integration_id: str, **values: Any) -> None:  # noqa: ANN401  # columns
        await tx.execute(
            tx.update(integration_health)
            .where(integration_health.c.integration_id == integration_id)
            .values(**values),
        )


def _record(row: Any) -> HealthRecord:  # noqa: ANN401
    return HealthRecord(**{**row, "state": HealthState(row["state"])})
