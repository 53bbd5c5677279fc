"""REST for tokens: made, shown without their secrets, renewed, and ended."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, Field

from callout.access import RefreshToken, Token, TokenPair
from callout.access.listing import apply
from callout.audit import ORGANIZATION_ID
from callout.ports.errors import ForbiddenError, NotFoundError
from callout.server.answers import Shown
from callout.server.listings import ListQuery, list_query, names_of
from callout.server.manage import (
    ERRORS,
    AccountName,
    IntegrationName,
    Office,
    ThisErrand,
    without_nulls,
)

router = APIRouter(prefix="/v1/tokens", tags=["tokens"], responses=ERRORS)
TokenId = Annotated[str, Path(max_length=64, description="Id of the token.")]
PermissionSet = Literal[
    "administrator",
    "viewer",
    "member",
    "account-manager",
    "connect-ui",
    "token-issuer",
    "mcp-integrations-use-only",
    "mcp-management",
    "account-provisioner",
]
Every = Annotated[
    bool, Query(alias="all", description="All tokens that the caller's opens, integrations' among them.")
]
_KNOWN: Final = names_of(
    RefreshToken, without=frozenset({"primary", "secondary", "resources", "owner_account_id"})
)


class Scope(BaseModel):
    """Which accounts (`organizations` and `accounts`) or kinds of integrations; `*` is all."""

    ids: list[str] | None = None
    labels: list[str] | None = None
    environments: list[str] | None = None
    categories: list[str] | None = None


class ResourcesBody(BaseModel):
    """What a token opens."""

    organizations: Scope | None = None
    accounts: Scope | None = None
    integrations: Scope | None = None

    def as_rules(self) -> dict[str, Any]:
        """Return the value."""
        return self.model_dump(exclude_none=True)


class TokenBody(BaseModel):
    """A new organization token; it can only narrow what its maker's opens."""

    resources: ResourcesBody
    permission_set: PermissionSet
    name: str | None = Field(None, max_length=255)
    fullname: str | None = Field(None, max_length=255)
    token_ttl: str | None = Field(None, max_length=40, description="Such as `24h`, `1h30m`; 24h when absent.")


class IssuedBody(BaseModel):
    """A short-lived token of an integration."""

    name: str | None = Field(None, max_length=255)
    token_ttl: str | None = Field(None, max_length=40, description="10m when absent.")


class AdhocRoleOut(BaseModel):
    """What an organization token may do, and where."""

    resources: dict[str, Any]
    permission_set: PermissionSet


class PermissionOut(BaseModel):
    """What a token opens."""

    resource_id: str
    resource_type: Literal["organization", "integration"]
    parent_id: str
    id: str
    organization_id: str
    member_id: str
    adhoc_role: AdhocRoleOut | None = None


class TokenOut(BaseModel):
    """One half of a pair. `secret` is empty but in the answer that made it."""

    secret: str
    expires: datetime
    permissions: PermissionOut


class TokenPairOut(BaseModel):
    """The half that opens the API and the half that renews the pair."""

    access: TokenOut
    refresh: TokenOut


class RefreshTokenOut(BaseModel):
    """A token as it is managed."""

    id: str
    name: str
    fullname: str
    created_at: datetime
    updated_at: datetime
    owner_id: str
    owner_type: Literal["organization", "integration"]
    expires: datetime
    token_ttl: str
    token_type: Literal["adhoc", "logon", "default"]
    primary: TokenPairOut
    secondary: TokenPairOut | None = None
    member_id: str | None = None


class OneToken(BaseModel):
    """A token."""

    result: RefreshTokenOut


class ManyTokens(BaseModel):
    """Tokens."""

    result: list[RefreshTokenOut]


class IssuedToken(BaseModel):
    """An access token by itself."""

    result: TokenOut


def refresh_token_out(token: RefreshToken) -> dict[str, Any]:
    """Return a token as the API shows it: with secrets where it was just made."""
    return without_nulls(
        {
            "id": token.id,
            "name": token.name,
            "fullname": token.fullname,
            "created_at": token.created_at,
            "updated_at": token.updated_at,
            "owner_id": token.owner_id,
            "owner_type": token.owner_type,
            "expires": token.expires,
            "token_ttl": token.token_ttl,
            "token_type": token.token_type,
            "primary": pair_out(token, token.primary),
            "secondary": None if token.secondary is None else pair_out(token, token.secondary),
            "member_id": token.member_id,
        }
    )


