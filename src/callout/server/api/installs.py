"""REST for installing a chat app by consent: an extra beside the contract."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Response
from pydantic import BaseModel

from callout.integrations import Integration
from callout.ports.values import Actor
from callout.server.manage import ERRORS, AccountName, IntegrationName, Office, ThisErrand
from callout.server.problems import refusals

router = APIRouter(prefix="/v1/integrations", tags=["integrations"], responses=ERRORS)


class ConsentOut(BaseModel):
    """Where the person who installs the app gives their consent."""

    authorize_url: str
    expires_at: datetime


@router.post(
    "/{account}/{integration}/install",
    response_model=ConsentOut,
    responses=refusals(501),
    summary="Begin installing a chat app",
)
async def install(account: AccountName, integration: IntegrationName, errand: ThisErrand) -> Response:
    """Return the address where a person lets the integration's app into a workspace; it is good for a quarter of an hour."""

    async def unit(office: Office) -> tuple[Integration, Actor]:
        mine = await office.within(account, "credential.write")
        office.caller.require("integration.write", mine.account_id)
        return await office.manage.integrations.get(mine, integration), office.caller.actor

    one, actor = await errand.look(unit)
    consent = await errand.services.begin_install(one.account_id, one.id, actor)
    return errand.answer({"authorize_url": consent.url, "expires_at": consent.until.isoformat()})
