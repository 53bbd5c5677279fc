"""What the pages of integrations are told beside what the management API tells: budgets, effective mappings, the vendor's own fields."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from callout.bootstrap.managing import PATIENCE
from callout.bootstrap.registry import MANIFESTS
from callout.bootstrap.standing import sync_settings_of
from callout.bootstrap.waits import NO_CHANGES, wait_of
from callout.ports.errors import UnavailableError
from callout.ports.provider import SupportsCatalogue, SupportsRemoteFields
from callout.server.oversight import Allowed, Offered, Oversight, QuotaLeft
from callout.storage.schema import from_micros, micros

if TYPE_CHECKING:
    from callout.bootstrap.connections import Connections
    from callout.bootstrap.core import Core
    from callout.integrations import Integration
    from callout.storage import Tx


def oversight(core: Core, connections: Connections) -> Oversight:
    """Return what the pages of integrations need."""

    async def allowed(tx: Tx, integration_id: str) -> Allowed:
        told = await core.budgets.explain(tx, integration_id, beside=NO_CHANGES)
        now = micros(core.clock.now())
        quotas = tuple(
            QuotaLeft(
                one.name or one.part or "calls",
                one.left,
                one.amount,
                from_micros(one.ends_at) if one.ends_at > now else None,
                from_micros(one.blocked_until) if one.blocked_until > now else None,
            )
            for one in await core.budgets.quotas.known(tx, integration_id)
        )
        wait = await wait_of(core, tx, integration_id)
        if wait is None:
            return Allowed(told.text, quotas)
        return Allowed(told.text, quotas, wait.until, wait.reason, wait.waiting)

    async def offered(one: Integration) -> Offered:
        try:
            async with asyncio.timeout(PATIENCE):
                provider = await connections.provider(one.account_id, one.id)
                project = str(one.provider_config.get("default_project") or "")
                kind = str(one.provider_config.get("default_issue_type") or "")
                place = (
                    await provider.field_catalogue(project, kind)
                    if isinstance(provider, SupportsCatalogue)
                    else None
                )
                fields = (
                    tuple(await provider.list_remote_fields())
                    if isinstance(provider, SupportsRemoteFields)
                    else ()
                )
                return Offered(place, fields)
        except TimeoutError:
            raise UnavailableError(f"the other side did not answer within {PATIENCE:g} seconds") from None

    return Oversight(
        address=core.settings.address,
        manifests=MANIFESTS,
        pauses=core.pauses,
        allowed=allowed,
        sync=lambda one: sync_settings_of(core, one),
        offered=offered,
    )


__all__ = ["oversight"]
