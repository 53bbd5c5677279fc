"""Plans and shadow mode of an installation's integrations: what is to be checked is read here, the checking is sync's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from callout.bootstrap.standing import sync_settings_of
from callout.incidents import Incident, IncidentFilter
from callout.ports.errors import CalloutError, InvalidRequestError, OperationNotSupportedError
from callout.ports.values import Status
from callout.sync import needs_store, shadow
from callout.sync.mapping import person_prefix
from callout.sync.plan import Planner
from callout.sync.plan_model import OwnText, PlanSubject, Somebody

if TYPE_CHECKING:
    from callout.bootstrap.connections import Connections
    from callout.bootstrap.core import Core
    from callout.integrations import Integration
    from callout.ports.provider import TicketingProvider
    from callout.ports.values import Person
    from callout.storage import AccountTx, Tx

LIVING: Final = (Status.OPEN, Status.ACKNOWLEDGED, Status.MITIGATED)
MOST_INCIDENTS: Final = 200


class Plans:
    """Makes the plans of integrations."""

    def __init__(self, core: Core, connections: Connections) -> None:
        self._core = core
        self._connections = connections
        self._planner = Planner(core.clock)

    async def of(self, account_id: str, id_or_name: str) -> Mapping[str, Any]:
        """Return the plan of one integration in its JSON form. Raises NotFoundError, OperationNotSupportedError."""

        async def look(tx: Tx) -> tuple[PlanSubject, Mapping[str, Any]]:
            scoped = tx.account(account_id)
            one = await self._core.integrations.get(scoped, id_or_name)
            return await self._subject(scoped, one), await shadow_of(scoped, one)

        subject, held_back = await self._core.database.read(look)
        provider: TicketingProvider | CalloutError
        try:
            provider = await self._connections.provider(account_id, subject.integration_id)
        except CalloutError as error:
            provider = error
        plan = await self._planner.plan(subject, provider)
        reading = plan.needs
        if reading is not None:
            now = self._core.clock.now()

            async def keep(tx: Tx) -> None:
                scoped = tx.account(account_id)
                await needs_store.keep(scoped, subject.integration_id, subject.default_project, reading, now)

            await self._core.database.transaction(keep)
        return {**plan.to_json(), "shadow": held_back}

    async def shadow(self, tx: AccountTx, id_or_name: str) -> Mapping[str, Any]:
        """Return what shadow mode held back for an integration, the newest first. Raises NotFoundError."""
        one = await self._core.integrations.get(tx, id_or_name)
        newest = [held.to_json() for held in await shadow.newest(tx, one.id)]
        return {"integration": one.name, **await shadow_of(tx, one), "newest": newest}

    async def _subject(self, tx: AccountTx, one: Integration) -> PlanSubject:
        if one.category != "ticketing":
            raise OperationNotSupportedError(
                f"{one.name} is no ticketing system, so there is no mapping to plan",
                remediation="Name a ticketing integration.",
            )
        own = one.settings.get("sync", {})
        try:
            settings: Mapping[str, Any] = sync_settings_of(self._core, one)
        except InvalidRequestError:
            own, settings = {}, {}
        incidents, _ = await self._core.incidents.search(
            tx, IncidentFilter(statuses=LIVING), limit=MOST_INCIDENTS
        )
        custom = one.provider_config.get("custom_field_mappings") or ()
        return PlanSubject(
            integration_id=one.id,
            account_id=one.account_id,
            name=one.name,
            provider=one.provider_type,
            title=one.provider_fullname,
            settings=settings,
            own=own if isinstance(own, Mapping) else {},
            default_project=str(one.provider_config.get("default_project") or ""),
            default_issue_type=str(one.provider_config.get("default_issue_type") or ""),
            custom_fields={
                str(entry.get("name")): str(
                    entry.get("provider_field_path") or entry.get("project_field_path") or ""
                )
                for entry in custom
                if isinstance(entry, Mapping)
            },
            people=await self._people(tx, one, incidents),
            texts=tuple(OwnText(found.key, found.title, found.description) for found in incidents),
        )

    async def _people(
        self, tx: AccountTx, one: Integration, incidents: list[Incident]
    ) -> tuple[Somebody, ...]:
        """Return whom the other side may have to know: those of open incidents first, then the members."""
        found: dict[str, Somebody] = {}

        def add(person: Person | None, *, assigned: str = "", commands: str = "") -> None:
            # Who came from there is known there.
            if person is None or person.id.startswith(person_prefix(one.id)):
                return
            key = (person.email or person.name).casefold()
            known = found.get(key, Somebody(person.name or person.email, person.email))
            found[key] = Somebody(
                known.name,
                known.email,
                (*known.assigned, assigned) if assigned else known.assigned,
                (*known.commands, commands) if commands else known.commands,
            )

        for incident in incidents:
            add(incident.assignee, assigned=incident.key)
            add(incident.commander, commands=incident.key)
        now = self._core.clock.now()
        for member in (await self._core.members.list(tx.system)).items:
            if member.type == "personal" and member.may_act(now):
                email = member.email or ""
                found.setdefault(
                    (email or member.fullname).casefold(), Somebody(member.fullname or member.name, email)
                )
        return tuple(found.values())


async def shadow_of(tx: AccountTx, one: Integration) -> dict[str, Any]:
    """Return whether an integration is in shadow mode, and how much that held back."""
    own = one.settings.get("sync", {})
    on = isinstance(own, Mapping) and own.get("shadow") is True
    return {"on": on, "counts": await shadow.counts(tx, one.id)}


__all__ = ["Plans", "shadow_of"]
