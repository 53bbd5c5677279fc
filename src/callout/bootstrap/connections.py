"""From an integration's row to its connector: built once, kept until the settings change."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, Protocol

from callout.bootstrap.allowances import Allowances
from callout.bootstrap.gate import IntegrationGate
from callout.integrations import Fared, Integration, OAuthTokens
from callout.integrations.credentials import references
from callout.kit.allowance import PlainLimits
from callout.kit.http import VendorHttp
from callout.kit.net import AddressGuard
from callout.kit.secrets import Secret, hash_token
from callout.kit.transport import GuardedTransport
from callout.kit.turnstile import Turnstile
from callout.ports.errors import NotFoundError
from callout.ports.manifest import Credential, HttpFactory, Manifest, TokenStore, Tools
from callout.webhooks import Hook, HookBinding

if TYPE_CHECKING:
    from callout.bootstrap.core import Core
    from callout.ports.installing import Installer
    from callout.ports.listening import ChatListener
    from callout.storage import AccountTx, Tx

KEPT_PROVIDERS: Final = 1_000
"""So many connectors are kept, those used last; another is built anew from its row when it is needed."""
REPORTED_TOGETHER: Final = 250
"""Integrations whose health is written in one transaction."""


@dataclass(frozen=True, slots=True)
class Door:
    """Where requests of one integration's vendor come in: the integration, its dialect, and the digest of its hook token."""

    integration: Integration
    dialect: Any
    token_digest: str


class Closing(Protocol):
    """Ends connections of somebody else."""

    async def __call__(self) -> None:
        """Do it."""
        ...


