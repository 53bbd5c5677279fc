"""REST for the organization's webhooks, in the contract's shape; and what goes beyond it: secrets, tests, switching on and off."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Body, Depends, Response
from pydantic import BaseModel, Field

from callout.access.listing import apply
from callout.kit.secrets import Secret
from callout.server.answers import Shown
from callout.server.api.webhook_models import (
    FILTERS_WORDS,
    EnableBody,
    Environment,
    OneDelivery,
    RawFormat,
    RotationBody,
    delivery_out,
    renamed,
    webhook_out,
)
from callout.server.api.webhooks import WebhookName
from callout.server.listings import ListQuery, Total, list_query, paged
from callout.server.manage import ERRORS, Office, ThisErrand, without_nulls
from callout.server.patching import PatchOperation, chosen, patched
from callout.webhooks.outbound import Endpoint, Endpoints, standard_secret

router = APIRouter(prefix="/v1/organization/webhooks", tags=["organization webhooks"], responses=ERRORS)
_WRITABLE: Final = frozenset({"name", "fullname", "environment", "filters", "url", "raw_payload_format"})
_KNOWN: Final = frozenset(
    {"id", "name", "fullname", "environment", "url", "created_at", "updated_at", "state"}
)


class SecretBody(BaseModel):
    """What deliveries are signed with."""

    value: str = Field(max_length=200, description="24 to 64 bytes, or `whsec_` and base64.")
    expires: datetime | None = Field(
        None, description="Taken for the contract's sake; rotate the secret instead."
    )


class OrganizationWebhookBody(BaseModel):
    """A new webhook of the organization."""

    filters: list[str] = Field(
        min_length=1,
        max_length=50,
        description=FILTERS_WORDS + " `all` are those of accounts and integrations.",
    )
    url: str = Field(max_length=2000)
    secret: SecretBody
    name: str | None = Field(None, max_length=100)
    fullname: str | None = Field(None, max_length=255)
    environment: Environment | None = Field(
        None, description="Of which accounts it is told; `prod` when absent."
    )
    raw_payload_format: RawFormat = "object"


class OrganizationWebhookReplacement(BaseModel):
    """A webhook as it was read, with changes; refused when somebody changed it since `updated_at`."""

    name: str = Field(max_length=100)
    fullname: str = Field(max_length=255)
    environment: Environment = "prod"
    filters: list[str] = Field(min_length=1, max_length=50)
    url: str = Field(max_length=2000)
    raw_payload_format: RawFormat = "object"
    updated_at: datetime | None = None

    def changes(self) -> dict[str, Any]:
        """Return the new values by field of the wire."""
        return self.model_dump(exclude={"updated_at"})


class OrganizationWebhookOut(BaseModel):
    """A webhook of the organization. `state` and what follows are ours."""

    id: str
    name: str
    fullname: str
    environment: Environment
    filters: list[str]
    url: str
    credential_id: str = Field(description="The secret is kept with the webhook, under its id.")
    created_at: datetime
    updated_at: datetime
    state: str
    raw_payload_format: RawFormat
    disabled_why: str | None = None
    disabled_at: datetime | None = None
    failures: int
    failing_since: datetime | None = None
    paused_until: datetime | None = None
    last_success_at: datetime | None = None
    last_failure_at: datetime | None = None
    previous_secret_until: datetime | None = None


class RotatedWebhookOut(OrganizationWebhookOut):
    """A webhook with its secret, shown this once."""

    secret: str
    standard_webhooks_secret: str


class OneOrganizationWebhook(BaseModel):
    """A webhook of the organization."""

    result: OrganizationWebhookOut


class OneRotatedWebhook(BaseModel):
    """A webhook with its secret."""

    result: RotatedWebhookOut


class ManyOrganizationWebhooks(BaseModel):
    """Webhooks of the organization."""

    result: list[OrganizationWebhookOut]
    total: int | None = None


def _out(one: Endpoint) -> dict[str, Any]:
    kept = webhook_out(one)
    for name in ("scope", "integration_id", "source"):
        del kept[name]
    return {**without_nulls(kept), "environment": one.environment, "credential_id": one.id}


def _secrets(one: Endpoint) -> dict[str, Shown]:
    secret = one.secrets[0]
    return {"secret": Shown(secret), "standard_webhooks_secret": Shown(standard_secret(secret))}


@router.get(
    "",
    response_model=ManyOrganizationWebhooks,
    response_model_exclude_none=True,
    summary="List webhooks of the organization",
)
async def listing(
    errand: ThisErrand,
    query: Annotated[ListQuery, Depends(list_query)],
    total: Total = False,  # noqa: FBT002
) -> Response:
    """List the webhooks that are told of every account of their environment."""

    async def unit(office: Office) -> Mapping[str, Any]:
        office.require_everywhere("webhook.read")
        found = await errand.services.endpoints.list(Endpoints.organization(office.tx))
        listed = apply(list(found), query.listing(_KNOWN), _out)
        return paged(listed, [_out(one) for one in listed.items], total=total)

    return await errand.read(unit)


@router.post(
    "",
    response_model=OneOrganizationWebhook,
    response_model_exclude_none=True,
    summary="Create a webhook of the organization",
)
async def create(body: OrganizationWebhookBody, errand: ThisErrand) -> Response:
    """Create a webhook; its secret is the one that is sent, and is never shown."""

    async def unit(office: Office) -> Mapping[str, Any]:
        office.require_everywhere("webhook.write")
        made = await errand.services.endpoints.create(
            Endpoints.organization(office.tx),
            url=body.url,
            filters=body.filters,
            actor=office.caller.actor,
            origin=office.origin,
            secret=Secret(body.secret.value),
            name=body.name,
            fullname=body.fullname,
            environment=body.environment or "prod",
            raw_format=body.raw_payload_format,
        )
        return {"result": _out(made)}

    return await errand.write(unit)


@router.get(
    "/{webhook}",
    response_model=OneOrganizationWebhook,
    response_model_exclude_none=True,
    summary="Read a webhook of the organization",
)
async def read(webhook: WebhookName, errand: ThisErrand) -> Response:
    """Read one webhook by id or name."""

    async def unit(office: Office) -> Mapping[str, Any]:
        office.require_everywhere("webhook.read")
        return {
            "result": _out(await errand.services.endpoints.get(Endpoints.organization(office.tx), webhook))
        }

    return await errand.read(unit)


@router.put(
    "/{webhook}",
    response_model=OneOrganizationWebhook,
    response_model_exclude_none=True,
    summary="Replace a webhook of the organization",
)
async def replace(webhook: WebhookName, body: OrganizationWebhookReplacement, errand: ThisErrand) -> Response:
    """Change a webhook to what is sent; refused when it was changed since it was read."""

    async def unit(office: Office) -> Mapping[str, Any]:
        return {"result": await _changed(errand, office, webhook, body.changes(), expected=body.updated_at)}

    return await errand.write(unit)


@router.patch(
    "/{webhook}",
    response_model=OneOrganizationWebhook,
    response_model_exclude_none=True,
    summary="Change a webhook of the organization",
)
async def patch(
    webhook: WebhookName, operations: Annotated[list[PatchOperation], Body()], errand: ThisErrand
) -> Response:
    """Change a webhook by a JSON Patch."""

    async def unit(office: Office) -> Mapping[str, Any]:
        office.require_everywhere("webhook.write")
        before = await errand.services.endpoints.get(Endpoints.organization(office.tx), webhook)
        whole, names = patched(operations, _out(before), OrganizationWebhookReplacement, writable=_WRITABLE)
        return {"result": await _changed(errand, office, before.id, chosen(whole.changes(), names))}

    return await errand.write(unit)


async def _changed(
    errand: ThisErrand,
    office: Office,
    webhook: str,
    changes: Mapping[str, Any],
    *,
    expected: datetime | None = None,
) -> dict[str, Any]:
    office.require_everywhere("webhook.write")
    after = await errand.services.endpoints.update(
        Endpoints.organization(office.tx),
        webhook,
        changes=renamed(changes),
        actor=office.caller.actor,
        origin=office.origin,
        expected=expected,
    )
    return _out(after)


@router.delete("/{webhook}", status_code=204, summary="Remove a webhook of the organization")
async def delete(webhook: WebhookName, errand: ThisErrand) -> Response:
    """Remove a webhook; what was still to be delivered to it is not."""

    async def unit(office: Office) -> None:
        office.require_everywhere("webhook.write")
        await errand.services.endpoints.delete(
            Endpoints.organization(office.tx), webhook, actor=office.caller.actor, origin=office.origin
        )

    return await errand.write(unit)


@router.post(
    "/{webhook}/rotate",
    response_model=OneRotatedWebhook,
    response_model_exclude_none=True,
    summary="Give a webhook of the organization a new secret",
)
async def rotate(webhook: WebhookName, body: RotationBody, errand: ThisErrand) -> Response:
    """Give a new secret, shown in this answer alone; for a while deliveries are signed with both."""

    async def unit(office: Office) -> Mapping[str, Any]:
        office.require_everywhere("webhook.write")
        after = await errand.services.endpoints.rotate(
            Endpoints.organization(office.tx),
            webhook,
            actor=office.caller.actor,
            origin=office.origin,
            secret=None if body.secret is None else Secret(body.secret),
            overlap=timedelta(hours=body.overlap_hours),
        )
        return {"result": {**_out(after), **_secrets(after)}}

    return await errand.write(unit)


@router.post(
    "/{webhook}/test", response_model=OneDelivery, summary="Send a webhook of the organization a test"
)
async def test(webhook: WebhookName, errand: ThisErrand) -> Response:
    """Send a `webhook.test` by the way of all deliveries, tried once, also where the webhook is switched off."""

    async def unit(office: Office) -> Mapping[str, Any]:
        office.require_everywhere("webhook.write")
        scoped = Endpoints.organization(office.tx)
        one = await errand.services.endpoints.get(scoped, webhook)
        sent = await errand.services.deliveries.test(
            scoped, one, actor=office.caller.actor, origin=office.origin
        )
        return {"result": delivery_out(sent)}

    return await errand.write(unit)


@router.post(
    "/{webhook}/enable",
    response_model=OneOrganizationWebhook,
    response_model_exclude_none=True,
    summary="Switch a webhook of the organization on",
)
async def enable(webhook: WebhookName, body: EnableBody, errand: ThisErrand) -> Response:
    """Switch a webhook on again; what was held back is sent in its order, or dropped."""

    async def unit(office: Office) -> Mapping[str, Any]:
        office.require_everywhere("webhook.write")
        after = await errand.services.endpoints.enable(
            Endpoints.organization(office.tx),
            webhook,
            actor=office.caller.actor,
            origin=office.origin,
            send_held=body.send_held,
        )
        return {"result": _out(after)}

    return await errand.write(unit)


@router.post(
    "/{webhook}/disable",
    response_model=OneOrganizationWebhook,
    response_model_exclude_none=True,
    summary="Switch a webhook of the organization off",
)
async def disable(webhook: WebhookName, errand: ThisErrand) -> Response:
    """Switch a webhook off; what happens meanwhile is held back for it."""

    async def unit(office: Office) -> Mapping[str, Any]:
        office.require_everywhere("webhook.write")
        after = await errand.services.endpoints.disable(
            Endpoints.organization(office.tx),
            webhook,
            why="by request",
            actor=office.caller.actor,
            origin=office.origin,
        )
        return {"result": _out(after)}

    return await errand.write(unit)
