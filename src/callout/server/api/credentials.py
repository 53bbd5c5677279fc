"""REST for credentials: stored encrypted, told apart by their kind, and never shown again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Body, Depends, Path, Response
from pydantic import BaseModel, Field

from callout.access.listing import apply
from callout.integrations import CredentialRecord
from callout.ports.errors import ForbiddenError, InvalidRequestError, NotFoundError
from callout.server.listings import ListQuery, list_query, names_of
from callout.server.manage import ERRORS, Moment, Office, ThisErrand, without_nulls
from callout.server.patching import PatchOperation, chosen, patched
from callout.storage import AccountTx

router = APIRouter(prefix="/v1/credentials", tags=["credentials"], responses=ERRORS)
Owner = Annotated[str, Path(max_length=200, description="Account or integration, by id or name.")]
CredentialName = Annotated[str, Path(max_length=200, description="Credential, by id or name.")]
OwnerType = Literal["account", "integration", "integration_point", "organization_webhook"]
_KNOWN: Final = names_of(CredentialRecord)
_WRITABLE: Final = frozenset({"name", "fullname", "expires", "config"})


class CredentialBody(BaseModel):
    """A new credential."""

    name: str | None = Field(None, max_length=255)
    fullname: str | None = None
    config: dict[str, Any] | None = Field(
        None,
        description="`type` and its parts: `basic` (username, secret), `token`, `secret` (secret), `o_auth_client` "
        "(client_id, client_secret, token_url), `tls_certificate` (certificate, private_key).",
        json_schema_extra={"writeOnly": True},
    )
    owner_type: OwnerType | None = None
    expires: Moment | None = None


class CredentialReplacement(BaseModel):
    """A credential as it was read, with changes; a `config` that is only its type leaves the secret as it is."""

    name: str = Field(max_length=255)
    fullname: str
    config: dict[str, Any] | None = Field(None, json_schema_extra={"writeOnly": True})
    expires: Moment | None = None
    updated_at: datetime

    def changes(self) -> dict[str, Any]:
        """Return the new values by field."""
        values: dict[str, Any] = {"name": self.name, "fullname": self.fullname, "expires": self.expires}
        if self.config is not None and set(self.config) - {"type"}:
            values["config"] = self.config
        return values


class ConfigOut(BaseModel):
    """The kind of a credential."""

    type: str


class CredentialOut(BaseModel):
    """A credential without its secrets."""

    id: str
    name: str
    fullname: str
    created_at: datetime
    updated_at: datetime
    owner_type: OwnerType
    managed: Literal["Managed", "Unmanaged"]
    config: ConfigOut
    account_id: str | None = None
    integration_id: str | None = None
    integration_point_id: str | None = None
    organization_webhook_id: str | None = None
    expires: datetime | None = None


class OneCredential(BaseModel):
    """A credential."""

    result: CredentialOut


class ManyCredentials(BaseModel):
    """Credentials."""

    result: list[CredentialOut]


def credential_out(one: CredentialRecord) -> dict[str, Any]:
    """Return a credential as the API shows it."""
    owner = {} if one.owner_type == "account" else {f"{one.owner_type}_id": one.owner_id}
    return without_nulls(
        {
            "id": one.id,
            "name": one.name,
            "fullname": one.fullname,
            "created_at": one.created_at,
            "updated_at": one.updated_at,
            "owner_type": one.owner_type,
            "managed": one.managed,
            "config": {"type": one.kind},
            "account_id": one.account_id,
            **owner,
            "expires": one.expires,
        }
    )


async def _owner(office: Office, owner: str, permission: str) -> tuple[AccountTx, OwnerType, str]:
    """Return the account, the kind and the id of an owner: an account, else an integration that the caller's token opens.

    Raises ForbiddenError, NotFoundError.
    """
    office.require(permission)
    try:
        account = await office.account(owner, permission)
    except NotFoundError:
        pass
    else:
        return office.tx.account(account.id), "account", account.id
    listed = await office.manage.integrations.list_all(office.tx)
    named = [one for one in listed.items if owner == one.id] or [
        one for one in listed.items if owner.lower() == one.name and office.caller.sees(one.account_id)
    ]
    if not named:
        raise NotFoundError(f"there is no account or integration {owner!r}")
    if len(named) > 1:
        raise InvalidRequestError(
            f"several accounts have an integration named {owner!r}",
            remediation="Use its id.",
            fields={"owner": "ambiguous"},
        )
    office.caller.require(permission, named[0].account_id)
    return office.tx.account(named[0].account_id), "integration", named[0].id


@router.get(
    "/lookup/{credential}",
    response_model=OneCredential,
    response_model_exclude_none=True,
    summary="Find a credential by its id",
)
async def lookup(credential: CredentialName, errand: ThisErrand) -> Response:
    """Read a credential without knowing its owner."""

    async def unit(office: Office) -> Mapping[str, Any]:
        office.require("credential.read")
        found = await office.manage.credentials.find(office.tx, credential)
        if not office.caller.sees(found.account_id):
            raise ForbiddenError(
                "the token does not open this account",
                remediation="Use a token whose resources name the account.",
            )
        return {"result": credential_out(found)}

    return await errand.read(unit)


@router.get(
    "/{owner}", response_model=ManyCredentials, response_model_exclude_none=True, summary="List credentials"
)
async def listing(
    owner: Owner, errand: ThisErrand, query: Annotated[ListQuery, Depends(list_query)]
) -> Response:
    """List the credentials of an account or an integration."""

    async def unit(office: Office) -> Mapping[str, Any]:
        mine, _, owner_id = await _owner(office, owner, "credential.read")
        found = await office.manage.credentials.list(mine, owner_id)
        page = apply(found, query.listing(_KNOWN), lambda one: {name: getattr(one, name) for name in _KNOWN})
        return {"result": [credential_out(one) for one in page.items]}

    return await errand.read(unit)


@router.get(
    "/{owner}/{credential}",
    response_model=OneCredential,
    response_model_exclude_none=True,
    summary="Read a credential",
)
async def read(owner: Owner, credential: CredentialName, errand: ThisErrand) -> Response:
    """Read a credential, without its secrets."""

    async def unit(office: Office) -> Mapping[str, Any]:
        mine, _, owner_id = await _owner(office, owner, "credential.read")
        found = await office.manage.credentials.get(mine, credential, owner_id=owner_id)
        return {"result": credential_out(found)}

    return await errand.read(unit)


@router.post(
    "/{owner}", response_model=OneCredential, response_model_exclude_none=True, summary="Create a credential"
)
async def create(owner: Owner, body: CredentialBody, errand: ThisErrand) -> Response:
    """Store a credential, encrypted."""
    if body.config is None:
        raise InvalidRequestError("config is missing", fields={"/config": "missing"})
    config = body.config

    async def unit(office: Office) -> Mapping[str, Any]:
        mine, kind, owner_id = await _owner(office, owner, "credential.write")
        if body.owner_type not in {None, kind}:
            raise InvalidRequestError(f"the owner is an {kind}", fields={"/owner_type": f"is {kind}"})
        made = await office.manage.credentials.create(
            mine,
            config=config,
            actor=office.caller.actor,
            origin=office.origin,
            owner_type=kind,
            owner_id=owner_id,
            name=body.name,
            fullname=body.fullname,
            expires=body.expires,
        )
        return {"result": credential_out(made)}

    return await errand.write(unit)


@router.put(
    "/{owner}/{credential}",
    response_model=OneCredential,
    response_model_exclude_none=True,
    summary="Replace a credential",
)
async def replace(
    owner: Owner, credential: CredentialName, body: CredentialReplacement, errand: ThisErrand
) -> Response:
    """Change a credential to what is sent; its owner cannot change."""

    async def unit(office: Office) -> Mapping[str, Any]:
        mine, _, owner_id = await _owner(office, owner, "credential.write")
        found = await office.manage.credentials.get(mine, credential, owner_id=owner_id)
        return {
            "result": await _changed(office, mine, found, body.changes(), expected=body.updated_at),
        }

    return await errand.write(unit)


@router.patch(
    "/{owner}/{credential}",
    response_model=OneCredential,
    response_model_exclude_none=True,
    summary="Change a credential",
)
async def patch(
    owner: Owner,
    credential: CredentialName,
    operations: Annotated[list[PatchOperation], Body()],
    errand: ThisErrand,
) -> Response:
    """Change a credential by add, remove and replace on `/name`, `/fullname`, `/expires` and below `/config`."""
    for number, one in enumerate(operations):
        if one.op not in {"add", "remove", "replace"}:
            raise InvalidRequestError(
                f"a credential cannot be patched by {one.op}",
                fields={f"/{number}/op": "add, remove or replace"},
            )

    async def unit(office: Office) -> Mapping[str, Any]:
        mine, _, owner_id = await _owner(office, owner, "credential.write")
        found = await office.manage.credentials.get(mine, credential, owner_id=owner_id)
        parts = await office.manage.credentials.parts(mine, found.id)
        before = {**credential_out(found), "config": {"type": found.kind, **parts.plain}}
        whole, names = patched(operations, before, CredentialReplacement, writable=_WRITABLE)
        changes = chosen(whole.changes(), names)
        if "config" in changes:
            # What the patch does not name stays, the secret parts too, which it could not see.
            changes["config"] = parts.overlaid(changes["config"])
        return {"result": await _changed(office, mine, found, changes)}

    return await errand.write(unit)


async def _changed(
    office: Office,
    mine: AccountTx,
    found: CredentialRecord,
    changes: Mapping[str, Any],
    *,
    expected: datetime | None = None,
) -> dict[str, Any]:
    after = await office.manage.credentials.update(
        mine,
        found.id,
        changes=changes,
        actor=office.caller.actor,
        origin=office.origin,
        expected=expected,
    )
    return credential_out(after)


@router.delete("/{owner}/{credential}", status_code=204, summary="Remove a credential")
async def delete(owner: Owner, credential: CredentialName, errand: ThisErrand) -> Response:
    """Remove a credential that no integration uses."""

    async def unit(office: Office) -> None:
        mine, _, owner_id = await _owner(office, owner, "credential.write")
        found = await office.manage.credentials.get(mine, credential, owner_id=owner_id)
        await office.manage.credentials.delete(
            mine, found.id, actor=office.caller.actor, origin=office.origin
        )

    return await errand.write(unit)
