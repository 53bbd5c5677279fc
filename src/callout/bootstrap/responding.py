"""How an account responds, built over the core: the catalogue, service levels and escalation, watching every commit of an incident."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callout.bootstrap.registry import MANIFESTS
from callout.incidents.catalogue import Catalogue
from callout.incidents.escalation.service import Escalations
from callout.incidents.escalation.targets import Targets
from callout.incidents.responding import Responding
from callout.incidents.response_settings import ResponseSettings
from callout.incidents.sla.service import ServiceLevels

if TYPE_CHECKING:
    from callout.access import Members
    from callout.audit import Audit
    from callout.incidents import Incidents
    from callout.integrations import Integrations
    from callout.jobs import Queue
    from callout.kit.clock import Clock
    from callout.storage import AccountTx


def build_responding(
    clock: Clock,
    audit: Audit,
    *,
    incidents: Incidents,
    members: Members,
    integrations: Integrations,
    queue: Queue,
) -> Responding:
    """Build the services; from now on `incidents` keeps clocks and escalations in its own commits."""

    async def pagers(tx: AccountTx) -> list[str]:
        found = await integrations.of_category(tx, "ticketing")
        able = {name for name, one in MANIFESTS.items() if hasattr(one.provider_class, "request_responders")}
        return [one.name for one in found if one.provider_type in able]

    async def chats(tx: AccountTx) -> list[str]:
        return [one.name for one in await integrations.of_category(tx, "chat")]

    settings = ResponseSettings(clock=clock, audit=audit)
    catalogue = Catalogue(clock=clock, audit=audit, members=members, settings=settings)
    targets = Targets(
        clock=clock, incidents=incidents, members=members, catalogue=catalogue, pagers=pagers, chats=chats
    )
    escalations = Escalations(
        incidents=incidents,
        catalogue=catalogue,
        settings=settings,
        targets=targets,
        queue=queue,
        clock=clock,
    )
    levels = ServiceLevels(
        incidents=incidents,
        catalogue=catalogue,
        settings=settings,
        escalations=escalations,
        queue=queue,
        clock=clock,
    )
    incidents.scribe.watch(levels.saved, asks=settings.asking)
    return Responding(catalogue, settings, escalations, levels)
