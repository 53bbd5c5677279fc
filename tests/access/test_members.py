from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from callout.access import PERMISSIONS, ROLES
from callout.ports.errors import ConflictError, InvalidRequestError, NotFoundError
from callout.ports.values import Actor, ActorKind, Person

if TYPE_CHECKING:
    from tests.access.services import Access

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
ANN = Actor(ActorKind.MEMBER, "m-1", "Ann")


async def test_a_member_is_found_by_id_name_and_email(access: Access) -> None:
    made = await access(
        lambda tx: access.members.create(tx, actor=ANN, fullname="Bo Ek", email="Bo@Example.com")
    )
    assert (made.name, made.email, made.role, made.permission_set) == (
        "bo-ek",
        "bo@example.com",
        "responder",
        "member",
    )
    for key in (made.id, "bo-ek"):
        assert await access(lambda tx, key=key: access.members.get(tx, key)) == made  # type: ignore[misc]
    assert await access(lambda tx: access.members.by_email(tx, "BO@example.com")) == made
    assert [m.name for m in (await access(access.members.list)).items] == ["bo-ek"]
    with pytest.raises(NotFoundError):
        await access(lambda tx: access.members.get(tx, "nobody"))


async def test_an_email_belongs_to_one_member(access: Access) -> None:
    await access(lambda tx: access.members.create(tx, actor=ANN, name="bo", email="bo@example.com"))
    with pytest.raises(ConflictError):
        await access(lambda tx: access.members.create(tx, actor=ANN, name="other", email="BO@example.com"))
    await access(lambda tx: access.members.create(tx, actor=ANN, name="cy"))
    await access(lambda tx: access.members.create(tx, actor=ANN, name="di"))
    with pytest.raises(ConflictError):
        await access(
            lambda tx: access.members.update(tx, "cy", changes={"email": "bo@example.com"}, actor=ANN)
        )


@pytest.mark.parametrize("options", [{"role": "king"}, {"email": "no"}, {"name": "a b"}])
async def test_senseless_values_are_refused(access: Access, options: dict[str, str]) -> None:
    with pytest.raises(InvalidRequestError):
        await access(lambda tx: access.members.create(tx, actor=ANN, **options))  # type: ignore[arg-type]


async def test_a_chat_user_becomes_the_member_with_the_same_directory_email(access: Access) -> None:
    member = await access(lambda tx: access.members.create(tx, actor=ANN, name="bo", email="bo@example.com"))

    async def remember(person: Person) -> Actor:
        return (await access(lambda tx: access.identities.remember(tx, "chat_slack", "T1", person))).actor

    assert await remember(Person("U1", "bo")) == Actor(ActorKind.CHAT_USER, "chat_slack/T1/U1", "bo")
    assert await remember(Person("U1", "Bo", "BO@example.com")) == Actor(ActorKind.MEMBER, member.id, "Bo")
    assert (await remember(Person("U2", "x"))).kind is ActorKind.CHAT_USER
    assert await access(lambda tx: access.identities.find(tx, "chat_slack", "T2", "U1")) is None
    (identity,) = await access(lambda tx: access.identities.of_member(tx, member.id))
    loose = await access(lambda tx: access.identities.link(tx, identity, member_id=None, actor=ANN))
    assert loose.member_id is None


def test_roles_and_permission_sets_fit_and_grow() -> None:
    assert set(ROLES.values()) <= set(PERMISSIONS)
    ladder = [PERMISSIONS[ROLES[role]] for role in ("viewer", "responder", "manager", "admin")]
    assert all(small < large for small, large in pairwise(ladder))


async def test_the_last_administrator_stays_whoever_asks(access: Access) -> None:
    bo = await access(lambda tx: access.members.create(tx, actor=ANN, name="bo", role="admin"))
    token = Actor(ActorKind.TOKEN, "t-1")
    losses: list[dict[str, object]] = [{"role": "viewer"}, {"state": "disabled"}, {"expires": LONG_AGO}]
    for changes in losses:
        with pytest.raises(ConflictError, match="last administrator"):
            await access(lambda tx, it=changes: access.members.update(tx, "bo", changes=it, actor=token))  # type: ignore[misc]
    with pytest.raises(ConflictError, match="last administrator"):
        await access(lambda tx: access.members.delete(tx, "bo", actor=token))
    await access(lambda tx: access.members.update(tx, "bo", changes={"fullname": "Bo Ek"}, actor=token))
    await access(lambda tx: access.members.create(tx, actor=ANN, name="cy", role="admin"))
    herself = Actor(ActorKind.MEMBER, bo.id, "Bo Ek")
    with pytest.raises(ConflictError, match="your own"):
        await access(lambda tx: access.members.delete(tx, "bo", actor=herself))
    await access(lambda tx: access.members.delete(tx, "bo", actor=token))
    # A directory says what people are.
    await access(
        lambda tx: access.members.update(tx, "cy", changes={"role": "viewer"}, actor=token, guarded=False)
    )
