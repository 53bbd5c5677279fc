"""REST for integrations: configured instances of providers, made, checked against their vendor, changed and removed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Body, Depends, Query, Response

from callout.access import Account, Listed
from callout.access.listing import apply
from callout.integrations import Integration, Saved
from callout.ports.errors import CalloutError, InvalidRequestError
from callout.server.api.accounts import KNOWN as ACCOUNT_FIELDS
from callout.server.api.accounts import account_out
from callout.server.api.credentials import credential_out
from callout.server.api.integration_models import (
    KNOWN,
    WRITABLE,
    ChangedIntegration,
    CreatedIntegration,
    IntegrationBody,
    IntegrationReplacement,
    ManyIntegrations,
    OneIntegration,
    TrialBody,
    Verified,
    integration_out,
    keys_made,
    unused,
)
from callout.server.api.tokens import pair_out
from callout.server.kept_secrets import guard_secrets
from callout.server.listings import (
    ListQuery,
    Total,
    below,
    expansions,
    list_query,
    paged,
)
from callout.server.manage import (
    ERRORS,
    AccountName,
    Errand,
    IntegrationName,
    Office,
    ThisErrand,
    as_problem,
    warning,
)
from callout.server.patching import PatchOperation, chosen, patched
from callout.server.problems import refusals
from callout.storage import AccountTx

router = APIRouter(prefix="/v1/integrations", tags=["integrations"], responses=ERRORS)
VENDOR_ERRORS: Final = refusals(429, 501, 502, 504)
"""What a vendor's trouble is answered with, where the vendor is asked."""
_EXPANDS: Final = {
    "account": "account",
    "accounts": "account",
    "integration_point": "integration_point",
    "integration_points": "integration_point",
}
Expand = Annotated[
    list[str] | None,
    Query(description="`account`, `integration_point` or `all`: put the object beside its id."),
]


def _messages(problems: list[dict[str, Any]]) -> dict[str, Any]:
    return {"messages": {"problems": problems}} if problems else {}


async def _listed(
    office: Office,
    query: ListQuery,
    expand: list[str] | None,
    *,
    among: frozenset[str] | None,
    total: bool,
) -> dict[str, Any]:
    wanted = expansions(expand, _EXPANDS)
    owners: dict[str, Account] = {}
    known = KNOWN
    if "account" in wanted:
        owners = {one.id: one for one in (await office.manage.accounts.list(office.tx, among=among)).items}
        known |= below("account", ACCOUNT_FIELDS)

    def fields(one: Integration) -> dict[str, Any]:
        own = {name: getattr(one, name) for name in KNOWN}
        owner = owners.get(one.account_id)
        more = {} if owner is None else {f"account.{name}": getattr(owner, name) for name in ACCOUNT_FIELDS}
        return own | more

    every = await office.manage.integrations.list_all(office.tx, among=among)
    page: Listed[Integration] = apply(every.items, query.listing(known), fields)
    shown = []
    for one in page.items:
        owner = owners.get(one.account_id)
        shown.append(integration_out(one) | ({} if owner is None else {"account": account_out(owner)}))
    return paged(page, shown, total=total)


@router.get(
    "", response_model=ManyIntegrations, response_model_exclude_none=True, summary="List integrations"
)
async def listing(
    errand: ThisErrand,
    query: Annotated[ListQuery, Depends(list_query)],
    expand: Expand = None,
    total: Total = False,  # noqa: FBT002
) -> Response:
    """List the integrations of all accounts that the token opens."""

    async def unit(office: Office) -> Mapping[str, Any]:
        office.require("integration.read")
        return await _listed(office, query, expand, among=office.caller.account_ids, total=total)

    return await errand.read(unit)


@router.get(
    "/{account}",
    response_model=ManyIntegrations,
    response_model_exclude_none=True,
    summary="List an account's integrations",
)
async def listing_of_account(
    account: AccountName,
    errand: ThisErrand,
    query: Annotated[ListQuery, Depends(list_query)],
    expand: Expand = None,
    total: Total = False,  # noqa: FBT002
) -> Response:
    """List the integrations of one account."""

    async def unit(office: Office) -> Mapping[str, Any]:
        owner = await office.account(account, "integration.read")
        return await _listed(office, query, expand, among=frozenset({owner.id}), total=total)

    return await errand.read(unit)