def pair_out(token: RefreshToken, pair: TokenPair) -> dict[str, Any]:
    """Return a pair as the API shows it."""
    return {"access": half_out(token, pair.access), "refresh": half_out(token, pair.refresh)}


def half_out(token: RefreshToken, half: Token) -> dict[str, Any]:
    """Return one half as the API shows it."""
    permissions: dict[str, Any] = {
        "resource_id": token.owner_id,
        "resource_type": token.owner_type,
        "parent_id": token.owner_account_id or token.organization_id,
        "id": half.id,
        "organization_id": token.organization_id,
        "member_id": token.member_id or "",
    }
    if token.owner_type == "organization":
        rules = {
            part: {**inner, "ids": inner.get("ids") or ["*"]} if part != "integrations" else inner
            for part, inner in token.resources.items()
        }
        permissions["adhoc_role"] = {"resources": rules, "permission_set": token.permission_set}
    return {"secret": Shown(half.secret), "expires": half.expires, "permissions": permissions}


@router.post(
    "", response_model=OneToken, response_model_exclude_none=True, summary="Create an organization token"
)
async def create(body: TokenBody, errand: ThisErrand) -> Response:
    """Create a token. Its secrets are in this answer and nowhere else, ever."""

    async def unit(office: Office) -> Mapping[str, Any]:
        office.require("token.write")
        made = await office.manage.tokens.create(
            office.tx,
            office.caller,
            permission_set=body.permission_set,
            resources=body.resources.as_rules(),
            name=body.name,
            fullname=body.fullname,
            origin=office.origin,
            **({"ttl": body.token_ttl} if body.token_ttl else {}),
        )
        return {"result": refresh_token_out(made)}

    return await errand.write(unit)


@router.get("", response_model=ManyTokens, summary="List the caller's tokens")
async def listing(
    errand: ThisErrand,
    query: Annotated[ListQuery, Depends(list_query)],
    every: Every = False,  # noqa: FBT002
) -> Response:
    """List the caller's own token, for a member those of the member; no secret is shown."""

    async def unit(office: Office) -> Mapping[str, Any]:
        if every:
            office.require("token.read")
        found = [
            one for one in await office.manage.tokens.list(office.tx) if await _listed(office, one, every)
        ]
        return {
            "result": [refresh_token_out(one) for one in apply(found, query.listing(_KNOWN), _fields).items]
        }

    return await errand.read(unit)


async def _listed(office: Office, token: RefreshToken, every: bool) -> bool:  # noqa: FBT001
    caller = office.caller
    if token.id == caller.token_id or (caller.member_id is not None and token.member_id == caller.member_id):
        return True
    if not every:
        return False
    try:
        await office.manage.tokens.require_reach(office.tx, caller, token)
    except ForbiddenError:
        return False
    return True


def _fields(token: RefreshToken) -> dict[str, Any]:
    return {name: getattr(token, name) for name in _KNOWN}


@router.get("/{token}/info", response_model=OneToken, summary="Read a token")
async def info(token: TokenId, errand: ThisErrand) -> Response:
    """Read a token, without its secrets."""

    async def unit(office: Office) -> Mapping[str, Any]:
        return {"result": refresh_token_out(await _reached(office, token, "token.read"))}

    return await errand.read(unit)


async def _reached(office: Office, token_id: str, permission: str) -> RefreshToken:
    """Return a token: the caller's own, or one that opens no more than the caller's. Raises NotFoundError, ForbiddenError."""
    if token_id != office.caller.token_id:
        office.require(permission)
    found = await office.manage.tokens.get(office.tx, token_id)
    await office.manage.tokens.require_reach(office.tx, office.caller, found)
    return found


@router.delete("/{token}", status_code=204, summary="End a token")
async def delete(token: TokenId, errand: ThisErrand) -> Response:
    """End both pairs of a token at once."""

    async def unit(office: Office) -> None:
        found = await _reached(office, token, "token.write")
        await office.manage.tokens.revoke(
            office.tx, found.id, actor=office.caller.actor, origin=office.origin
        )

    return await errand.write(unit)


