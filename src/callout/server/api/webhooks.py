"""REST for webhooks out: the endpoints of an account and its integrations, their secrets, tests, switching on and off."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query, Response

from callout.kit.secrets import Secret
from callout.ports.errors import NotFoundError
from callout.server.api.webhook_models import (
    EnableBody,
    ManyWebhooks,
    OneDelivery,
    OneSecretWebhook,
    OneWebhook,
    RotationBody,
    WebhookBody,
    WebhookChanges,
    delivery_out,
    secrets_of,
    webhook_out,
)
from callout.server.call import Call, Scope, call_of
from callout.server.problems import ANY, refusals

ThisCall = Annotated[Call, Depends(call_of)]
WebhookName = Annotated[str, Path(max_length=200, description="Webhook, by id or name.")]
ERRORS: Final = refusals(*ANY)
router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"], responses=ERRORS)


@router.get("", response_model=ManyWebhooks, summary="List webhooks")
async def listing(
    call: ThisCall,
    integration: Annotated[str | None, Query(max_length=200, description="Of this one alone.")] = None,
) -> Response:
    """List the webhooks of the account, those that its integrations' settings name among them."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("webhook.read")
        wanted = None if integration is None else await _integration(call, scope, integration)
        found = await call.services.endpoints.list(scope.tx, integration_id=wanted)
        return {"result": [webhook_out(one) for one in found]}

    return await call.read(unit)


@router.post("", response_model=OneSecretWebhook, status_code=201, summary="Create a webhook")
async def create(body: WebhookBody, call: ThisCall) -> Response:
    """Create a webhook of the account, or of one of its integrations. Its secret is shown in this answer alone."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("webhook.write")
        integration_id = "" if body.integration is None else await _integration(call, scope, body.integration)
        made = await call.services.endpoints.create(
            scope.tx,
            url=body.url,
            filters=body.filters,
            actor=scope.caller.actor,
            origin=scope.origin,
            secret=None if body.secret is None else Secret(body.secret),
            name=body.name,
            fullname=body.fullname,
            integration_id=integration_id,
            raw_format=body.raw_payload_format,
        )
        return {"result": {**webhook_out(made), **secrets_of(made)}}

    return await call.write(unit, status=201)


@router.get("/{webhook}", response_model=OneWebhook, summary="Read a webhook")
async def read(webhook: WebhookName, call: ThisCall) -> Response:
    """Read one webhook: what it is told of, and how it fares."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("webhook.read")
        return {"result": webhook_out(await call.services.endpoints.get(scope.tx, webhook))}

    return await call.read(unit)


@router.patch("/{webhook}", response_model=OneWebhook, summary="Change a webhook")
async def patch(webhook: WebhookName, body: WebhookChanges, call: ThisCall) -> Response:
    """Change what is named; the rest stays. One that an integration's settings name is changed there: 409."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("webhook.write")
        after = await call.services.endpoints.update(
            scope.tx, webhook, changes=body.changes(), actor=scope.caller.actor, origin=scope.origin
        )
        return {"result": webhook_out(after)}

    return await call.write(unit)


@router.delete("/{webhook}", status_code=204, summary="Remove a webhook")
async def delete(webhook: WebhookName, call: ThisCall) -> Response:
    """Remove a webhook; what was still to be delivered to it is not."""

    async def unit(scope: Scope) -> None:
        scope.require("webhook.write")
        await call.services.endpoints.delete(scope.tx, webhook, actor=scope.caller.actor, origin=scope.origin)

    return await call.write(unit, status=204)


@router.post("/{webhook}/rotate", response_model=OneSecretWebhook, summary="Give a webhook a new secret")
async def rotate(webhook: WebhookName, body: RotationBody, call: ThisCall) -> Response:
    """Give a new secret, shown in this answer alone; for a while deliveries are signed with both."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("webhook.write")
        after = await call.services.endpoints.rotate(
            scope.tx,
            webhook,
            actor=scope.caller.actor,
            origin=scope.origin,
            secret=None if body.secret is None else Secret(body.secret),
            overlap=timedelta(hours=body.overlap_hours),
        )
        return {"result": {**webhook_out(after), **secrets_of(after)}}

    return await call.write(unit)


@router.post("/{webhook}/test", response_model=OneDelivery, summary="Send a test delivery")
async def test(webhook: WebhookName, call: ThisCall) -> Response:
    """Send a `webhook.test` by the way of all deliveries, tried once, also where the webhook is switched off; then look into it."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("webhook.write")
        one = await call.services.endpoints.get(scope.tx, webhook)
        sent = await call.services.deliveries.test(
            scope.tx, one, actor=scope.caller.actor, origin=scope.origin
        )
        return {"result": delivery_out(sent)}

    return await call.write(unit)


@router.post("/{webhook}/enable", response_model=OneWebhook, summary="Switch a webhook on")
async def enable(webhook: WebhookName, body: EnableBody, call: ThisCall) -> Response:
    """Switch a webhook on again; what was held back is sent in its order, or dropped."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("webhook.write")
        after = await call.services.endpoints.enable(
            scope.tx, webhook, actor=scope.caller.actor, origin=scope.origin, send_held=body.send_held
        )
        return {"result": webhook_out(after)}

    return await call.write(unit)


@router.post("/{webhook}/disable", response_model=OneWebhook, summary="Switch a webhook off")
async def disable(webhook: WebhookName, call: ThisCall) -> Response:
    """Switch a webhook off; what happens meanwhile is held back for it."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("webhook.write")
        after = await call.services.endpoints.disable(
            scope.tx, webhook, why="by request", actor=scope.caller.actor, origin=scope.origin
        )
        return {"result": webhook_out(after)}

    return await call.write(unit)


async def _integration(call: Call, scope: Scope, id_or_name: str) -> str:
    """Return the id of an integration of the account. Raises NotFoundError."""
    names = await call.services.integration_names(scope.tx)
    found = next((one for one, name in names.items() if id_or_name in {one, name}), None)
    if found is None:
        raise NotFoundError(f"there is no integration {id_or_name!r}")
    return found
