from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from callout.access import SYSTEM, Caller, OrganizationDisabledError, Reason, UnauthenticatedError, parse_ttl
from callout.kit.secrets import Secret
from callout.ports.errors import ForbiddenError, InvalidRequestError, NotFoundError
from callout.ports.values import Actor, ActorKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from callout.access import RefreshToken, TokenPair
    from tests.access.services import Access

ANN = Actor(ActorKind.MEMBER, "m-1", "Ann")


def _secret(pair: TokenPair, half: str = "access") -> Secret:
    secret = (pair.access if half == "access" else pair.refresh).secret
    assert secret is not None
    return secret


async def _caller(access: Access, secret: Secret | str | None, half: str = "access") -> Caller:
    return await access(lambda tx: access.authentication.authenticate(tx, secret, half=half))  # type: ignore[arg-type]


async def _refused(access: Access, secret: Secret | str | None) -> Reason:
    with pytest.raises(UnauthenticatedError) as caught:
        await _caller(access, secret)
    return caught.value.reason


async def _new(access: Access, permission_set: str = "administrator", **options: object) -> RefreshToken:
    return await access(
        lambda tx: access.tokens.create(tx, SYSTEM, permission_set=permission_set, **options)  # type: ignore[arg-type]
    )


async def test_a_new_token_opens_everything_it_was_given(access: Access) -> None:
    token = await _new(access, name="ci")
    assert _secret(token.primary).reveal().startswith("co_org_")
    caller = await _caller(access, _secret(token.primary))
    assert (caller.kind, caller.permission_set, caller.account_ids) == ("organization", "administrator", None)
    assert caller.actor == Actor(ActorKind.TOKEN, token.id, "ci")
    caller.require("audit.read", "any account")


async def test_only_the_hash_is_stored(access: Access) -> None:
    token = await _new(access)
    rows = await access(lambda tx: tx.all(text("SELECT * FROM token_secrets")))
    assert len(rows) == 2
    assert _secret(token.primary).reveal() not in str(rows)
    again = await access(lambda tx: access.tokens.get(tx, token.id))
    assert again.primary.access.secret is None
    assert again.primary.access.id == token.primary.access.id


async def test_why_a_caller_is_not_known_is_said(access: Access) -> None:
    token = await _new(access, ttl="1h")
    assert await _refused(access, None) is Reason.MISSING
    assert await _refused(access, "") is Reason.MISSING
    assert await _refused(access, "co_org_nonsense") is Reason.UNKNOWN
    access.clock.advance(timedelta(hours=1))
    assert await _refused(access, _secret(token.primary)) is Reason.EXPIRED
    await access(lambda tx: access.tokens.revoke(tx, token.id, actor=ANN))
    assert await _refused(access, _secret(token.primary)) is Reason.REVOKED
    with pytest.raises(NotFoundError):
        await access(lambda tx: access.tokens.revoke(tx, token.id, actor=ANN))


async def test_the_halves_do_not_overlap(access: Access) -> None:
    token = await _new(access)
    with pytest.raises(ForbiddenError, match="refresh half"):
        await _caller(access, _secret(token.primary, "refresh"))
    assert (await _caller(access, _secret(token.primary, "refresh"), "refresh")).token_id == token.id
    with pytest.raises(ForbiddenError, match="access half"):
        await _caller(access, _secret(token.primary), "refresh")


async def test_after_a_refresh_both_pairs_work_until_the_secondary_is_removed(access: Access) -> None:
    old = await _new(access)
    new = await access(lambda tx: access.tokens.refresh(tx, old.id, actor=ANN))
    assert new.secondary is not None
    assert new.secondary.access.id == old.primary.access.id
    assert new.secondary.access.secret is None
    assert new.updated_at > old.updated_at
    await _caller(access, _secret(old.primary))
    await _caller(access, _secret(new.primary))
    await access(lambda tx: access.tokens.remove_secondary(tx, old.id, actor=ANN))
    assert await _refused(access, _secret(old.primary)) is Reason.REVOKED
    await _caller(access, _secret(new.primary))
    with pytest.raises(NotFoundError):
        await access(lambda tx: access.tokens.remove_secondary(tx, old.id, actor=ANN))


