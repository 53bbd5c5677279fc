"""REST for the audit: who did what by the API, and on request by every other way in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field

from callout.audit import AuditEntry
from callout.audit.search import FIELDS, search
from callout.server.listings import ListQuery, list_query
from callout.server.manage import ERRORS, Office, ThisErrand, without_nulls
from callout.ticketing.errors import InvalidFilterError

router = APIRouter(prefix="/v1/audit", tags=["audit"], responses=ERRORS)
Every = Annotated[
    bool, Query(alias="all", description="What was done in chat, by command and by Callout itself, too.")
]
_KNOWN: Final = frozenset(FIELDS)


class AuditOut(BaseModel):
    """What somebody did. What came by no HTTP request (`all=true`) has an empty path and is said to be a POST."""

    environment: str
    created_at: datetime
    remote_addr: str
    user_agent: str
    audit_type: Literal["ALARM", "ERROR", "API", "UNKNOWN"]
    method: Literal["DELETE", "GET", "PATCH", "POST", "PUT"]
    path: str
    code: str
    body: Any = Field(None, description="What was changed, without secrets.")
    status: str | None = None
    member_id: str | None = None
    account_id: str | None = None
    integration_id: str | None = None
    action: str = Field(description="Ours: what was done, such as `account.created`.")
    actor: dict[str, str] = Field(description="Ours: who did it.")
    channel: str = Field(description="Ours: by which way in.")
    subject_type: str = Field(description="Ours: what it was done to.")
    subject_id: str


class ManyAudit(BaseModel):
    """Entries of the audit, by time."""

    result: list[AuditOut]


def audit_out(entry: AuditEntry, environments: Mapping[str, str]) -> dict[str, Any]:
    """Return an entry as the API shows it; `environments` are those of the accounts."""
    request = entry.request
    return without_nulls(
        {
            "environment": entry.environment or environments.get(entry.account_id or "", ""),
            "created_at": entry.created_at,
            "remote_addr": request.remote_addr,
            "user_agent": request.user_agent,
            "audit_type": entry.audit_type,
            "method": request.method or "POST",
            "path": request.path,
            "code": request.code,
            "body": dict(entry.data) or None,
            "status": request.status or None,
            "member_id": entry.member_id,
            "account_id": entry.account_id,
            "integration_id": entry.integration_id,
            "action": entry.action,
            "actor": {"kind": entry.actor.kind.value, "id": entry.actor.id, "name": entry.actor.name},
            "channel": entry.channel,
            "subject_type": entry.subject_type,
            "subject_id": entry.subject_id,
        }
    )


@router.get(
    "/organizations", response_model=ManyAudit, response_model_exclude_none=True, summary="List the audit"
)
async def listing(
    errand: ThisErrand,
    query: Annotated[ListQuery, Depends(list_query)],
    every: Every = False,  # noqa: FBT002
) -> Response:
    """List what was done, by time; `start_after` is the `created_at` of the last entry seen."""
    listing = query.listing(_KNOWN, default=(("created_at", False),))
    field, newest_first = listing.order[0]
    if field != "created_at" or len(listing.order) > 1:
        raise InvalidFilterError(
            "the audit is ordered by created_at", fields={"order": "created_at[asc] or created_at[desc]"}
        )
    conditions = [(one.field, one.operator, one.values) for one in listing.filters]

    async def unit(office: Office) -> Mapping[str, Any]:
        office.require("audit.read")
        found = await search(
            office.tx,
            conditions=conditions,
            among=office.caller.account_ids,
            by_request_only=not every,
            newest_first=newest_first,
            after=None if listing.start_after is None else datetime.fromisoformat(listing.start_after),
            limit=listing.limit,
        )
        accounts = (await office.manage.accounts.list(office.tx, among=office.caller.account_ids)).items
        environments = {one.id: one.environment for one in accounts}
        return {"result": [audit_out(entry, environments) for entry in found]}

    return await errand.read(unit)