@router.get(
    "/{account}/{integration}",
    response_model=OneIntegration,
    response_model_exclude_none=True,
    summary="Read an integration",
)
async def read(account: AccountName, integration: IntegrationName, errand: ThisErrand) -> Response:
    """Read one integration by id or name."""

    async def unit(office: Office) -> Mapping[str, Any]:
        mine = await office.within(account, "integration.read")
        return {"result": integration_out(await office.manage.integrations.get(mine, integration))}

    return await errand.read(unit)


@router.post(
    "/{account}",
    response_model=CreatedIntegration,
    response_model_exclude_none=True,
    summary="Create an integration",
)
async def create(account: AccountName, body: IntegrationBody, errand: ThisErrand) -> Response:
    """Create an integration and its token, whose secrets are in this answer only; a vendor's trouble is told in `messages`."""
    more = body.more()

    async def unit(office: Office) -> Mapping[str, Any]:
        mine = await office.within(account, "integration.write")
        guard_secrets(office.caller, mine.account_id, {}, body.provider_config)
        saved = await office.manage.integrations.create(
            mine,
            provider_config=body.provider_config,
            actor=office.caller.actor,
            origin=office.origin,
            name=body.name,
            fullname=body.fullname,
            webhook_config=body.webhook_config,
            more=more,
        )
        assert saved.token is not None  # noqa: S101  # a new integration has one
        keys = keys_made(body.webhook_config, None)
        result: dict[str, Any] = {
            "integration": integration_out(saved.integration, new_keys=keys),
            "token": pair_out(saved.token, saved.token.primary),
        }
        if saved.credentials_created:
            result["credentials_created"] = [credential_out(one) for one in saved.credentials_created]
        return {"result": result, **_messages([warning(text) for text in (*saved.warnings, *unused(more))])}

    async def ask_the_vendor(made: Mapping[str, Any]) -> Mapping[str, Any]:
        one = made["result"]["integration"]
        return await _with_what_the_vendor_says(errand.manage.check, one, made)

    return await errand.write(unit, afterwards=ask_the_vendor)