async def test_a_second_refresh_ends_the_first_pair(access: Access) -> None:
    first = await _new(access)
    second = await access(lambda tx: access.tokens.refresh(tx, first.id, actor=ANN))
    await access(lambda tx: access.tokens.rotate(tx, first.id, actor=ANN))
    assert await _refused(access, _secret(first.primary)) is Reason.REVOKED
    await _caller(access, _secret(second.primary))


async def test_a_reset_ends_everything_before_it(access: Access) -> None:
    first = await _new(access, ttl="2h")
    second = await access(lambda tx: access.tokens.refresh(tx, first.id, actor=ANN))
    access.clock.advance(timedelta(hours=1))
    third = await access(lambda tx: access.tokens.reset(tx, first.id, actor=ANN))
    assert third.secondary is None
    assert third.expires == access.clock.now() + timedelta(hours=4)
    for old in (first, second):
        assert await _refused(access, _secret(old.primary)) is Reason.REVOKED
    await _caller(access, _secret(third.primary))


async def test_an_expired_pair_can_still_be_renewed_with_its_refresh_half(access: Access) -> None:
    token = await _new(access, ttl="1h30m")
    access.clock.advance(timedelta(hours=2))
    caller = await _caller(access, _secret(token.primary, "refresh"), "refresh")
    new = await access(lambda tx: access.tokens.refresh(tx, caller.token_id, actor=caller.actor))
    await _caller(access, _secret(new.primary))


async def test_a_token_of_an_integration_is_bound_to_it(access: Access) -> None:
    token = await access(
        lambda tx: access.tokens.create_for_integration(tx, account_id="a-1", integration_id="i-1", actor=ANN)
    )
    assert _secret(token.primary).reveal().startswith("co_int_")
    caller = await _caller(access, _secret(token.primary))
    assert (caller.kind, caller.integration_id, caller.account_ids) == (
        "integration",
        "i-1",
        frozenset({"a-1"}),
    )
    caller.require("ticket.write", "a-1")
    caller.require_kind("integration")
    with pytest.raises(ForbiddenError):
        caller.require("ticket.write", "a-2")
    with pytest.raises(ForbiddenError):
        caller.require("incident.read")
    with pytest.raises(ForbiddenError):
        caller.require_kind("organization")
    issued = await access(lambda tx: access.tokens.issue_access(tx, token.id, actor=ANN))
    assert (await _caller(access, issued.secret)).integration_id == "i-1"
    assert issued.expires == access.clock.now() + timedelta(minutes=10)
    ended = await access(lambda tx: access.tokens.revoke_owner(tx, "integration", "i-1", actor=ANN))
    assert ended == 1
    assert await _refused(access, issued.secret) is Reason.REVOKED


async def test_a_viewer_may_not_write(access: Access) -> None:
    token = await _new(access, "viewer")
    caller = await _caller(access, _secret(token.primary))
    caller.require("incident.read")
    with pytest.raises(ForbiddenError, match=r"incident\.write"):
        caller.require("incident.write")
    with pytest.raises(ForbiddenError):
        caller.require("incident.note.internal")


async def test_resources_restrict_the_accounts(access: Access) -> None:
    red = await access(lambda tx: access.accounts.create(tx, actor=ANN, name="red", labels=["eu"]))
    blue = await access(
        lambda tx: access.accounts.create(tx, actor=ANN, name="blue", labels=["us"], environment="test")
    )

    async def opened(**rules: list[str]) -> frozenset[str] | None:
        token = await _new(access, "member", resources={"accounts": rules})
        return (await _caller(access, _secret(token.primary))).account_ids

    assert await opened(ids=["*"]) is None
    assert await opened(ids=["RED"]) == frozenset({red.id})
    assert await opened(ids=[red.id, "blue"]) == frozenset({red.id, blue.id})
    assert await opened(ids=["*"], labels=["eu"]) == frozenset({red.id})
    assert await opened(ids=["*"], environments=["test"]) == frozenset({blue.id})
    assert await opened(ids=["red"], labels=["us"]) == frozenset()


async def test_senseless_resources_are_refused(access: Access) -> None:
    senseless: tuple[dict[str, object], ...] = (
        {},
        {"accounts": {}},
        {"accounts": {"ids": "x"}},
        {"planets": {"ids": ["*"]}},
        {"accounts": {"ids": ["nobody"]}},
    )
    for resources in senseless:
        with pytest.raises(InvalidRequestError):
            await _new(access, "member", resources=resources)


