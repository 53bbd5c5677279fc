"""The HTTP application, built over the wired features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import callout
from callout.bootstrap.managing import management
from callout.bootstrap.oversized import OversizedHooks
from callout.bootstrap.planning import Plans
from callout.bootstrap.registry import MANIFESTS
from callout.bootstrap.waits import Wait, waits_of_links
from callout.bootstrap.wiring import Wired
from callout.chatops.dispatch import Dispatcher
from callout.server.app import create_app
from callout.server.services import Services
from callout.storage import StorageError
from callout.sync import files, links
from callout.sync.attach import TicketLinks
from callout.sync.conflicts import Conflicts
from callout.sync.link_actions import LinkActions
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
    from callout.chatops.context import Workspace
    from callout.ports.chat import Answer, ChatInbound, ChatInput
    from callout.storage import AccountTx, Tx


@dataclass(slots=True)
class _ChatDoor:
    provider: str
    dialect: ChatInbound
    workspace: Workspace
    dispatcher: Dispatcher

    async def handle(self, given: ChatInput) -> Answer:
        return await self.dispatcher.handle(self.workspace, given)


def build_web(wired: Wired) -> Any:  # noqa: ANN401  # an ASGI application; the web framework stays in `server`
    """Return the HTTP application."""
    core = wired.core
    dispatcher = Dispatcher(wired.chat)
    plans = Plans(core, wired.connections)
    engine = Engine(
        EngineContext(
            database=core.database,
            clock=core.clock,
            authentication=core.authentication,
            integrations=core.integrations,
            pauses=core.pauses,
            audit=core.audit,
            idempotency=core.idempotency,
            provider=wired.connections.provider,
        )
    )

    async def chat(integration_id: str) -> _ChatDoor | None:
        door = await wired.connections.door(integration_id)
        if door is None or door.integration.category != "chat":
            return None
        one = door.integration
        workspace = await core.database.read(
            lambda tx: wired.chat.workspace(tx.account(one.account_id), one.id)
        )
        return (
            None if workspace is None else _ChatDoor(one.provider_type, door.dialect, workspace, dispatcher)
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

    async def ready() -> Mapping[str, Any]:
        try:
            await core.database.read(_probe)
        except StorageError as error:
            return {"ready": False, "database": str(error)}
        return {"ready": True, "database": core.database.dialect, "version": callout.__version__}

    return create_app(
        Services(
            database=core.database,
            clock=core.clock,
            authentication=core.authentication,
            accounts=core.accounts,
            idempotency=core.idempotency,
            incidents=core.incidents,
            intake=wired.intake,
            endpoints=core.outbound.endpoints,
            deliveries=core.outbound.deliveries,
            hook=wired.connections.hook,
            oversized=OversizedHooks(core),
            chat=chat,
            links=links_of,
            integration_names=names_of,
            conflicts=Conflicts(wired.sync),
            link_actions=LinkActions(wired.sync),
            ticket_links=TicketLinks(wired.sync),
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
            ready=ready,
            version=callout.__version__,
            secure_cookies=core.settings.address.startswith("https://"),
        )
    )


async def _probe(tx: Tx) -> None:
    await tx.driver_all("SELECT 1", "SELECT 1")


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