class Connections:
    """Connectors and request dialects of integrations. One pool of guarded connections serves them all."""

    def __init__(self, core: Core) -> None:
        self._core = core
        guard = AddressGuard.parse(core.settings.allow_networks, require_https=core.settings.require_https)
        self._transport = GuardedTransport(guard)
        self._providers: OrderedDict[str, Any] = OrderedDict()
        self._gates: dict[tuple[str, str], IntegrationGate] = {}
        self._doors: dict[str, Door | None] = {}
        self._closing: list[Closing] = []
        self._generation = 0
        self.news = asyncio.Event()
        """Set when a vendor sent us away: the other processes should hear of it soon, by `report_health`."""

    def close_also(self, close: Closing) -> None:
        """Have `close` called when the connections are closed."""
        self._closing.append(close)

    async def close(self) -> None:
        """Close the connections. Whoever asks for one later is refused."""
        try:
            for close in self._closing:
                await close()
        finally:
            await self._transport.aclose()

    def forget(self) -> None:
        """Build everything anew at its next use: the settings have changed."""
        self._generation += 1
        self._providers.clear()
        self._doors.clear()

    async def provider(self, account_id: str, integration_id: str) -> Any:  # noqa: ANN401  # the role's own Protocol
        """Return the connector of an integration. Raises NotFoundError, InvalidRequestError, SealError."""
        known = self._providers.get(integration_id)
        if known is not None:
            self._providers.move_to_end(integration_id)
            return known
        generation = self._generation
        manifest, config, tools = await self._parts(account_id, integration_id)
        built = manifest.build(config, tools)
        if generation == self._generation:  # else it was read before the change that made us forget
            self._providers[integration_id] = built
            if len(self._providers) > KEPT_PROVIDERS:
                self._providers.popitem(last=False)  # a request under way goes on with the one it has
        return built

    def http(self, base_url: str) -> VendorHttp:
        """Return a client for an address that belongs to no integration; it goes only where the guard lets it. Raises AddressRefused."""
        return VendorHttp(base_url, transport=self._transport, clock=self._core.clock)

    def listens(self, integration: Integration) -> bool:
        """Return whether an integration's platform may send through a connection of ours."""
        return self._core.integrations.manifest_of(integration).listen is not None

    async def listener(self, account_id: str, integration_id: str) -> ChatListener | None:
        """Return what opens such connections; None where the integration's settings ask for none. Raises what `provider` raises."""
        manifest, config, tools = await self._parts(account_id, integration_id)
        return None if manifest.listen is None else manifest.listen(config, tools)

    async def installer(self, account_id: str, integration_id: str) -> Installer | None:
        """Return the consent by which an integration's app is installed; None where it has none. Raises what `provider` raises."""
        manifest, config, tools = await self._parts(account_id, integration_id)
        return None if manifest.install is None else manifest.install(config, tools)

    def unsaved(self, manifest: Manifest, config: Any, credential: Credential, tokens: TokenStore) -> Any:  # noqa: ANN401
        """Return a connector for settings that no integration has, to ask its vendor whether they would work."""

        def http(
            base_url: str,
            *,
            headers: Mapping[str, str | Secret] | None = None,
            **options: Any,  # noqa: ANN401
        ) -> VendorHttp:
            return VendorHttp(
                base_url,
                transport=self._transport,
                headers=headers,
                clock=self._core.clock,
                provider=manifest.provider,
                **options,
            )

        tools = Tools(
            http=http,
            clock=self._core.clock,
            credential=credential,
            tokens=tokens,
            public_url=self._core.settings.address,
        )
        return manifest.build(config, tools)

    async def inbound(self, account_id: str, integration_id: str) -> Any:  # noqa: ANN401
        """Return the request dialect of an integration. Raises NotFoundError, OperationNotSupportedError."""
        door = await self.door(integration_id)
        if door is None or door.integration.account_id != account_id:
            raise NotFoundError(f"there is no integration {integration_id!r}")
        return door.dialect

    async def door(self, integration_id: str) -> Door | None:
        """Return where requests for an integration come in, or None when it does not exist or takes none."""
        if integration_id in self._doors:
            return self._doors[integration_id]
        generation = self._generation
        door = await self._core.database.read(lambda tx: self._open_door(tx, integration_id))
        if door is not None and generation == self._generation:
            # Only what exists is remembered: a stranger trying addresses must not fill the memory.
            self._doors[integration_id] = door
        return door

    async def hook(self, integration_id: str, token: Secret | None) -> Hook | None:
        """Return where a webhook leads, by the address's integration id or by its hook token alone."""
        digest = "" if token is None else hash_token(token)
        if integration_id:
            door = await self.door(integration_id)
        elif token is not None:
            found = await self._core.database.read(
                lambda tx: self._core.integrations.by_hook_token(tx, token)
            )
            door = None if found is None else await self.door(found.id)
        else:
            door = None
        if door is None or door.integration.category != "ticketing":
            return None
        one = door.integration
        binding = HookBinding(one.account_id, one.id, one.provider_type, door.dialect)
        return Hook(binding, token_matches=token is not None and digest == door.token_digest)

    async def _parts(self, account_id: str, integration_id: str) -> tuple[Manifest, Any, Tools]:
        """Return what a connector of an integration is made of. Raises NotFoundError, InvalidRequestError, SealError."""
        integration, credential, more = await self._core.database.read(
            lambda tx: self._load(tx.account(account_id), integration_id)
        )
        known = self._core.integrations
        tools = self._tools(integration, credential or Credential("none"), more)
        return known.manifest_of(integration), known.config_of(integration), tools

    async def _load(
        self, tx: AccountTx, integration_id: str
    ) -> tuple[Integration, Credential | None, Mapping[str, Credential]]:
        """Return an integration with its credential and its further ones by field."""
        known = self._core.integrations
        integration = await known.get(tx, integration_id)
        fields = [name for name in references(integration.provider_config) if name != "credential"]
        found = {name: await known.credential_of(tx, integration, name) for name in fields}
        more = {name: credential for name, credential in found.items() if credential is not None}
        return integration, await known.credential_of(tx, integration), more

    async def _open_door(self, tx: Tx, integration_id: str) -> Door | None:
        integration = await self._core.integrations.by_hook_path(tx, integration_id)
        if integration is None or not integration.enabled:
            return None
        manifest = self._core.integrations.manifest_of(integration)
        if manifest.inbound is None:
            return None
        secrets = await self._core.integrations.webhook_secrets(
            tx.account(integration.account_id), integration
        )
        dialect = manifest.inbound(self._core.integrations.config_of(integration), secrets)
        return Door(integration, dialect, hash_token(integration.hook_token))

    def _tools(
        self, integration: Integration, credential: Credential, more: Mapping[str, Credential]
    ) -> Tools:
        core = self._core
        return Tools(
            http=self._http(self._gate(integration), integration.provider_type),
            clock=core.clock,
            credential=credential,
            more=more,
            websocket=self._transport.open_websocket,
            tokens=OAuthTokens(
                core.database,
                core.keys,
                core.clock,
                account_id=integration.account_id,
                integration_id=integration.id,
            ),
            public_url=core.settings.address,
            integration_id=integration.id,
        )

    def _gate(self, integration: Integration) -> IntegrationGate:
        key = (integration.account_id, integration.id)
        if key not in self._gates:
            core, manifest = self._core, self._core.integrations.manifest_of(integration)
            rate, burst, concurrent = manifest.default_budget
            self._gates[key] = IntegrationGate(
                core.clock,
                turnstile=Turnstile(core.clock, rate=rate, burst=burst, concurrent=concurrent),
                allowances=Allowances(
                    core.clock,
                    integration.id,
                    database=core.database,
                    budgets=core.budgets,
                    limits=manifest.limits or PlainLimits(manifest.title),
                    on_block=self.news.set,
                ),
            )
        return self._gates[key]

    async def report_health(self) -> None:
        """Write down how the integrations fared since the last call. Raises StorageUnavailableError."""
        # In order, since other processes write the same rows.
        news = sorted(
            ((where, gate) for where, gate in self._gates.items() if gate.has_news), key=itemgetter(0)
        )
        for start in range(0, len(news), REPORTED_TOGETHER):
            group = news[start : start + REPORTED_TOGETHER]
            still_well = await self._report_successes(group)
            for (account_id, integration_id), gate in group:
                if integration_id in still_well:
                    continue

                async def unit(
                    tx: Tx,
                    gate: IntegrationGate = gate,
                    where: tuple[str, str] = (account_id, integration_id),
                ) -> Callable[[], None]:
                    return await gate.report(tx.account(where[0]), self._core.health, where[1])

                committed = await self._core.database.transaction(unit)
                committed()

    async def _report_successes(
        self, group: Sequence[tuple[tuple[str, str], IntegrationGate]]
    ) -> frozenset[str]:
        """Write down those that did well and have nothing else to tell, in one transaction; return which these are."""
        fared = [Fared(*where, gate.successes) for where, gate in group if gate.successes]
        if not fared:
            return frozenset()
        still_well = await self._core.database.transaction(lambda tx: self._core.health.still_well(tx, fared))
        for one in fared:
            if one.integration_id in still_well:
                self._gates[one.account_id, one.integration_id].reported(one.requests)
        return still_well

    async def remember_limits(self, tx: Tx, integration_id: str) -> bool:
        """Write down, in the caller's transaction, what an integration's vendor said of its limits; False: nobody asked it."""
        gate = next((gate for (_, one), gate in self._gates.items() if one == integration_id), None)
        if gate is None or not gate.used:
            return False
        tx.after_commit(await gate.remember_limits(tx))
        return True

    def _http(self, gate: IntegrationGate, provider: str) -> HttpFactory:
        def make(
            base_url: str,
            *,
            headers: Mapping[str, str | Secret] | None = None,
            **options: Any,  # noqa: ANN401
        ) -> VendorHttp:
            options.setdefault("gate", gate)
            return VendorHttp(
                base_url,
                transport=self._transport,
                headers=headers,
                clock=self._core.clock,
                provider=provider,
                **options,
            )

        return make
