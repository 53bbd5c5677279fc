"""REST for accounts: the customers or teams that integrations belong to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Body, Depends, Response
from pydantic import BaseModel, Field

from callout.access import Account
from callout.access.resources import account_ids
from callout.ports.errors import ForbiddenError
from callout.server.api.tokens import RefreshTokenOut, refresh_token_out
from callout.server.listings import ListQuery, Total, list_query, names_of, paged
from callout.server.manage import ERRORS, AccountName, Office, ThisErrand, without_nulls
from callout.server.patching import PatchOperation, chosen, patched

router = APIRouter(prefix="/v1/accounts", tags=["accounts"], responses=ERRORS)
KNOWN: Final = names_of(Account)
_WRITABLE: Final = frozenset({"name", "fullname", "environment", "labels"})
Environment = Literal["prod", "test"]


class ProvisionedToken(BaseModel):
    """A token to be made with the account, for it alone."""

    permission_set: Literal["account-manager", "connect-ui", "token-issuer"]
    token_ttl: str | None = Field(None, max_length=40)
    name: str | None = Field(None, max_length=255)
    fullname: str | None = Field(None, max_length=255)


class AccountBody(BaseModel):
    """A new account."""

    name: str | None = Field(None, max_length=255, description="Made from `fullname` when absent.")
    fullname: str | None = None
    environment: Environment | None = None
    labels: list[str] | None = None
    token: ProvisionedToken | None = None


class AccountReplacement(BaseModel):
    """An account as it was read, with changes; refused when somebody changed it since `updated_at`."""

    name: str = Field(max_length=255)
    fullname: str
    environment: Environment = "prod"
    labels: list[str] | None = None
    updated_at: datetime

    def changes(self) -> dict[str, Any]:
        """Return the new values by field."""
        return {
            "name": self.name,
            "fullname": self.fullname,
            "environment": self.environment,
            "labels": self.labels or [],
        }


class AccountOut(BaseModel):
    """An account."""

    id: str
    name: str
    fullname: str
    organization_id: str
    environment: Environment
    labels: list[str]
    created_at: datetime
    updated_at: datetime


class OneAccount(BaseModel):
    """An account."""

    result: AccountOut


class ManyAccounts(BaseModel):
    """Accounts."""

    result: list[AccountOut]
    total: int | None = None


class CreatedAccountResult(BaseModel):
    """The account, and its token where one was asked for: the only time that its secrets are shown."""

    account: AccountOut
    token: RefreshTokenOut | None = None


class CreatedAccount(BaseModel):
    """A new account."""

    result: CreatedAccountResult


def account_out(account: Account) -> dict[str, Any]:
    """Return an account as the API shows it."""
    return {
        "id": account.id,
        "name": account.name,
        "fullname": account.fullname,
        "organization_id": account.organization_id,
        "environment": account.environment,
        "labels": list(account.labels),
        "created_at": account.created_at,
        "updated_at": account.updated_at,
    }


@router.get("", response_model=ManyAccounts, response_model_exclude_none=True, summary="List accounts")
async def listing(
    errand: ThisErrand,
    query: Annotated[ListQuery, Depends(list_query)],
    total: Total = False,  # noqa: FBT002
) -> Response:
    """List the accounts that the token opens."""

    async def unit(office: Office) -> Mapping[str, Any]:
        office.require("account.read")
        listed = await office.manage.accounts.list(
            office.tx, query.listing(KNOWN), among=office.caller.account_ids
        )
        return paged(listed, [account_out(one) for one in listed.items], total=total)

    return await errand.read(unit)


@router.get("/{account}", response_model=OneAccount, summary="Read an account")
async def read(account: AccountName, errand: ThisErrand) -> Response:
    """Read one account by id or name."""

    async def unit(office: Office) -> Mapping[str, Any]:
        return {"result": account_out(await office.account(account, "account.read"))}

    return await errand.read(unit)


@router.post("", response_model=CreatedAccount, response_model_exclude_none=True, summary="Create an account")
async def create(body: AccountBody, errand: ThisErrand) -> Response:
    """Create an account; with `token`, a token for it alone is made in the same commit."""

    async def unit(office: Office) -> Mapping[str, Any]:
        office.require("account.create")
        made = await office.manage.accounts.create(
            office.tx,
            actor=office.caller.actor,
            origin=office.origin,
            name=body.name,
            fullname=body.fullname,
            environment=body.environment,
            labels=body.labels,
        )
        if office.caller.account_ids is not None:
            own = await office.manage.tokens.get(office.tx, office.caller.token_id)
            opened = await account_ids(office.tx, own.resources)
            if opened is not None and made.id not in opened:
                raise ForbiddenError("the token would not open the account that it makes")
        token = None
        if body.token is not None:
            token = await office.manage.tokens.create_with_account(
                office.tx,
                office.caller,
                made.id,
                permission_set=body.token.permission_set,
                name=body.token.name,
                fullname=body.token.fullname,
                origin=office.origin,
                **({"ttl": body.token.token_ttl} if body.token.token_ttl else {}),
            )
        shown = None if token is None else refresh_token_out(token)
        return {"result": without_nulls({"account": account_out(made), "token": shown})}

    return await errand.write(unit)


@router.put("/{account}", response_model=OneAccount, summary="Replace an account")
async def replace(account: AccountName, body: AccountReplacement, errand: ThisErrand) -> Response:
    """Change an account to what is sent; refused when it was changed since it was read."""

    async def unit(office: Office) -> Mapping[str, Any]:
        before = await office.account(account, "account.write")
        return {"result": await _changed(office, before, body.changes(), expected=body.updated_at)}

    return await errand.write(unit)


@router.patch("/{account}", response_model=OneAccount, summary="Change an account")
async def patch(
    account: AccountName, operations: Annotated[list[PatchOperation], Body()], errand: ThisErrand
) -> Response:
    """Change an account by a JSON Patch."""

    async def unit(office: Office) -> Mapping[str, Any]:
        before = await office.account(account, "account.write")
        whole, names = patched(operations, account_out(before), AccountReplacement, writable=_WRITABLE)
        return {"result": await _changed(office, before, chosen(whole.changes(), names))}

    return await errand.write(unit)


async def _changed(
    office: Office, before: Account, changes: Mapping[str, Any], *, expected: datetime | None = None
) -> dict[str, Any]:
    after = await office.manage.accounts.update(
        office.tx,
        before.id,
        changes=changes,
        actor=office.caller.actor,
        origin=office.origin,
        expected=expected,
    )
    return account_out(after)


@router.delete("/{account}", status_code=204, summary="Remove an account")
async def delete(account: AccountName, errand: ThisErrand) -> Response:
    """Remove an account with its integrations, credentials and incidents; the tokens of its integrations end at once."""

    async def unit(office: Office) -> None:
        found = await office.account(account, "account.write")
        await office.manage.accounts.delete(
            office.tx, found.id, actor=office.caller.actor, origin=office.origin
        )

    return await errand.write(unit)
