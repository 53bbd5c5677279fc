"""Where the credentials in a provider config go: stored encrypted, rotated in place, or referred to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from callout.integrations.credential_kinds import CredentialParts, CredentialReference
from callout.integrations.credentials import CredentialRecord, Credentials, references
from callout.integrations.oauth import OAuthTokens
from callout.integrations.provider_config import CheckedConfig
from callout.kit.clock import Clock
from callout.kit.secrets import KeyRing, Secret
from callout.ports.errors import InvalidRequestError, NotFoundError
from callout.ports.values import Actor, Origin
from callout.storage import AccountTx


class CredentialPlaces:
    """Takes inline credentials out of a checked config and leaves references in their place."""

    def __init__(self, credentials: Credentials, keys: KeyRing, clock: Clock) -> None:
        self._credentials = credentials
        self._keys = keys
        self._clock = clock

    async def place(
        self,
        tx: AccountTx,
        integration_id: str,
        checked: CheckedConfig,
        before: Mapping[str, str],
        *,
        actor: Actor,
        origin: Origin | None,
    ) -> tuple[dict[str, Any], tuple[CredentialRecord, ...]]:
        """Store inline credentials, check references; return the config to store and the credentials made."""
        stored: dict[str, Any] = dict(checked.settings)
        made: list[CredentialRecord] = []
        for field, given in checked.credentials.items():
            if isinstance(given, CredentialReference):
                record = await self._referred(tx, integration_id, given, field)
            else:
                record = await self._own(
                    tx, integration_id, given, before.get(field), actor=actor, origin=origin
                )
                if record.id != before.get(field):
                    made.append(record)
                await self._keep_grant(tx, integration_id, given)
            stored[field] = CredentialReference(record.kind, record.id).to_json()
        await self._credentials.delete_owned(
            tx, integration_id, keep=tuple(references(stored).values()) or ("",)
        )
        return stored, tuple(made)

    async def _own(
        self,
        tx: AccountTx,
        integration_id: str,
        given: CredentialParts,
        former_id: str | None,
        *,
        actor: Actor,
        origin: Origin | None,
    ) -> CredentialRecord:
        """Rotate the credential that stood there when it was ours and of the same kind, else make one."""
        # The rotating halves of a grant live with the other rotating tokens, not here.
        lasting = {k: v for k, v in given.secrets.items() if k not in {"access_token", "refresh_token"}}
        parts = CredentialParts(given.kind, given.plain, lasting)
        if former_id is not None:
            former = await self._credentials.get(tx, former_id)
            if (
                former.managed == "Managed"
                and former.owner_id == integration_id
                and former.kind == parts.kind
            ):
                return await self._credentials.update(
                    tx, former_id, changes={"config": parts}, actor=actor, origin=origin
                )
        return await self._credentials.create(
            tx,
            config=parts,
            actor=actor,
            origin=origin,
            owner_type="integration",
            owner_id=integration_id,
            managed=True,
        )

    async def _keep_grant(self, tx: AccountTx, integration_id: str, given: CredentialParts) -> None:
        refresh = given.secrets.get("refresh_token")
        access = given.secrets.get("access_token")
        if refresh is not None or access is not None:
            await OAuthTokens.put(
                tx, self._keys, self._clock, integration_id, access=access or Secret(""), refresh=refresh
            )

    async def _referred(
        self, tx: AccountTx, integration_id: str, reference: CredentialReference, field: str
    ) -> CredentialRecord:
        pointer = f"/provider_config/{field}/value"
        try:
            record = await self._credentials.get(tx, reference.value)
        except NotFoundError:
            raise InvalidRequestError(
                "the credential that is referred to does not exist", fields={pointer: "no such credential"}
            ) from None
        if record.kind != reference.kind:
            raise InvalidRequestError(
                f"the credential that is referred to is of the kind {record.kind}",
                fields={pointer: "another kind"},
            )
        if record.owner_type == "integration" and record.owner_id != integration_id:
            raise InvalidRequestError(
                "the credential that is referred to belongs to another integration",
                fields={pointer: "belongs to another integration"},
            )
        return record
