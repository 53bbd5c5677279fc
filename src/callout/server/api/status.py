"""REST for how integrations fare: state, counters, changes of state, and calls by the hour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field

from callout.access import Account, Listed
from callout.access.listing import apply
from callout.integrations import HealthRecord, Integration, StatusEvent, Usage
from callout.ports.errors import InvalidRequestError
from callout.server.api.accounts import KNOWN as ACCOUNT_FIELDS
from callout.server.api.accounts import AccountOut, account_out
from callout.server.api.integration_models import KNOWN as INTEGRATION_FIELDS
from callout.server.api.integration_models import IntegrationOut, integration_out
from callout.server.listings import ListQuery, below, expansions, list_query
from callout.server.manage import ERRORS, AccountName, IntegrationName, Office, ThisErrand, without_nulls
from callout.storage import AccountTx
from callout.sync.standing import Standing, standing_of
from callout.ticketing.errors import InvalidCursorError

router = APIRouter(prefix="/v1/status", tags=["status"], responses=ERRORS)
_COUNTERS: Final = frozenset({"requests", "failed", "cpu_time", "db_ops", "api_ops", "in_bytes", "out_bytes"})
_FIELDS: Final = frozenset({"account_id", "integration_id", "status", "created_at", "updated_at"}) | _COUNTERS
_EVENT_FIELDS: Final = frozenset({"account_id", "integration_id", "created_at", "status", "request", "error"})
_EXPANDS: Final = {
    "account": "account",
    "accounts": "account",
    "integration": "integration",
    "integrations": "integration",
}
_SHOWN: Final = timedelta(hours=24)


class TicketsOut(BaseModel):
    """The tickets linked with incidents: all, and how they stand, each counted once."""

    links: int
    in_step: int
    waiting: int = Field(description="Something is to be written, read or made.")
    in_conflict: int = Field(description="A person has to choose.")
    problems: int = Field(description="Something failed; the incident says what to do.")
    stopped: int = Field(description="Ended by a person or the loop breaker, or the ticket is gone.")


class StatusOut(BaseModel):
    """How an integration fares. `requests`, `failed` and `api_ops` count calls to the provider; the rest is not measured and 0."""

    created_at: datetime
    updated_at: datetime
    account_id: str
    integration_id: str
    status: Literal["ok", "degraded", "failed", "unknown"]
    requests: int
    failed: int
    cpu_time: int
    db_ops: int
    api_ops: int
    in_bytes: int
    out_bytes: int
    tickets: TicketsOut | None = None
    account: AccountOut | None = None
    integration: IntegrationOut | None = None


class OneStatus(BaseModel):
    """A status."""

    result: StatusOut


class ManyStatus(BaseModel):
    """Status of integrations."""

    result: list[StatusOut]


class StatusEventOut(BaseModel):
    """A change of state; `request` is how many calls had been made by then."""

    account_id: str
    integration_id: str
    created_at: datetime
    status: Literal["ok", "degraded", "failed", "unknown"]
    request: int
    error: str | None = None


class ManyStatusEvents(BaseModel):
    """Changes of state."""

    result: list[StatusEventOut]


class HourOut(BaseModel):
    """Calls to the provider within one interval."""

    created_at: datetime
    succeeded: int
    failed: int
    cpu_time: int
    in_bytes: int
    out_bytes: int


class SeriesResult(BaseModel):
    """Calls over the last 24 hours; hours without any are there with zeros."""

    start_time: datetime
    end_time: datetime
    interval: Literal["hour"]
    series: list[HourOut]


class Series(BaseModel):
    """A time series."""

    result: SeriesResult


def status_out(record: HealthRecord, standing: Standing | None = None) -> dict[str, Any]:
    """Return a health record as the API shows it, with how the tickets of the integration stand where it has some."""
    return ({} if standing is None else {"tickets": standing.to_json()}) | {
        "created_at": record.created_at,
        "updated_at": record.updated_at,
        "account_id": record.account_id,
        "integration_id": record.integration_id,
        "status": record.state.value,
        "requests": record.requests,
        "failed": record.failed,
        "cpu_time": 0,
        "db_ops": 0,
        "api_ops": record.requests,
        "in_bytes": 0,
        "out_bytes": 0,
    }


def _event_out(event: StatusEvent) -> dict[str, Any]:
    return without_nulls(
        {
            "account_id": event.account_id,
            "integration_id": event.integration_id,
            "created_at": event.created_at,
            "status": event.state,
            "request": event.requests,
            "error": event.error,
        }
    )


def _series_out(usage: Sequence[Usage], start: datetime, end: datetime) -> dict[str, Any]:
    known = {one.hour: one for one in usage}
    series = []
    hour = start
    while hour <= end:
        one = known.get(hour, Usage(hour, 0, 0))
        series.append(
            {
                "created_at": hour,
                "succeeded": one.succeeded,
                "failed": one.failed,
                "cpu_time": 0,
                "in_bytes": 0,
                "out_bytes": 0,
            }
        )
        hour += timedelta(hours=1)
    return {"result": {"start_time": start, "end_time": end, "interval": "hour", "series": series}}


@router.get(
    "", response_model=ManyStatus, response_model_exclude_none=True, summary="List the status of integrations"
)
async def listing(
    errand: ThisErrand,
    query: Annotated[ListQuery, Depends(list_query)],
    expand: Annotated[
        list[str] | None,
        Query(description="`account`, `integration` or `all`: put the object beside its id."),
    ] = None,
) -> Response:
    """List how all integrations fare that the token opens. `start_after` is `account_id,integration_id` of the last one seen."""

    async def unit(office: Office) -> Mapping[str, Any]:
        office.require("status.read")
        office.require("integration.read")
        wanted = expansions(expand, _EXPANDS)
        among = office.caller.account_ids
        every = (await office.manage.integrations.list_all(office.tx, among=among)).items
        records = await _records(office, every)
        integrations = {one.id: one for one in every} if "integration" in wanted else {}
        accounts: dict[str, Account] = {}
        if "account" in wanted:
            listed = await office.manage.accounts.list(office.tx, among=among)
            accounts = {one.id: one for one in listed.items}
        page = _page(records, query, accounts, integrations)
        standing: dict[str, Standing] = {}
        for account_id in sorted({one.account_id for one in page.items}):
            of_account = await standing_of(office.tx.account(account_id))
            standing |= {one.integration_id: one for one in of_account}
        return {
            "result": [
                _expanded(one, accounts, integrations, standing.get(one.integration_id)) for one in page.items
            ]
        }

    return await errand.read(unit)


async def _records(office: Office, integrations: Sequence[Integration]) -> list[HealthRecord]:
    by_account: dict[str, list[Integration]] = {}
    for one in integrations:
        by_account.setdefault(one.account_id, []).append(one)
    records = []
    for account_id in sorted(by_account):
        mine = office.tx.account(account_id)
        known = {one.integration_id: one for one in await office.manage.health.list(mine)}
        records += [
            known.get(one.id) or await office.manage.health.get(mine, one.id)
            for one in sorted(by_account[account_id], key=lambda one: one.id)
        ]
    return records


def _page(
    records: Sequence[HealthRecord],
    query: ListQuery,
    accounts: Mapping[str, Account],
    integrations: Mapping[str, Integration],
) -> Listed[HealthRecord]:
    known = _FIELDS
    known |= below("account", ACCOUNT_FIELDS) if accounts else frozenset()
    known |= below("integration", INTEGRATION_FIELDS) if integrations else frozenset()
    default = (("account_id,integration_id", False),)
    listing = query.listing(known, default=default)
    if query.order and listing.start_after is not None:
        raise InvalidCursorError(
            "start_after goes with the default order, by account and integration",
            fields={"start_after": "only without order"},
        )

    def fields(one: HealthRecord) -> dict[str, Any]:
        values = status_out(one)
        values["account_id,integration_id"] = f"{one.account_id},{one.integration_id}"
        values["id"] = one.integration_id
        for prefix, names, whole in (
            ("account", ACCOUNT_FIELDS, accounts.get(one.account_id)),
            ("integration", INTEGRATION_FIELDS, integrations.get(one.integration_id)),
        ):
            if whole is not None:
                values |= {f"{prefix}.{name}": getattr(whole, name) for name in names}
        return values

    return apply(records, listing, fields)


def _expanded(
    record: HealthRecord,
    accounts: Mapping[str, Account],
    integrations: Mapping[str, Integration],
    standing: Standing | None,
) -> dict[str, Any]:
    account, integration = accounts.get(record.account_id), integrations.get(record.integration_id)
    return status_out(record, standing) | without_nulls(
        {
            "account": None if account is None else account_out(account),
            "integration": None if integration is None else integration_out(integration),
        }
    )


async def _standing(tx: AccountTx, integration_id: str) -> Standing | None:
    return next((one for one in await standing_of(tx) if one.integration_id == integration_id), None)


@router.get("/timeseries", response_model=Series, summary="Read calls by the hour")
async def timeseries(errand: ThisErrand) -> Response:
    """Read how many calls to providers succeeded and failed in each of the last 24 hours, all integrations together."""

    async def unit(office: Office) -> Mapping[str, Any]:
        office.require("status.read")
        start, end = _span(errand.services.clock.now())
        found = await office.manage.history.usage(office.tx, since=start, among=office.caller.account_ids)
        return _series_out(found, start, end)

    return await errand.read(unit)


def _span(now: datetime) -> tuple[datetime, datetime]:
    end = now.replace(minute=0, second=0, microsecond=0)
    return end - _SHOWN, end


@router.get("/{account}/{integration}", response_model=OneStatus, summary="Read the status of an integration")
async def read(account: AccountName, integration: IntegrationName, errand: ThisErrand) -> Response:
    """Read how one integration fares."""

    async def unit(office: Office) -> Mapping[str, Any]:
        mine = await office.within(account, "status.read")
        one = await office.manage.integrations.get(mine, integration)
        health = await office.manage.health.get(mine, one.id)
        return {"result": status_out(health, await _standing(mine, one.id))}

    return await errand.read(unit)


@router.put("/{account}/{integration}", status_code=204, summary="Reset the status of an integration")
async def reset(account: AccountName, integration: IntegrationName, errand: ThisErrand) -> Response:
    """Forget counters, errors and history; the state is unknown until the next call."""

    async def unit(office: Office) -> None:
        mine = await office.within(account, "status.write")
        one = await office.manage.integrations.get(mine, integration)
        await office.manage.health.reset(mine, one.id)
        await office.manage.audit.record(
            mine,
            action="integration.status_reset",
            actor=office.caller.actor,
            origin=office.origin,
            subject_type="integration",
            subject_id=one.id,
            integration_id=one.id,
        )

    return await errand.write(unit)


@router.get(
    "/{account}/{integration}/events",
    response_model=ManyStatusEvents,
    response_model_exclude_none=True,
    summary="List changes of state",
)
async def events(
    account: AccountName,
    integration: IntegrationName,
    errand: ThisErrand,
    query: Annotated[ListQuery, Depends(list_query)],
) -> Response:
    """List when the state of an integration or its reason changed, by time; `start_after` is the `created_at` of the last one seen."""
    listing = query.listing(_EVENT_FIELDS, default=(("created_at", False),))
    if listing.order[0][0] != "created_at":
        raise InvalidRequestError(
            "changes of state are ordered by created_at",
            fields={"order": "created_at[asc] or created_at[desc]"},
        )

    async def unit(office: Office) -> Mapping[str, Any]:
        mine = await office.within(account, "status.read")
        one = await office.manage.integrations.get(mine, integration)
        found = await office.manage.history.events(mine, one.id)
        page = apply(
            found,
            listing,
            lambda event: {**dict.fromkeys(_EVENT_FIELDS), **_event_out(event), "id": event.id},
        )
        return {"result": [_event_out(event) for event in page.items]}

    return await errand.read(unit)


@router.get(
    "/{account}/{integration}/timeseries",
    response_model=Series,
    summary="Read an integration's calls by the hour",
)
async def timeseries_of_integration(
    account: AccountName,
    integration: IntegrationName,
    errand: ThisErrand,
    interval: Annotated[Literal["hour"], Query(description="The only interval there is.")] = "hour",
) -> Response:
    """Read how many calls of one integration succeeded and failed in each of the last 24 hours."""
    _ = interval

    async def unit(office: Office) -> Mapping[str, Any]:
        mine = await office.within(account, "status.read")
        one = await office.manage.integrations.get(mine, integration)
        start, end = _span(errand.services.clock.now())
        found = await office.manage.history.usage(office.tx, since=start, integration_id=one.id)
        return _series_out(found, start, end)

    return await errand.read(unit)
