from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from callout.access import Filter, Listing, Reason, UnauthenticatedError
from callout.ports.errors import ConflictError, InvalidRequestError, NotFoundError
from callout.ports.values import Actor, ActorKind

if TYPE_CHECKING:
    from tests.access.services import Access

ANN = Actor(ActorKind.MEMBER, "m-1", "Ann")


async def test_first_start_makes_one_organization_and_the_default_account(access: Access) -> None:
    async def start() -> str:
        await access(access.organizations.ensure)
        return (await access(access.accounts.ensure_default)).id

    assert len(set(await asyncio.gather(*(start() for _ in range(5))))) == 1
    assert await access(access.accounts.count) == 1
    account = await access(lambda tx: access.accounts.get(tx, "default"))
    assert (account.name, account.environment) == ("default", "prod")


async def test_names_are_slugs_and_both_id_and_name_resolve(access: Access) -> None:
    made = await access(lambda tx: access.accounts.create(tx, actor=ANN, fullname="Acme Corp. & Söhne"))
    assert (made.name, made.fullname) == ("acme-corp-sohne", "Acme Corp. & Söhne")
    second = await access(lambda tx: access.accounts.create(tx, actor=ANN, fullname="Acme Corp. & Söhne"))
    assert second.name == "acme-corp-sohne-2"
    named = await access(lambda tx: access.accounts.create(tx, actor=ANN, name="Red"))
    assert (named.name, named.fullname) == ("red", "Red")
    bare = await access(lambda tx: access.accounts.create(tx, actor=ANN))
    assert bare.name == bare.fullname == bare.id
    for key in (named.id, "red", "RED"):
        assert (await access(lambda tx, key=key: access.accounts.get(tx, key))).id == named.id  # type: ignore[misc]


async def test_a_taken_name_is_a_conflict_also_under_concurrency(access: Access) -> None:
    async def make() -> str:
        try:
            return (await access(lambda tx: access.accounts.create(tx, actor=ANN, name="same"))).id
        except ConflictError:
            return "taken"

    results = await asyncio.gather(*(make() for _ in range(6)))
    assert sorted(results).count("taken") == 5


@pytest.mark.parametrize(
    "options",
    [{"name": "a b"}, {"name": "ä"}, {"labels": ["no space"]}, {"environment": "staging"}, {"fullname": " "}],
)
async def test_senseless_values_are_refused(access: Access, options: dict[str, object]) -> None:
    with pytest.raises(InvalidRequestError):
        await access(lambda tx: access.accounts.create(tx, actor=ANN, **options))  # type: ignore[arg-type]


async def test_an_update_moves_updated_at_and_refuses_a_stale_reader(access: Access) -> None:
    made = await access(lambda tx: access.accounts.create(tx, actor=ANN, name="red"))

    async def change(**options: object) -> object:
        return await access(lambda tx: access.accounts.update(tx, "red", actor=ANN, **options))  # type: ignore[arg-type]

    after = await access(
        lambda tx: access.accounts.update(tx, "red", changes={"labels": ["a", "a"]}, actor=ANN)
    )
    assert after.updated_at > made.updated_at
    assert after.created_at == made.created_at
    assert after.labels == ("a",)
    with pytest.raises(ConflictError, match="changed since"):
        await change(changes={"fullname": "x"}, expected=made.updated_at)
    with pytest.raises(ConflictError, match="named"):
        await change(changes={"name": "default"})
    with pytest.raises(InvalidRequestError):
        await change(changes={"id": "other"})


async def test_a_deleted_account_is_gone_and_the_tokens_of_its_integrations_are_dead(access: Access) -> None:
    made = await access(lambda tx: access.accounts.create(tx, actor=ANN, name="red"))
    token = await access(
        lambda tx: access.tokens.create_for_integration(tx, account_id=made.id, integration_id="i", actor=ANN)
    )
    await access(lambda tx: access.idempotency.begin(tx.account(made.id), "k", "d"))
    await access(lambda tx: access.accounts.delete(tx, "red", actor=ANN))
    with pytest.raises(UnauthenticatedError) as caught:
        await access(lambda tx: access.authentication.authenticate(tx, token.primary.access.secret))
    assert caught.value.reason is Reason.REVOKED
    with pytest.raises(NotFoundError):
        await access(lambda tx: access.accounts.delete(tx, "red", actor=ANN))
    assert (
        await access(lambda tx: access.idempotency.purge(tx, now=access.clock.now() + timedelta(days=9))) == 0
    )
    actions = [e.action for e in await access(lambda tx: access.audit.entries(tx.account(made.id)))]
    assert actions == ["account.created", "token.created", "account.deleted"]


async def test_lists_filter_order_and_page(access: Access) -> None:
    for name, label in (("b", "eu"), ("a", "us"), ("c", "eu")):
        await access(lambda tx, n=name, v=label: access.accounts.create(tx, actor=ANN, name=n, labels=[v]))  # type: ignore[misc]

    async def names(listing: Listing) -> list[str]:
        found = await access(lambda tx: access.accounts.list(tx, listing))
        return [account.name for account in found.items]

    assert await names(Listing()) == ["a", "b", "c", "default"]
    assert await names(Listing(limit=2, start_after="a")) == ["b", "c"]
    assert await names(Listing(order=(("name", True),), start_after="c")) == ["b", "a"]
    assert await names(Listing(filters=(Filter("labels", "in", ("eu",)),))) == ["b", "c"]
    assert await names(Listing(filters=(Filter("labels", "not in", ("eu",)),))) == ["a", "default"]
    assert await names(Listing(filters=(Filter("name", "like", ("de*",)),))) == ["default"]
    assert await names(Listing(filters=(Filter("name", "not like", ("de",)),))) == ["a", "b", "c"]
    assert await names(Listing(filters=(Filter("name", "neq", ("A",)),))) == ["b", "c", "default"]
    for bad in (
        Listing(limit=0),
        Listing(filters=(Filter("planet", "eq", ("x",)),)),
        Listing(filters=(Filter("name", "near", ("x",)),)),
        Listing(order=(("planet", False),)),
    ):
        with pytest.raises(InvalidRequestError):
            await names(bad)