async def _with_what_the_vendor_says(
    check: Callable[[str, str], Awaitable[tuple[str, ...]]], one: Mapping[str, Any], made: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Return the answer with what asking the vendor brought to light; that is no reason for the call to fail."""
    problems = list(made.get("messages", {}).get("problems", ()))
    try:
        problems += [warning(text) for text in await check(one["account_id"], one["id"])]
    except CalloutError as error:
        problems.append(as_problem(error))
    return {**made, **_messages(problems)}


@router.post(
    "/{account}/verify",
    response_model=Verified,
    response_model_exclude_none=True,
    responses=VENDOR_ERRORS,
    summary="Try out an integration",
)
async def verify(account: AccountName, body: TrialBody, errand: ThisErrand) -> Response:
    """Ask the vendor whether the settings and credentials work, without storing any of them."""

    async def unit(office: Office) -> str:
        owner = await office.account(account, "integration.verify")
        guard_secrets(office.caller, owner.id, {}, _without_listed(body.integration.provider_config))
        return owner.id

    account_id = await errand.look(unit)
    found = await errand.manage.try_out(
        account_id, body.integration.provider_config, list(body.credentials or ())
    )
    return errand.answer(_messages([warning(text) for text in found]))


def _without_listed(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a config without the references to credentials that came with the request."""
    return {
        name: value
        for name, value in config.items()
        if not (isinstance(value, Mapping) and str(value.get("value", "")).startswith("#/"))
    }


@router.post(
    "/{account}/{integration}/verify",
    response_model=Verified,
    response_model_exclude_none=True,
    responses=VENDOR_ERRORS,
    summary="Verify an integration",
)
async def verify_existing(
    account: AccountName,
    integration: IntegrationName,
    errand: ThisErrand,
    body: IntegrationReplacement | None = None,
) -> Response:
    """Ask the vendor whether the integration works as it is, or as it would be with the settings that are sent."""

    async def unit(office: Office) -> Integration:
        mine = await office.within(account, "integration.verify")
        one = await office.manage.integrations.get(mine, integration)
        if body is not None:
            guard_secrets(office.caller, one.account_id, one.provider_config, body.provider_config)
        return one

    one = await errand.look(unit)
    if body is None:
        found = await errand.manage.check(one.account_id, one.id)
    else:
        if body.provider_config.get("type") != one.provider_type:
            raise InvalidRequestError(
                "the provider of an integration cannot change",
                fields={"/provider_config/type": "cannot be changed"},
            )
        found = await errand.manage.try_out(one.account_id, body.provider_config, [])
    return errand.answer(_messages([warning(text) for text in found]))


@router.put(
    "/{account}/{integration}",
    response_model=ChangedIntegration,
    response_model_exclude_none=True,
    summary="Replace an integration",
)
async def replace(
    account: AccountName, integration: IntegrationName, body: IntegrationReplacement, errand: ThisErrand
) -> Response:
    """Change an integration to what is sent; credentials that are sent take the place of those before."""

    async def unit(office: Office) -> Mapping[str, Any]:
        mine = await office.within(account, "integration.write")
        before = await office.manage.integrations.get(mine, integration)
        return await _changed(office, mine, before, body.changes(), expected=body.updated_at)

    return await errand.write(unit, afterwards=_after_change(errand, asked="provider_config"))


@router.patch(
    "/{account}/{integration}",
    response_model=ChangedIntegration,
    response_model_exclude_none=True,
    summary="Change an integration",
)
async def patch(
    account: AccountName,
    integration: IntegrationName,
    operations: Annotated[list[PatchOperation], Body()],
    errand: ThisErrand,
) -> Response:
    """Change an integration by a JSON Patch; a list that does not exist yet can be added to."""

    async def unit(office: Office) -> Mapping[str, Any]:
        mine = await office.within(account, "integration.write")
        before = await office.manage.integrations.get(mine, integration)
        whole, names = patched(operations, integration_out(before), IntegrationReplacement, writable=WRITABLE)
        changes = chosen(whole.changes(), names)
        return await _changed(office, mine, before, changes)

    asked = "provider_config" if any(one.path.startswith("/provider_config") for one in operations) else ""
    return await errand.write(unit, afterwards=_after_change(errand, asked=asked))


async def _changed(
    office: Office,
    mine: AccountTx,
    before: Integration,
    changes: Mapping[str, Any],
    *,
    expected: datetime | None = None,
) -> Mapping[str, Any]:
    if "provider_config" in changes:
        guard_secrets(office.caller, before.account_id, before.provider_config, changes["provider_config"])
    saved: Saved = await office.manage.integrations.update(
        mine,
        before.id,
        changes=changes,
        actor=office.caller.actor,
        origin=office.origin,
        expected=expected,
    )
    keys = keys_made(changes.get("webhook_config"), before)
    answer: dict[str, Any] = {"result": integration_out(saved.integration, new_keys=keys)}
    if saved.credentials_created:
        answer["credentials_created"] = [credential_out(one) for one in saved.credentials_created]
    return answer | _messages([warning(text) for text in (*saved.warnings, *unused(changes))])


def _after_change(
    errand: Errand, *, asked: str
) -> Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]] | None:
    if not asked:
        return None

    async def ask_the_vendor(made: Mapping[str, Any]) -> Mapping[str, Any]:
        return await _with_what_the_vendor_says(errand.manage.check, made["result"], made)

    return ask_the_vendor


@router.delete("/{account}/{integration}", status_code=204, summary="Remove an integration")
async def delete(account: AccountName, integration: IntegrationName, errand: ThisErrand) -> Response:
    """Remove an integration with its credentials; its tokens end at once."""

    async def unit(office: Office) -> None:
        mine = await office.within(account, "integration.write")
        one = await office.manage.integrations.get(mine, integration)
        await office.manage.integrations.delete(mine, one.id, actor=office.caller.actor, origin=office.origin)

    return await errand.write(unit)
