"""The integrations of an account: created, read, changed, removed, and opened for a connector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from sqlalchemy import or_, select, update

from callout.access.listing import EVERYTHING, Listed, Listing, apply
from callout.access.naming import choose_names, clean_fullname, clean_name
from callout.access.stamps import next_update, refuse_stale
from callout.access.tokens import Tokens
from callout.access.version import SettingsVersion
from callout.audit import Audit
from callout.integrations import provider_config as configs
from callout.integrations.credentials import CredentialRecord, Credentials, references
from callout.integrations.model import Integration, Placed, Saved
from callout.integrations.oauth import OAuthTokens
from callout.integrations.placement import CredentialPlaces
from callout.integrations.problems import IMPORTED
from callout.integrations.tables import (
    integration_event,
    integration_health,
    integration_problem,
    integration_usage,
    integrations,
    oauth_tokens,
    pauses,
)
from callout.integrations.webhook_config import WebhookConfigs
from callout.kit.clock import Clock
from callout.kit.ids import new_id, random_token
from callout.kit.secrets import KeyRing, Secret, hash_token
from callout.ports.errors import ConflictError, InvalidRequestError, NotFoundError
from callout.ports.inbound import WebhookSecrets
from callout.ports.manifest import Credential, Manifest
from callout.ports.values import Actor, Origin
from callout.storage import AccountTx, Tx
from callout.storage.reading import AnyRow, Reading
from callout.storage.upsert import insert_or_ignore

HOOK_PREFIX: Final = "co_hook_"
RESERVED: Final = frozenset({"plan", "shadow", "verify"})
"""Names that would stand where an address has a word of its own."""
_ENABLED: Final = Reading(integrations, "category", "enabled", order="name")
_YES: Final = True
_OPTIONAL: Final = (
    "integration_point_id",
    "bridge_selector",
    "mappings",
    "additional_mappings",
    "scheduled_operations",
)
_CHANGEABLE: Final = frozenset(
    {"name", "fullname", "provider_config", "webhook_config", "settings", "enabled", *_OPTIONAL}
)


class Integrations:
    """The service. `manifests` says which providers there are; connectors themselves are not known here."""

    def __init__(
        self,
        clock: Clock,
        audit: Audit,
        version: SettingsVersion,
        *,
        tokens: Tokens,
        credentials: Credentials,
        keys: KeyRing,
        manifests: Mapping[str, Manifest],
    ) -> None:
        self._clock = clock
        self._audit = audit
        self._version = version
        self._tokens = tokens
        self._credentials = credentials
        self._keys = keys
        self._manifests = manifests
        self._webhooks = WebhookConfigs(keys)
        self._places = CredentialPlaces(credentials, keys, clock)

    async def create(
        self,
        tx: AccountTx,
        *,
        provider_config: object,
        actor: Actor,
        origin: Origin | None = None,
        name: str | None = None,
        fullname: str | None = None,
        webhook_config: object = None,
        settings: Mapping[str, Any] | None = None,
        enabled: bool = True,
        more: Mapping[str, Any] | None = None,
    ) -> Saved:
        """Create an integration; nothing is asked of the vendor.

        Inline credentials are taken out and stored encrypted; the stored config refers to them.

        Args:
            tx: the account.
            provider_config: the contract's union on `type`.
            actor: who does it.
            origin: by which way in.
            name: unique slug within the account.
            fullname: for people.
            webhook_config: keys and receivers of its webhooks.
            settings: our own settings by feature.
            enabled: whether it takes part at all.
            more: the contract's further optional fields.

        Raises InvalidRequestError, ConflictError.
        """
        checked = configs.check(provider_config, self._manifests)
        integration_id, now = new_id(), self._clock.now()
        within = integrations.c.account_id == tx.account_id
        chosen, full = await choose_names(
            tx.system, integrations, name=name, fullname=fullname, record_id=integration_id, within=within
        )
        if chosen in RESERVED:
            if name:
                raise _reserved(chosen)
            chosen = integration_id
        place = (tx.account_id, integration_id)
        hook_token = Secret(HOOK_PREFIX + random_token(32))
        token = await self._tokens.create_for_integration(
            tx.system, account_id=tx.account_id, integration_id=integration_id, actor=actor, origin=origin
        )
        row: dict[str, Any] = {
            "id": integration_id,
            "account_id": tx.account_id,
            "name": chosen,
            "fullname": full,
            "category": checked.manifest.provider.partition("_")[0],
            "provider_type": checked.manifest.provider,
            "provider_fullname": checked.manifest.title,
            "provider_config": {},
            "webhook_config": self._webhooks.store(webhook_config, place, now=now),
            "refresh_token_id": token.id,
            "enabled": enabled,
            "settings": _settings(settings),
            "hook_token_hash": hash_token(hook_token),
            "hook_token_sealed": self._keys.seal(hook_token, context=(*place, "hook_token")),
            "created_at": now,
            "updated_at": now,
            **{name: (more or {}).get(name) for name in _OPTIONAL},
        }
        if not await tx.system.execute(insert_or_ignore(tx.system, integrations, row)):
            raise _taken(chosen)
        stored, made = await self._places.place(tx, integration_id, checked, {}, actor=actor, origin=origin)
        await tx.execute(
            tx.update(integrations).where(integrations.c.id == integration_id).values(provider_config=stored),
        )
        await self._record(
            tx,
            "integration.created",
            integration_id,
            {"name": chosen, "provider": checked.manifest.provider},
            actor=actor,
            origin=origin,
        )
        await self._version.bump(tx.system)
        return Saved(await self.get(tx, integration_id), made, checked.warnings, token)

    async def get(self, tx: AccountTx, id_or_name: str) -> Integration:
        """Return the account's integration with that id or name. Raises NotFoundError."""
        named = or_(integrations.c.id == id_or_name, integrations.c.name == id_or_name.lower())
        rows = await tx.all(tx.select(integrations).where(named))
        if not rows:
            raise NotFoundError(
                f"there is no integration {id_or_name!r}",
                remediation="List the integrations to find its name or id.",
            )
        return self._integration(min(rows, key=lambda row: row["id"] != id_or_name))

    async def list(self, tx: AccountTx, listing: Listing = EVERYTHING) -> Listed[Integration]:
        """Return the account's integrations. Raises InvalidRequestError for a bad filter or order."""
        return self._listed(await tx.all(tx.select(integrations).order_by(integrations.c.name)), listing)

    async def list_all(
        self, tx: Tx, listing: Listing = EVERYTHING, *, among: frozenset[str] | None = None
    ) -> Listed[Integration]:
        """Return integrations of all accounts, or of those in `among`. Raises InvalidRequestError."""
        rows = await tx.all(select(integrations).order_by(integrations.c.name, integrations.c.id))
        return self._listed([row for row in rows if among is None or row["account_id"] in among], listing)

    async def placed(self, tx: Tx, *, enabled_of: str | None = None) -> Sequence[Placed]:
        """Return which integrations there are, of all accounts, or the enabled ones of a category; nothing of them is decrypted."""
        columns = integrations.c
        query = select(columns.id, columns.account_id, columns.provider_type)
        if enabled_of is not None:
            query = query.where(columns.category == enabled_of, columns.enabled.is_(True))
        return [Placed(*row.values()) for row in await tx.all(query)]

    async def unopened(self, tx: Tx, category: str) -> Sequence[Integration]:
        """Return the enabled integrations of a category, of all accounts, by name, with their secrets left sealed or out."""
        query = select(integrations).where(
            integrations.c.category == category, integrations.c.enabled.is_(True)
        )
        rows = await tx.all(query.order_by(integrations.c.name, integrations.c.id))
        return [Integration(**_plain(row), hook_token=Secret("")) for row in rows]

    async def of_category(self, tx: AccountTx, category: str) -> Sequence[Integration]:
        """Return the account's enabled integrations of one category, by name."""
        return [self._integration(row) for row in await _ENABLED.of_account(tx, category, _YES)]

    async def enabled_of(self, tx: Tx, category: str) -> Sequence[Integration]:
        """Return the enabled integrations of one category in all accounts, by id."""
        query = select(integrations).where(
            integrations.c.category == category, integrations.c.enabled.is_(True)
        )
        return [self._integration(row) for row in await tx.all(query.order_by(integrations.c.id))]

    async def update(
        self,
        tx: AccountTx,
        integration_id: str,
        *,
        changes: Mapping[str, Any],
        actor: Actor,
        origin: Origin | None = None,
        expected: datetime | None = None,
    ) -> Saved:
        """Change an integration; fields that `changes` does not name stay.

        An inline credential takes the place of the one before it. `expected` is `updated_at` as the caller
        read it.

        Raises NotFoundError, InvalidRequestError, ConflictError.
        """
        before = await self.get(tx, integration_id)
        refuse_stale(expected, before.updated_at)
        unknown = sorted(set(changes) - _CHANGEABLE)
        if unknown:
            raise InvalidRequestError(
                f"cannot change {', '.join(unknown)} of an integration",
                fields={f"/{name}": "cannot be changed" for name in unknown},
            )
        values, place = await self._plain_changes(tx, before, changes), (tx.account_id, before.id)
        if "webhook_config" in changes:
            stored = await tx.one(tx.select(integrations).where(integrations.c.id == before.id))
            previous = None if stored is None else stored["webhook_config"]
            values["webhook_config"] = self._webhooks.store(
                changes["webhook_config"], place, previous=previous, now=self._clock.now()
            )
        made: tuple[CredentialRecord, ...] = ()
        warnings: tuple[str, ...] = ()
        if "provider_config" in changes:
            checked = configs.check(changes["provider_config"], self._manifests)
            if checked.manifest.provider != before.provider_type:
                raise InvalidRequestError(
                    "the provider of an integration cannot change",
                    remediation="Create another integration.",
                    fields={"/provider_config/type": "cannot be changed"},
                )
            values["provider_config"], made = await self._places.place(
                tx, before.id, checked, references(before.provider_config), actor=actor, origin=origin
            )
            warnings = checked.warnings
        if values.get("enabled") and not before.enabled:
            await self._switch_on(tx, before, values.get("provider_config", before.provider_config))
        values["updated_at"] = next_update(self._clock, before.updated_at)
        await tx.execute(tx.update(integrations).where(integrations.c.id == before.id).values(**values))
        await self._record(
            tx, "integration.updated", before.id, {"changed": sorted(changes)}, actor=actor, origin=origin
        )
        await self._version.bump(tx.system)
        return Saved(await self.get(tx, before.id), made, warnings)

    async def put_settings(
        self,
        tx: AccountTx,
        integration_id: str,
        *,
        feature: str,
        value: Mapping[str, Any],
        actor: Actor,
        origin: Origin | None = None,
    ) -> Saved:
        """Replace the settings of one feature (`sync`, `chat`), which has checked them. Raises NotFoundError."""
        before = await self.get(tx, integration_id)
        settings = {**before.settings, feature: dict(value)}
        return await self.update(tx, before.id, changes={"settings": settings}, actor=actor, origin=origin)

    async def delete(
        self, tx: AccountTx, integration_id: str, *, actor: Actor, origin: Origin | None = None
    ) -> None:
        """Remove an integration with its credentials and pauses; its tokens die at once. Raises
        NotFoundError.
        """
        before = await self.get(tx, integration_id)
        await self._tokens.revoke_owner(tx.system, "integration", before.id, actor=actor, origin=origin)
        await self._credentials.delete_owned(tx, before.id)
        for table in (
            oauth_tokens,
            integration_health,
            integration_problem,
            integration_event,
            integration_usage,
        ):
            await tx.execute(tx.delete(table).where(table.c.integration_id == before.id))
        await tx.execute(
            tx.delete(pauses).where(pauses.c.scope == "integration", pauses.c.scope_id == before.id)
        )
        await tx.execute(tx.delete(integrations).where(integrations.c.id == before.id))
        data = {"name": before.name, "provider": before.provider_type}
        await self._record(tx, "integration.deleted", before.id, data, actor=actor, origin=origin)
        await self._version.bump(tx.system)

    async def credential_of(
        self, tx: AccountTx, integration: Integration, field: str = "credential"
    ) -> Credential | None:
        """Return the decrypted credential in a field of the provider config; None for a provider that needs
        none.

        Raises NotFoundError when the credential is gone, SealError when our keys do not open it.
        """
        reference = references(integration.provider_config).get(field)
        return None if reference is None else await self._credentials.reveal(tx, reference)

    async def webhook_secrets(self, tx: AccountTx, integration: Integration) -> WebhookSecrets:
        """Return the keys that the vendor's webhooks are verified with. Raises NotFoundError, SealError."""
        row = await tx.one(tx.select(integrations).where(integrations.c.id == integration.id))
        if row is None:
            raise NotFoundError(f"there is no integration {integration.id!r}")
        place = (row["account_id"], row["id"])
        keys = self._webhooks.provider_keys(row["webhook_config"], place, self._clock.now())
        credential = await self.credential_of(tx, integration)
        if credential is None or credential.kind != "o_auth_client":
            return WebhookSecrets(keys)
        return WebhookSecrets(
            keys, credential.secrets.get("client_secret"), credential.values.get("client_id", "")
        )

    def config_of(self, integration: Integration) -> Any:  # noqa: ANN401  # the connector's own model
        """Return the connector's settings object. Raises InvalidRequestError, NotFoundError for a provider
        that is gone.
        """
        return configs.validate(self.manifest_of(integration), integration.provider_config)

    def manifest_of(self, integration: Integration | Placed) -> Manifest:
        """Return what describes the provider. Raises NotFoundError when this version no longer has it."""
        manifest = self._manifests.get(integration.provider_type)
        if manifest is None:
            raise NotFoundError(f"this version has no provider {integration.provider_type!r}")
        return manifest

    async def by_hook_token(self, tx: Tx, token: Secret) -> Integration | None:
        """Return the integration whose hook token this is, in any account."""
        row = await tx.one(select(integrations).where(integrations.c.hook_token_hash == hash_token(token)))
        return None if row is None else self._integration(row)

    async def by_hook_path(self, tx: Tx, integration_id: str) -> Integration | None:
        """Return the integration that a webhook address names by its id, in any account."""
        row = await tx.one(select(integrations).where(integrations.c.id == integration_id))
        return None if row is None else self._integration(row)

    async def rotate_hook_token(
        self, tx: AccountTx, integration_id: str, *, actor: Actor, origin: Origin | None = None
    ) -> Integration:
        """Give the integration a new hook token; the old one is refused at once. Raises NotFoundError."""
        before = await self.get(tx, integration_id)
        token = Secret(HOOK_PREFIX + random_token(32))
        sealed = self._keys.seal(token, context=(tx.account_id, before.id, "hook_token"))
        values = {"hook_token_hash": hash_token(token), "hook_token_sealed": sealed}
        moved = next_update(self._clock, before.updated_at)
        await tx.execute(
            tx.update(integrations).where(integrations.c.id == before.id).values(**values, updated_at=moved),
        )
        await self._record(tx, "integration.hook_token_rotated", before.id, {}, actor=actor, origin=origin)
        await self._version.bump(tx.system)
        return await self.get(tx, before.id)

    async def rewrap(self, tx: Tx) -> int:
        """Seal everything of integrations that an older key sealed with the primary key; return how many
        records.

        Safe while others work, and to repeat.
        """
        done = await self._credentials.rewrap(tx) + await OAuthTokens.rewrap(tx, self._keys)
        for row in await tx.all(select(integrations)):
            place = (row["account_id"], row["id"])
            webhook = self._webhooks.rewrap(row["webhook_config"], place)
            hook = self._keys.rewrap(row["hook_token_sealed"], context=(*place, "hook_token"))
            if webhook is row["webhook_config"] and hook == row["hook_token_sealed"]:
                continue
            # Only over what was read; `updated_at` moves with every other change.
            done += await tx.execute(
                update(integrations)
                .where(integrations.c.id == row["id"], integrations.c.updated_at == row["updated_at"])
                .values(webhook_config=webhook, hook_token_sealed=hook),
            )
        return done

    async def _switch_on(self, tx: AccountTx, before: Integration, config: Mapping[str, Any]) -> None:
        """Refuse what lacks a credential, and end the problem of having come with an import. Raises ConflictError."""
        missing = await self._credentials.lacking(tx, references(config).values())
        if missing:
            raise ConflictError(
                f"a credential of {before.name} is to be entered again ({', '.join(missing)}): an export holds no secrets",
                remediation="Enter it on the integration's page, or by `callout integration set --config`.",
            )
        place = (integration_problem.c.integration_id == before.id, integration_problem.c.kind == IMPORTED)
        await tx.execute(tx.delete(integration_problem).where(*place))

    async def _plain_changes(
        self, tx: AccountTx, before: Integration, changes: Mapping[str, Any]
    ) -> dict[str, Any]:
        values: dict[str, Any] = {name: changes[name] for name in _OPTIONAL if name in changes}
        if "enabled" in changes:
            values["enabled"] = bool(changes["enabled"])
        if "settings" in changes:
            values["settings"] = _settings(changes["settings"])
        if "fullname" in changes:
            values["fullname"] = clean_fullname(changes["fullname"])
        if "name" in changes:
            values["name"] = clean_name(changes["name"])
            if values["name"] in RESERVED:
                raise _reserved(values["name"])
            same = tx.select(integrations.c.id).where(
                integrations.c.name == values["name"], integrations.c.id != before.id
            )
            if await tx.scalar(same) is not None:
                raise _taken(values["name"])
        return values

    def _listed(self, rows: Any, listing: Listing) -> Listed[Integration]:  # noqa: ANN401
        return apply([self._integration(row) for row in rows], listing, _fields)

    def _integration(self, row: AnyRow) -> Integration:
        place = (row["account_id"], row["id"])
        fields = _plain(row)
        fields["webhook_config"] = self._webhooks.open(row["webhook_config"], place)
        hook_token = self._keys.open(row["hook_token_sealed"], context=(*place, "hook_token"))
        return Integration(**fields, hook_token=hook_token)

    async def _record(
        self,
        tx: AccountTx,
        action: str,
        integration_id: str,
        data: Mapping[str, Any],
        *,
        actor: Actor,
        origin: Origin | None,
    ) -> None:
        await self._audit.record(
            tx,
            action=action,
            actor=actor,
            origin=origin,
            subject_type="integration",
            subject_id=integration_id,
            integration_id=integration_id,
            data=data,
        )


def _plain(row: AnyRow) -> dict[str, Any]:
    return {k: v for k, v in row.items() if k not in {"hook_token_hash", "hook_token_sealed"}}


def _fields(integration: Integration) -> dict[str, Any]:
    hidden = {"provider_config", "webhook_config", "settings", "hook_token"}
    return {k: v for k, v in asdict(integration).items() if k not in hidden}


def _settings(value: object) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InvalidRequestError("settings must be an object", fields={"/settings": "not an object"})
    return dict(value)


def _reserved(name: str) -> InvalidRequestError:
    return InvalidRequestError(f"{name!r} cannot be the name of an integration", fields={"/name": "reserved"})


def _taken(name: str) -> ConflictError:
    return ConflictError(f"there is an integration named {name!r} already", fields={"/name": "taken"})
