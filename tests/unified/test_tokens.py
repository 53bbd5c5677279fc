"""Tokens, as a program with the SDK keeps them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.unified.refusals import refused
from tests.unified.sdk import Sdk

EVERYTHING = {"organizations": {"ids": ["*"]}}


def secrets(token: Any) -> list[str]:
    pairs = [token.primary] + ([token.secondary] if token.secondary else [])
    return [half.secret for pair in pairs for half in (pair.access, pair.refresh)]


async def test_a_token_is_shown_once_and_renewed_by_its_refresh_half(sdk_on_both: Sdk) -> None:
    sdk, tokens = sdk_on_both, sdk_on_both.management.tokens
    made = (
        await tokens.create_token(resources=EVERYTHING, permission_set="viewer", name="ci", token_ttl="1h30m")
    ).result
    first = secrets(made)
    assert all(first)
    assert made.token_ttl == "1h30m"
    assert made.primary.access.permissions.adhoc_role.permission_set.value == "viewer"
    seen = (await tokens.get(made.id)).result
    assert secrets(seen) == ["", ""]

    viewer, renewing = sdk.manage(first[0]), sdk.manage(first[1])
    assert [one.id for one in (await viewer.tokens.list()).result] == [made.id]
    await refused(viewer.accounts.create(name="x"), 403, "forbidden")
    await refused(viewer.tokens.refresh(made.id), 403, "forbidden")
    await refused(renewing.accounts.list(), 403, "forbidden")
    renewed = (await renewing.tokens.refresh(made.id)).result
    assert renewed.secondary is not None
    fresh = secrets(renewed)
    assert fresh[:2] != first
    assert fresh[2:] == ["", ""]
    await viewer.accounts.list()
    await sdk.manage(fresh[0]).accounts.list()

    await tokens.remove_secondary(made.id)
    await refused(viewer.accounts.list(), 401, "unauthenticated")
    await sdk.manage(fresh[0]).accounts.list()
    await refused(tokens.remove_secondary(made.id), 404, "not-found")

    rotated = (await tokens.rotate("organization", made.id)).result
    await sdk.manage(fresh[0]).accounts.list()
    reset = (await tokens.reset("organization", made.id)).result
    assert reset.secondary is None
    for old in (fresh[0], secrets(rotated)[0]):
        await refused(sdk.manage(old).accounts.list(), 401, "unauthenticated")
    await sdk.manage(secrets(reset)[0]).accounts.list()
    await tokens.delete(made.id)
    await refused(sdk.manage(secrets(reset)[0]).accounts.list(), 401, "unauthenticated")
    await refused(tokens.get(made.id), 404, "not-found")


async def test_a_token_ends_by_itself(sdk: Sdk) -> None:
    made = (
        await sdk.management.tokens.create_token(
            resources=EVERYTHING, permission_set="viewer", token_ttl="1h"
        )
    ).result
    sdk.installation.clock.advance(timedelta(minutes=61))
    short = sdk.manage(made.primary.access.secret)
    assert "expired" in (await refused(short.accounts.list(), 401, "unauthenticated")).message
    renewed = await sdk.manage(made.primary.refresh.secret).tokens.refresh(made.id)
    await sdk.manage(renewed.result.primary.access.secret).accounts.list()


async def test_an_integration_s_token_is_renewed_reset_and_issued_for_a_while(sdk: Sdk) -> None:
    tokens = sdk.management.tokens
    one = await sdk.connect(sdk.config("ticketing_mock_ticketing"), name="test")
    token_id = one.integration.refresh_token_id
    await one.engine.ticketing.list_projects()
    await refused(sdk.manage(one.token).accounts.list(), 403, "forbidden")
    await refused(sdk.engine(sdk.installation.api.token).ticketing.list_projects(), 403, "forbidden")
    issued = (await tokens.create_integration_token("default", "test", token_ttl="5m")).result
    await sdk.engine(issued.secret).ticketing.list_projects()
    sdk.installation.clock.advance(timedelta(minutes=6))
    await refused(sdk.engine(issued.secret).ticketing.list_projects(), 401, "unauthenticated")
    rotated = (await tokens.rotate(one.integration.id, token_id)).result
    await one.engine.ticketing.list_projects()
    await sdk.manage(rotated.primary.refresh.secret).tokens.refresh(token_id)
    assert sdk.answers[-1].status_code == 200
    reset = (await tokens.reset(one.integration.name, token_id)).result
    assert reset.owner_type.value == "integration"
    await refused(one.engine.ticketing.list_projects(), 401, "unauthenticated")
    await sdk.engine(reset.primary.access.secret).ticketing.list_projects()
    await refused(tokens.reset("organization", token_id), 404, "not-found")


async def test_a_token_only_narrows(sdk: Sdk) -> None:
    await sdk.management.accounts.create(name="mine")
    some = {"accounts": {"ids": ["mine"]}}
    made = (await sdk.management.tokens.create_token(resources=some, permission_set="account-manager")).result
    narrow = sdk.manage(made.primary.access.secret)
    assert [one.name for one in (await narrow.accounts.list()).result] == ["mine"]
    await refused(narrow.tokens.create_token(resources=some, permission_set="administrator"), 403)
    await refused(narrow.tokens.create_token(resources=EVERYTHING, permission_set="viewer"), 403)
    await narrow.tokens.create_token(resources=some, permission_set="viewer")
    for wrong in ({"accounts": {"ids": ["nobody"]}}, {}):
        await refused(sdk.management.tokens.create_token(resources=wrong, permission_set="viewer"), 400)
    for ttl in ("1 day", "0h", "-1h", "99999999h"):
        problem = await refused(
            sdk.management.tokens.create_token(resources=some, permission_set="viewer", token_ttl=ttl), 400
        )
        assert problem.context.parameter.id == "/token_ttl"


async def test_whoever_makes_accounts_gets_a_token_with_each_and_sees_no_other(sdk: Sdk) -> None:
    made = (
        await sdk.management.tokens.create_token(resources=EVERYTHING, permission_set="account-provisioner")
    ).result
    maker = sdk.manage(made.primary.access.secret)
    answer = (await maker.accounts.create(name="new", token={"permission_set": "account-manager"})).result
    own = sdk.manage(answer.token.primary.access.secret)
    assert [one.id for one in (await own.accounts.list()).result] == [answer.account.id]
    await refused(maker.accounts.list(), 403, "forbidden")
    await refused(maker.tokens.create_token(resources=EVERYTHING, permission_set="viewer"), 403)
    await refused(maker.accounts.create(name="new"), 409, "conflict")
    await refused(maker.accounts.create(name="other", token={"permission_set": "administrator"}), 400)
    await refused(sdk.management.accounts.get("other"), 404)


@pytest.mark.parametrize("call", ["create_mcp_token", "create_synqly_integrations_token"])
async def test_what_is_not_built_says_so(sdk: Sdk, call: str) -> None:
    options: dict[str, Any] = {"scope": {"type": "management"}} if call == "create_mcp_token" else {}
    await refused(getattr(sdk.management.tokens, call)(**options), 501, "operation-not-supported")
