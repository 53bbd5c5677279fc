"""Several connectors of one program: which there are, how each stands, and syncs that cannot overtake each other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from callout.kit.clock import Clock, SystemClock
from callout.ports.errors import (
    CalloutError,
    ConflictError,
    ConnectorError,
    InvalidRequestError,
    NotFoundError,
)
from callout.sync.connector import Connector, SyncResult
from callout.sync.mapping import FieldMappings
from callout.sync.settings import effective

if TYPE_CHECKING:
    from callout.ports.manifest import Manifest, Tools
    from callout.sync.merge import LinkState


class Registry:
    """The kinds of connectors a program can make, by provider id (`ticketing_jira`)."""

    def __init__(self, manifests: Iterable[Manifest] = ()) -> None:
        self._manifests: dict[str, Manifest] = {}
        for manifest in manifests:
            self.register(manifest)

    def register(self, manifest: Manifest) -> None:
        """Add one kind. Raises ConflictError when there is one of that id."""
        if manifest.provider in self._manifests:
            raise ConflictError(f"{manifest.provider} is registered already")
        self._manifests[manifest.provider] = manifest

    @property
    def providers(self) -> tuple[str, ...]:
        """The ids of all kinds that are ticketing systems, in order."""
        return tuple(sorted(n for n, one in self._manifests.items() if one.category == "ticketing"))

    def connector(
        self,
        name: str,
        provider: str,
        config: Mapping[str, Any],
        tools: Tools,
        *,
        mapping: Mapping[str, Any] | None = None,
        webhook_secrets: Any = None,  # noqa: ANN401  # WebhookSecrets; each dialect checks its own
    ) -> Connector:
        """Make a connector from settings as an integration has them.

        Raises NotFoundError for an unknown provider, InvalidRequestError that names the wrong setting.
        """
        manifest = self._manifests.get(provider)
        if manifest is None or manifest.category != "ticketing":
            raise NotFoundError(
                f"there is no provider {provider!r}", remediation=f"There are: {', '.join(self.providers)}."
            )
        try:
            settings = manifest.config.model_validate(dict(config))
        except ValidationError as error:
            fields = {"/" + "/".join(map(str, one["loc"])): one["msg"] for one in error.errors()}
            raise InvalidRequestError(f"the settings of {name} are not valid", fields=fields) from error
        inbound = None
        if manifest.inbound is not None and webhook_secrets is not None:
            inbound = manifest.inbound(settings, webhook_secrets)
        return Connector(
            name,
            manifest.build(settings, tools),
            FieldMappings.from_settings(effective(manifest.mapping_defaults, mapping or {})),
            inbound=inbound,
            clock=tools.clock,
        )


class ConnectorState(StrEnum):
    """How a connector stands."""

    DISCONNECTED = "disconnected"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    SYNCING = "syncing"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class ConnectorStatus:
    """A connector's state since when, with the error that caused it and what it warns of."""

    name: str
    state: ConnectorState
    since: datetime
    error: CalloutError | None = None
    warnings: tuple[str, ...] = ()


@dataclass(slots=True)
class _Member:
    connector: Connector
    status: ConnectorStatus
    running: int = 0


class Manager:
    """Holds connectors, which may be added, changed and removed at any time, also while syncs run.

    Args:
        on_state: told of every change of state.
        clock: for `since`.
    """

    def __init__(
        self,
        *,
        on_state: Callable[[ConnectorStatus], None] = lambda _status: None,
        clock: Clock | None = None,
    ) -> None:
        self._on_state = on_state
        self._clock = clock or SystemClock()
        self._members: dict[str, _Member] = {}
        self._turns: dict[tuple[str, str], asyncio.Lock] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all connectors, in the order in which they were added."""
        return tuple(self._members)

    def status(self, name: str) -> ConnectorStatus:
        """Return how a connector stands. Raises NotFoundError."""
        return self._member(name).status

    def get(self, name: str) -> Connector:
        """Return a connector. Raises NotFoundError."""
        return self._member(name).connector

    async def add(self, connector: Connector) -> ConnectorStatus:
        """Add a connector and try it; one that fails stays, in state ERROR, and is tried again by :meth:`connect`.

        Raises ConflictError when the name is taken.
        """
        if connector.name in self._members:
            raise ConflictError(
                f"there is a connector {connector.name!r}", remediation="Use change() to replace it."
            )
        status = ConnectorStatus(connector.name, ConnectorState.DISCONNECTED, self._clock.now())
        self._members[connector.name] = _Member(connector, status)
        return await self.connect(connector.name)

    async def change(self, connector: Connector) -> ConnectorStatus:
        """Put another connector in the place of the one of its name, and try it. Syncs that run end with the old one."""
        member = self._member(connector.name)
        member.connector = connector
        return await self.connect(connector.name)

    def remove(self, name: str) -> None:
        """Forget a connector; syncs that run end by themselves. Raises NotFoundError."""
        member = self._member(name)
        del self._members[name]
        self._on_state(replace(member.status, state=ConnectorState.DISCONNECTED, since=self._clock.now()))

    async def connect(self, name: str) -> ConnectorStatus:
        """Try a connector. Its status says what came of it; nothing of the vendor's is raised."""
        member = self._member(name)
        tried = member.connector
        self._enter(member, ConnectorState.CONNECTING)
        try:
            report = await tried.check()
        except CalloutError as error:
            if member.connector is tried:
                self._enter(member, ConnectorState.ERROR, error=error)
            return member.status
        if member.connector is tried:
            state = ConnectorState.CONNECTED if report.ok else ConnectorState.ERROR
            bad = None if report.ok else ConnectorError("; ".join(report.warnings) or "the check failed")
            self._enter(member, state, error=bad, warnings=report.warnings)
        return member.status

    async def sync(
        self, name: str, values: Mapping[str, Any], ticket_id: str, state: LinkState | None = None
    ) -> SyncResult:
        """Sync one pair; those of one record run one after the other. Raises NotFoundError, ConnectorError and its kinds."""
        member = self._member(name)
        turn = self._turns.setdefault((name, ticket_id), asyncio.Lock())
        async with turn:
            member.running += 1
            self._enter(member, ConnectorState.SYNCING)
            try:
                result = await member.connector.sync(values, ticket_id, state)
            except CalloutError as error:
                member.running -= 1
                self._enter(member, ConnectorState.ERROR, error=error)
                raise
            except BaseException:
                member.running -= 1
                self._enter(member, ConnectorState.CONNECTED)
                raise
            member.running -= 1
            self._enter(member, ConnectorState.SYNCING if member.running else ConnectorState.CONNECTED)
        if not turn.locked():
            self._turns.pop((name, ticket_id), None)
        return result

    def _member(self, name: str) -> _Member:
        member = self._members.get(name)
        if member is None:
            raise NotFoundError(
                f"there is no connector {name!r}", remediation=f"There are: {', '.join(self._members)}."
            )
        return member

    def _enter(
        self,
        member: _Member,
        state: ConnectorState,
        *,
        error: CalloutError | None = None,
        warnings: tuple[str, ...] = (),
    ) -> None:
        if self._members.get(member.connector.name) is not member:
            return  # removed meanwhile
        if state is member.status.state and error is None:
            return
        member.status = ConnectorStatus(member.connector.name, state, self._clock.now(), error, warnings)
        self._on_state(member.status)
