"""What the management API stands on: the services of the core, and asking a vendor whether an integration works."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from callout.access import Logons
from callout.bootstrap.registry import MANIFESTS
from callout.integrations import Credentials, History
from callout.integrations.credential_kinds import CredentialParts, CredentialReference, read_credential
from callout.integrations.provider_config import check as check_config
from callout.integrations.provider_config import validate
from callout.kit.secrets import Secret
from callout.ports.errors import CalloutError, InvalidRequestError, PermissionDeniedError, UnavailableError
from callout.ports.manifest import Credential, TokenSet
from callout.server.manage import Management
from callout.sync import learning

if TYPE_CHECKING:
    from callout.bootstrap.connections import Connections
    from callout.bootstrap.core import Core
    from callout.integrations import Integration
    from callout.ports.provider import ConnectionReport
    from callout.storage import Tx

PATIENCE: Final = 10.0
"""Seconds that a vendor is waited for when somebody asks whether an integration works."""
LISTED: Final = "#/"
"""How a trial names the credentials that come with it: `#/0`, `#/1` …"""


class Trials:
    """Asks vendors whether they let us in, and holds custom field mappings against what they have."""

    def __init__(self, core: Core, connections: Connections, credentials: Credentials) -> None:
        self._core = core
        self._connections = connections
        self._credentials = credentials

    async def check(self, account_id: str, integration_id: str) -> tuple[str, ...]:
        """Return what is not as it should be with an integration. Raises what stands in the way: ConnectorError and its kinds."""
        one = await self._core.database.read(
            lambda tx: self._core.integrations.get(tx.account(account_id), integration_id)
        )
        provider = await self._connections.provider(account_id, integration_id)
        warnings = await _asked(provider, one.provider_config)
        if one.category == "ticketing":
            await self._core.database.transaction(lambda tx: self._learn(tx, one))
        return warnings

    async def _learn(self, tx: Tx, one: Integration) -> None:
        """Have read what its tickets need, now that it can be reached."""
        job = learning.job_of(one.account_id, one.id, str(one.provider_config.get("default_project") or ""))
        if job.key not in await self._core.queue.waiting(tx, [str(job.key)]):
            await self._core.queue.enqueue_many(tx, [job])

    async def try_out(
        self, account_id: str, provider_config: Mapping[str, Any], listed: list[Any]
    ) -> tuple[str, ...]:
        """Return what is not as it should be with settings that are not stored. Raises what stands in the way."""
        checked = check_config(_resolved(provider_config, listed), MANIFESTS)
        given = checked.credentials.get("credential")
        credential = await self._core.database.read(lambda tx: self._credential(tx, account_id, given))
        provider = self._connections.unsaved(
            checked.manifest, validate(checked.manifest, checked.settings), credential, _OwnTokens(credential)
        )
        return checked.warnings + await _asked(provider, checked.settings)

    async def _credential(
        self, tx: Tx, account_id: str, given: CredentialParts | CredentialReference | None
    ) -> Credential:
        if given is None:
            return Credential("none")
        if isinstance(given, CredentialParts):
            return Credential(given.kind, given.values, given.secrets)
        mine = tx.account(account_id)
        pointer = "/integration/provider_config/credential/value"
        try:
            found = await self._credentials.reveal(mine, given.value)
        except CalloutError:
            raise InvalidRequestError(
                "the credential that is referred to does not exist", fields={pointer: "no such credential"}
            ) from None
        if found.kind != given.kind:
            raise InvalidRequestError(
                f"the credential that is referred to is of the kind {found.kind}",
                fields={pointer: "another kind"},
            )
        return found


class _OwnTokens:
    """The rotating tokens of a trial, which are forgotten with it."""

    def __init__(self, credential: Credential) -> None:
        access = credential.secrets.get("access_token")
        refresh = credential.secrets.get("refresh_token")
        self._tokens = None if access is None else TokenSet(access, refresh)

    async def current(self) -> TokenSet:
        return self._tokens or TokenSet(Secret(""))

    async def rotate(self, stale: TokenSet, exchange: Callable[[TokenSet], Awaitable[TokenSet]]) -> TokenSet:
        self._tokens = await exchange(stale)
        return self._tokens


def _resolved(config: Mapping[str, Any], listed: list[Any]) -> dict[str, Any]:
    """Return `config` with `#/n` replaced by the credentials that came with it. Raises InvalidRequestError."""
    made = dict(config)
    for name, value in config.items():
        if not isinstance(value, Mapping) or not isinstance(value.get("value"), str):
            continue
        place = value["value"]
        if not place.startswith(LISTED):
            continue
        number = place.removeprefix(LISTED)
        if not number.isdecimal() or len(number) > 3 or int(number) >= len(listed):  # noqa: PLR2004  # far more than there are
            raise InvalidRequestError(
                "there is no such credential in the list",
                fields={f"/integration/provider_config/{name}/value": "not in the list"},
            )
        one = listed[int(number)]
        inner = one.get("config", one) if isinstance(one, Mapping) else one
        read_credential(inner, f"/credentials/{number}")
        made[name] = inner
    return made


async def _asked(provider: Any, config: Mapping[str, Any]) -> tuple[str, ...]:  # noqa: ANN401  # a connector
    try:
        async with asyncio.timeout(PATIENCE):
            report: ConnectionReport = await provider.check_connection()
            if not report.ok:
                why = "; ".join(report.blocking or report.warnings) or "something is missing"
                raise PermissionDeniedError(f"the connection works, but not enough is allowed there: {why}")
            return (*report.warnings, *await _mapping_warnings(provider, config))
    except TimeoutError:
        raise UnavailableError(f"the other side did not answer within {PATIENCE:g} seconds") from None


async def _mapping_warnings(provider: Any, config: Mapping[str, Any]) -> tuple[str, ...]:  # noqa: ANN401
    """Return a warning for each custom field mapping whose field the vendor does not know."""
    mappings = config.get("custom_field_mappings") or ()
    if not mappings or not callable(getattr(provider, "list_remote_fields", None)):
        return ()
    fields = await provider.list_remote_fields()
    known = {name for one in fields for name in (one.id, one.path, one.path.removeprefix("fields.")) if name}
    missing = []
    for entry in mappings:
        path = str(entry.get("provider_field_path") or entry.get("project_field_path") or "")
        bare = path.removeprefix("fields.")
        if path not in known and bare not in known and bare.split(".")[0] not in known:
            missing.append(
                f"the custom field {entry.get('name')!r} is mapped to {path!r}, which the provider does not have: "
                "GET /v1/ticketing/remote-fields lists what it has"
            )
    return tuple(missing)


def management(core: Core, connections: Connections) -> Management:
    """Return what the management API needs."""
    credentials = Credentials(core.clock, core.audit, core.version, core.keys)
    trials = Trials(core, connections, credentials)
    return Management(
        organizations=core.organizations,
        accounts=core.accounts,
        members=core.members,
        logons=Logons(core.clock, core.audit, core.members, core.tokens),
        chat_codes=core.identities.codes,
        tokens=core.tokens,
        integrations=core.integrations,
        credentials=credentials,
        health=core.health,
        history=History(core.clock),
        audit=core.audit,
        check=trials.check,
        try_out=trials.try_out,
        changed=connections.forget,
    )