@router.put("/{token}/refresh", response_model=OneToken, summary="Renew a token")
async def refresh(token: TokenId, errand: ThisErrand) -> Response:
    """Renew a token with its refresh half: a new primary pair, the former one works on as secondary."""

    async def unit(office: Office) -> Mapping[str, Any]:
        if office.caller.token_id != token:
            raise ForbiddenError("the refresh half of a token renews that token only")
        made = await office.manage.tokens.refresh(
            office.tx, token, actor=office.caller.actor, origin=office.origin
        )
        return {"result": refresh_token_out(made)}

    return await errand.write(unit, half="refresh")


@router.delete("/{token}/secondary", status_code=204, summary="End a token's former pair")
async def remove_secondary(token: TokenId, errand: ThisErrand) -> Response:
    """End the secondary pair at once: the new primary one is in use everywhere."""

    async def unit(office: Office) -> None:
        found = await _reached(office, token, "token.write")
        await office.manage.tokens.remove_secondary(
            office.tx, found.id, actor=office.caller.actor, origin=office.origin
        )

    return await errand.write(unit)


async def _owned(office: Office, owner: str, token_id: str) -> RefreshToken:
    """Return a token of an owner, for an administrator or the holder of its refresh half. Raises NotFoundError, ForbiddenError."""
    if office.half == "refresh" and token_id != office.caller.token_id:
        raise ForbiddenError("the refresh half of a token resets that token only")
    if office.half == "access":
        office.require("token.reset")
    found = await office.manage.tokens.get(office.tx, token_id)
    organization = await office.manage.organizations.get(office.tx)
    wanted = {found.owner_id} | ({organization.name} if found.owner_id == ORGANIZATION_ID else set())
    if owner not in wanted and (
        found.owner_type != "integration" or not await _is_called(office, found, owner)
    ):
        raise NotFoundError(f"{owner!r} has no token {token_id!r}")
    await office.manage.tokens.require_reach(office.tx, office.caller, found)
    return found


async def _is_called(office: Office, token: RefreshToken, name: str) -> bool:
    assert token.owner_account_id is not None  # noqa: S101  # tokens of integrations have one
    mine = office.tx.account(token.owner_account_id)
    try:
        return (await office.manage.integrations.get(mine, name)).id == token.owner_id
    except NotFoundError:
        return False


@router.put("/{owner}/{token}/reset", response_model=OneToken, summary="Reset a token")
async def reset(owner: Annotated[str, Path(max_length=200)], token: TokenId, errand: ThisErrand) -> Response:
    """Give a token of the organization or of an integration new secrets; every earlier one ends at once."""

    async def unit(office: Office) -> Mapping[str, Any]:
        found = await _owned(office, owner, token)
        made = await office.manage.tokens.reset(
            office.tx, found.id, actor=office.caller.actor, origin=office.origin
        )
        return {"result": refresh_token_out(made)}

    return await errand.write(unit, half="either")


@router.put("/{owner}/{token}/rotate", response_model=OneToken, summary="Rotate a token")
async def rotate(owner: Annotated[str, Path(max_length=200)], token: TokenId, errand: ThisErrand) -> Response:
    """Renew a token as an administrator: a new primary pair, the former one works on as secondary."""

    async def unit(office: Office) -> Mapping[str, Any]:
        found = await _owned(office, owner, token)
        made = await office.manage.tokens.rotate(
            office.tx, found.id, actor=office.caller.actor, origin=office.origin
        )
        return {"result": refresh_token_out(made)}

    return await errand.write(unit)


@router.post(
    "/{account}/{integration}",
    response_model=IssuedToken,
    summary="Create a short-lived token of an integration",
)
async def issue(
    account: AccountName, integration: IntegrationName, errand: ThisErrand, body: IssuedBody | None = None
) -> Response:
    """Create one more access token of an integration; it ends with the integration's own token, or before."""

    async def unit(office: Office) -> Mapping[str, Any]:
        mine = await office.within(account, "token.write")
        one = await office.manage.integrations.get(mine, integration)
        ttl = {"ttl": body.token_ttl} if body is not None and body.token_ttl else {}
        made = await office.manage.tokens.issue_access(
            office.tx, one.refresh_token_id, actor=office.caller.actor, origin=office.origin, **ttl
        )
        token = await office.manage.tokens.get(office.tx, one.refresh_token_id)
        return {"result": half_out(token, made)}

    return await errand.write(unit)
