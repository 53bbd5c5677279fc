"""The first administrator: by a link that is good once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from callout.access.setup_links import LIFETIME
from callout.bootstrap.signing_in import offer_setup
from callout.ports.errors import ConflictError
from tests.server.desk import ADDRESS, OPERATOR
from tests.server.visitor import PASSWORD, Browser, audited, errors_beside, guarded, member

if TYPE_CHECKING:
    from tests.server.desk import Desk


async def link_of(desk: Desk) -> str:
    made = await desk.core.database.transaction(lambda tx: desk.core.setup_links.issue(tx, actor=OPERATOR))
    return made.address("")


FIRST = {
    "fullname": "Ann Admin",
    "email": "ann@example.com",
    "name": "ann",
    "password": PASSWORD,
    "password_again": PASSWORD,
}


async def test_the_first_administrator_comes_by_the_link_which_is_good_once(desk_on_both: Desk) -> None:
    desk = desk_on_both
    first, second = await link_of(desk), await link_of(desk)
    browser = Browser(desk)
    assert "callout member setup-link" in (await browser.open("/login")).text
    guarded(await browser.open(first))
    done = await browser.send(first, **FIRST)
    assert (done.status_code, done.headers["location"]) == (303, "/")
    assert await browser.is_in()
    me = await browser.open("/me")
    assert "ann@example.com" in me.text
    [ann] = (await desk.core.database.read(desk.core.members.list)).items
    assert (ann.role, ann.fullname, ann.email, ann.last_logon is not None) == (
        "admin",
        "Ann Admin",
        "ann@example.com",
        True,
    )
    for link in (first, second, "/setup/nonsense"):
        assert (await browser.open(link)).status_code == 403
        assert (
            await browser.send(link, **{**FIRST, "name": "mal", "email": "m@example.com"})
        ).status_code == 403
    assert "callout member setup-link" not in (await browser.open("/login")).text
    trail = await audited(desk, "setup_link.made", "member.created", "session.opened")
    assert first.rpartition("/")[2] not in str(trail)
    assert [one["path"] for one in trail][-2:] == ["/setup/…", "/setup/…"]
    assert (await Browser(desk).sign_in("ann")).status_code == 303


async def test_of_several_who_come_at_the_same_moment_one_is_the_administrator(desk_on_both: Desk) -> None:
    desk = desk_on_both
    links = [await link_of(desk) for _ in range(3)]
    people = [
        Browser(desk).send(link, **{**FIRST, "name": f"{name}-{n}", "email": f"{name}{n}@example.com"})
        for n, link in enumerate(links)
        for name in ("ann", "bo")
    ]
    statuses = sorted([answer.status_code for answer in await asyncio.gather(*people)])
    assert statuses == [303, *[403] * 5]
    assert len((await desk.core.database.read(desk.core.members.list)).items) == 1


async def test_a_link_is_offered_where_nobody_is_a_member(desk_on_both: Desk) -> None:
    desk = desk_on_both
    said: list[str] = []
    await offer_setup(desk.core, said.append)
    [words] = said
    assert "makes the first administrator, once, until" in words
    link = words.split()[-1]
    assert link.startswith(f"{ADDRESS}/setup/")
    assert (await Browser(desk).open(link)).status_code == 200
    await member(desk)
    await offer_setup(desk.core, said.append)
    assert len(said) == 1
    # There is a member, and nobody who could make others: the command still makes a link.
    assert (await Browser(desk).open(await link_of(desk))).status_code == 200
    await member(desk, "ann", role="admin")
    with pytest.raises(ConflictError):
        await link_of(desk)


async def test_a_link_lives_for_a_day(desk: Desk) -> None:
    link = await link_of(desk)
    desk.clock.advance(LIFETIME)
    browser = Browser(desk)
    assert (await browser.open(link)).status_code == 403
    assert (await browser.send(link, **FIRST)).status_code == 403
    await desk.core.database.transaction(desk.core.setup_links.purge)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "a b"}, "name"),
        ({"fullname": ""}, "fullname"),
        ({"fullname": "x" * 300}, "fullname"),
        ({"email": ""}, "email"),
        ({"email": "nonsense"}, "email"),
        ({"password": "", "password_again": ""}, "password"),
        ({"password": "password1", "password_again": "password1"}, "password"),
        ({"password": "short", "password_again": "short"}, "password"),
        ({"password": "annie has a gun", "password_again": "annie has a gun", "name": "annie"}, "password"),
        ({"password_again": "another"}, "password_again"),
    ],
)
async def test_what_is_wrong_with_the_set_up_is_told_beside_its_field(
    desk: Desk, wrong: dict[str, str], field: str
) -> None:
    link = await link_of(desk)
    browser = Browser(desk)
    answer = await browser.send(link, **{**FIRST, **wrong})
    assert answer.status_code == 422
    assert field in errors_beside(answer)
    assert PASSWORD not in answer.text
    guarded(answer)
    if field != "fullname":
        assert 'value="Ann Admin"' in answer.text, "what was typed is kept"
    assert (await browser.send(link, **FIRST)).status_code == 303, "the link is still good"