async def test_a_new_token_never_does_more_than_its_maker(access: Access) -> None:
    red = await access(lambda tx: access.accounts.create(tx, actor=ANN, name="red"))
    maker = replace(SYSTEM, permission_set="account-manager", account_ids=frozenset({red.id}))
    only = {"accounts": {"ids": ["red"]}}

    async def make(permission_set: str, resources: Mapping[str, object]) -> RefreshToken:
        return await access(
            lambda tx: access.tokens.create(tx, maker, permission_set=permission_set, resources=resources)
        )

    await make("member", only)
    for permission_set, resources in (
        ("administrator", only),
        ("member", {"accounts": {"ids": ["*"]}}),
        ("member", {"accounts": {"ids": ["default"]}}),
        ("member", {"organizations": {"ids": ["*"]}}),
        ("member", {**only, "organizations": {"ids": ["*"]}}),
    ):
        with pytest.raises(ForbiddenError):
            await make(permission_set, resources)
    with pytest.raises(InvalidRequestError):
        await make("integration", only)


async def test_a_member_that_is_disabled_is_out_at_once(access: Access) -> None:
    member = await access(
        lambda tx: access.members.create(tx, actor=ANN, fullname="Bo Ek", email="Bo@Example.com")
    )
    token = await _new(access, "member", member_id=member.id)
    caller = await _caller(access, _secret(token.primary))
    assert caller.actor == Actor(ActorKind.MEMBER, member.id, "Bo Ek")
    before = await access(access.version.current)
    await access(lambda tx: access.members.update(tx, "bo-ek", changes={"state": "disabled"}, actor=ANN))
    assert await access(access.version.current) == before + 1
    assert await _refused(access, _secret(token.primary)) is Reason.MEMBER_DISABLED


async def test_a_token_never_does_more_than_its_member(access: Access) -> None:
    await access(lambda tx: access.members.create(tx, actor=ANN, name="cy", role="admin"))
    member = await access(lambda tx: access.members.create(tx, actor=ANN, name="bo", role="admin"))
    token = await _new(access, "administrator", member_id=member.id)
    (await _caller(access, _secret(token.primary))).require("audit.read")
    await access(lambda tx: access.members.update(tx, "bo", changes={"role": "viewer"}, actor=ANN))
    caller = await _caller(access, _secret(token.primary))
    caller.require("incident.read")
    with pytest.raises(ForbiddenError):
        caller.require("incident.write")


async def test_nobody_works_while_the_organization_is_disabled(access: Access) -> None:
    token = await _new(access)
    await access(lambda tx: tx.execute(text("UPDATE organizations SET state = 'disabled'")))
    with pytest.raises(OrganizationDisabledError):
        await _caller(access, _secret(token.primary))


@pytest.mark.parametrize("ttl", ["", "1", "1d", "-1h", "0s", "h", "1h 30m", "99999999h"])
def test_a_senseless_lifetime_is_refused(ttl: str) -> None:
    with pytest.raises(InvalidRequestError):
        parse_ttl(ttl)


def test_a_lifetime_adds_up() -> None:
    assert parse_ttl("1h30m5s") == timedelta(hours=1, minutes=30, seconds=5)


async def test_ended_secrets_are_purged_after_their_time(access: Access) -> None:
    token = await _new(access, ttl="1h")
    access.clock.advance(timedelta(days=40))
    before = access.clock.now() - timedelta(days=30)
    assert await access(lambda tx: access.tokens.purge(tx, before=before)) == 2
    assert await _refused(access, _secret(token.primary)) is Reason.UNKNOWN
    assert (await access(lambda tx: access.tokens.get(tx, token.id))).primary.access.secret is None


async def test_every_change_of_a_token_is_in_the_audit_without_its_secret(access: Access) -> None:
    token = await _new(access)
    await access(lambda tx: access.tokens.refresh(tx, token.id, actor=ANN))
    await access(lambda tx: access.tokens.revoke(tx, token.id, actor=ANN))
    entries = await access(lambda tx: access.audit.entries(tx, subject_type="token"))
    assert [e.action for e in entries] == ["token.created", "token.refreshed", "token.revoked"]
    assert _secret(token.primary).reveal() not in str(entries)
