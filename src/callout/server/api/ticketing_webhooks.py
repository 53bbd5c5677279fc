"""REST for the webhooks of an integration at its provider."""

from __future__ import annotations

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from callout.server.api.ticketing_call import ERRORS, ThisCall, nothing
from callout.ticketing import READ, WRITE

router = APIRouter(prefix="/v1/integration-webhooks", tags=["integration webhooks"], responses=ERRORS)


class CreateWebhookBody(BaseModel):
    """Which events are wanted."""

    model_config = ConfigDict(extra="ignore")

    project: str | None = Field(None, description="Project of the provider; default: the integration's.")


class ProviderWebhookOut(BaseModel):
    """A webhook at the provider."""

    id: str
    creator: str
    enabled: bool
    events: list[str]
    name: str
    value: str
    created_at: str


class OneProviderWebhook(BaseModel):
    """One webhook."""

    result: ProviderWebhookOut


class ProviderWebhooksOut(BaseModel):
    """All webhooks, and where they send to."""

    result: list[ProviderWebhookOut]
    url: str


@router.post("", response_model=OneProviderWebhook, summary="Have the provider send its webhooks here")
async def create_webhook(body: CreateWebhookBody, call: ThisCall) -> Response:
    """Register the integration's webhook at the provider, signed; one that was there before is replaced."""
    opened = await call.open("create_project_webhook", WRITE)
    return call.answer(await call.services.provider_webhooks.create(opened, body.project))


@router.get("", response_model=ProviderWebhooksOut, summary="The integration's webhooks at the provider")
async def list_webhooks(call: ThisCall) -> Response:
    """List them. `url` is the receiver with a token of its own, to be pasted into a provider that has no API for it."""
    opened = await call.open("", READ)
    webhooks = call.services.provider_webhooks
    webhooks.require(opened)
    found = await webhooks.list(opened)
    return call.answer(found, url=webhooks.receiver(opened, with_token=True))


@router.delete("", status_code=204, summary="Have the provider's webhooks end")
async def delete_webhook(call: ThisCall) -> Response:
    """Remove the integration's webhook at the provider."""
    opened = await call.open("remove_project_webhook", WRITE)
    await call.services.provider_webhooks.remove(opened)
    return nothing()
