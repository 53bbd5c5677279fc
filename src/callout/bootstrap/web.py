"""The HTTP application, built over the wired features."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import callout
from callout.bootstrap.administering import administration
from callout.bootstrap.chat_doors import ChatDoors
from callout.bootstrap.doctor import diagnose_running
from callout.bootstrap.figures import Figures, readiness
from callout.bootstrap.installing import Installing
from callout.bootstrap.managing import management
from callout.bootstrap.overseeing import oversight
from callout.bootstrap.oversized import OversizedHooks
from callout.bootstrap.planning import Plans
from callout.bootstrap.registry import MANIFESTS
from callout.bootstrap.signing_in import build_sign_in
from callout.bootstrap.waits import Wait, waits_of_links
from callout.bootstrap.wiring import Wired
from callout.chatops.sent import SentMessages
from callout.integrations import Holders
from callout.server.app import create_app
from callout.server.services import Services
from callout.sync import files, links
from callout.sync.attach import TicketLinks
from callout.sync.conflicts import Conflicts
from callout.sync.link_actions import LinkActions
from callout.sync.needs import Needs
from callout.ticketing import (
    Capabilities,
    Directory,
    Engine,
    EngineContext,
    IncidentResponse,
    Notifications,
    Parts,
    PassThrough,
    ProviderWebhooks,
    Tickets,
)

if TYPE_CHECKING:
    from callout.storage import AccountTx


def build_web(wired: Wired, stopping: asyncio.Event | None = None) -> Any:  # noqa: ANN401  # an ASGI application; the web framework stays in `server`
    """Return the HTTP application; its streams end when `stopping` is set."""
    core = wired.core
    plans = Plans(core, wired.connections)
    installing = Installing(core, wired.connections)
    engine = Engine(
        EngineContext(
            database=core.database,
            clock=core.clock,
            holders=Holders(core.authentication, core.integrations),
            integrations=core.integrations,
            pauses=core.pauses,
            audit=core.audit,
            idempotency=core.idempotency,
            provider=wired.connections.provider,
        )
    )

    async def names_of(tx: AccountTx) -> Mapping[str, str]:
        return {one.id: one.name for one in (await core.integrations.list(tx)).items}

    async def links_of(tx: AccountTx, incident_id: str) -> list[Mapping[str, Any]]:
        names = {one.id: one.name for one in await core.integrations.of_category(tx, "ticketing")}
        found = await links.of_incident(tx, incident_id)
        shown = await files.shown(core.incidents, tx, incident_id, [link.id for link in found])
        waits = await waits_of_links(core, tx, found)
        return [
            {**_link_out(link, names, shown.get(link.id, [])), "wait": _wait_out(waits.get(link.id))}
            for link in found
        ]

    async def doctor(ask: bool) -> Mapping[str, Any]:  # noqa: FBT001  # the only thing there is to say
        return (await diagnose_running(core, wired.connections, ask=ask)).to_json()

    return create_app(
        Services(
            database=core.database,
            clock=core.clock,
            authentication=core.authentication,
            sessions=core.sessions,
            sign_in=build_sign_in(core, wired.connections),
            accounts=core.accounts,
            idempotency=core.idempotency,
            incidents=core.incidents,
            responding=core.responding,
            intake=wired.intake,
            endpoints=core.outbound.endpoints,
            deliveries=core.outbound.deliveries,
            hook=wired.connections.hook,
            oversized=OversizedHooks(core),
            chat=ChatDoors(core, wired.connections, wired.chat).find,
            chat_messages=SentMessages(wired.chat),
            links=links_of,
            integration_names=names_of,
            conflicts=Conflicts(wired.sync),
            link_actions=LinkActions(wired.sync),
            ticket_links=TicketLinks(wired.sync),
            needs=Needs(wired.sync),
            plan=plans.of,
            shadow=plans.shadow,
            engine=engine,
            tickets=Tickets(engine),
            parts=Parts(engine),
            directory=Directory(engine),
            incident_response=IncidentResponse(engine),
            capabilities=Capabilities(MANIFESTS),
            notifications=Notifications(engine),
            pass_through=PassThrough(engine),
            provider_webhooks=ProviderWebhooks(engine, address=core.settings.address),
            manage=management(core, wired.connections),
            administration=administration(core),
            oversight=oversight(core, wired.connections),
            doctor=doctor,
            begin_install=installing.begin,
            finish_install=installing.finish,
            ready=partial(readiness, core.database),
            figures=Figures(core.database, core.clock),
            version=callout.__version__,
            stopping=stopping or asyncio.Event(),
            secure_cookies=core.settings.address.startswith("https://"),
            trusted_proxies=core.settings.trusted_proxies,
            api_per_second=core.settings.api_per_second,
        )
    )


def _wait_out(wait: Wait | None) -> Mapping[str, Any] | None:
    return None if wait is None else wait.to_json()


def _link_out(link: links.Link, names: Mapping[str, str], shown: list[dict[str, Any]]) -> Mapping[str, Any]:
    return {
        "id": link.id,
        "integration": names.get(link.integration_id, link.integration_id),
        "integration_id": link.integration_id,
        "state": link.status.value,
        "ticket_id": link.ticket_id,
        "ticket_key": link.ticket_key,
        # It becomes a link on our pages: an address of any other kind than the web's is not shown.
        "ticket_url": link.ticket_url if link.ticket_url.startswith(("https://", "http://")) else "",
        "problem": None if link.problem is None else link.problem.to_json(),
        "conflicts": [
            {"field": one.field, "ours": one.ours, "theirs": one.theirs}
            for one in link.merge.conflicts.values()
        ],
        "pending": sorted(link.merge.pending),
        "files": shown,
    }
