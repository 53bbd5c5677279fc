"""One's own account: name, password, and where one is signed in."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import select

from callout.access.tables import sessions
from tests.server.visitor import HOSTILE, PASSWORD, Browser, errors_beside, guarded, member

if TYPE_CHECKING:
    from tests.server.desk import Desk


async def test_the_password_is_changed_here_and_signs_out_elsewhere(desk_on_both: Desk) -> None:
    desk = desk_on_both
    await member(desk)
    here, elsewhere = Browser(desk), Browser(desk)
    await here.sign_in()
    await elsewhere.sign_in()
    await here.open("/me")
    for fields, field in (
        (
            {
                "old_password": "wrong",
                "new_password": "seven Otters swim",
                "new_password_again": "seven Otters swim",
            },
            "old_password",
        ),
        (
            {
                "old_password": "",
                "new_password": "seven Otters swim",
                "new_password_again": "seven Otters swim",
            },
            "old_password",
        ),
        (
            {"old_password": PASSWORD, "new_password": "password", "new_password_again": "password"},
            "new_password",
        ),
        (
            {"old_password": PASSWORD, "new_password": "seven Otters swim", "new_password_again": "eight"},
            "new_password_again",
        ),
        ({"old_password": PASSWORD, "new_password": "", "new_password_again": ""}, "new_password"),
    ):
        answer = await here.send("/me/password", **fields)
        assert answer.status_code == 422
        assert field in errors_beside(answer)
        assert "Otters" not in answer.text
        assert PASSWORD not in answer.text
        guarded(answer)
    assert await elsewhere.is_in()
    done = await here.send(
        "/me/password",
        old_password=PASSWORD,
        new_password="seven Otters swim",
        new_password_again="seven Otters swim",
    )
    assert (done.status_code, done.headers["location"]) == (303, "/me")
    assert "Your password is changed" in (await here.open("/me")).text
    assert not await elsewhere.is_in()
    assert (await elsewhere.sign_in()).status_code == 401
    assert (await elsewhere.sign_in(secret="seven Otters swim")).status_code == 303


async def test_guessing_the_old_password_locks_it(desk: Desk) -> None:
    await member(desk)
    browser = Browser(desk)
    await browser.sign_in()
    await browser.open("/me")
    sent = {"new_password": "seven Otters swim", "new_password_again": "seven Otters swim"}
    for _ in range(5):
        assert (await browser.send("/me/password", old_password="wrong", **sent)).status_code == 422
    locked = await browser.send("/me/password", old_password=PASSWORD, **sent)
    assert locked.status_code == 422
    assert errors_beside(locked) == {"old_password": "is wrong"}


async def test_sessions_are_seen_and_ended(desk_on_both: Desk) -> None:
    desk = desk_on_both
    await member(desk)
    await member(desk, "cy")
    here, phone, laptop, foreign = (Browser(desk) for _ in range(4))
    phone.http.headers["user-agent"] = HOSTILE.encode("ascii", "ignore").decode()
    for browser in (here, phone, laptop):
        await browser.sign_in()
    await foreign.sign_in("cy")
    page = await here.open("/me")
    guarded(page)
    assert "&lt;script&gt;" in page.text
    ends = re.findall(r'action="(/me/sessions/[^"]+/end)"', page.text)
    assert len(ends) == 2, "not the one at hand"
    [theirs] = await desk.core.database.read(
        lambda tx: tx.all(
            select(sessions.c.id)
            .where(sessions.c.method == "password")
            .order_by(sessions.c.created_at.desc())
            .limit(1)
        )
    )
    assert (await here.send(f"/me/sessions/{theirs['id']}/end")).status_code == 404
    assert await foreign.is_in()
    await here.open("/me")
    assert (await here.send(ends[0])).status_code == 303
    assert [await one.is_in() for one in (here, phone, laptop)].count(True) == 2
    await here.open("/me")
    assert (await here.send("/me/sessions/end-others")).status_code == 303
    assert [await one.is_in() for one in (here, phone, laptop, foreign)] == [True, False, False, True]


async def test_the_own_name_is_changed(desk: Desk) -> None:
    bo = await member(desk)
    browser = Browser(desk)
    await browser.sign_in()
    await browser.open("/me")
    wrong = await browser.send("/me/profile", fullname="", nickname="B")
    assert wrong.status_code == 422
    assert "fullname" in errors_beside(wrong)
    assert 'value="B"' in wrong.text
    assert (await browser.send("/me/profile", fullname=HOSTILE[:80], nickname="B")).status_code == 303
    found = await desk.core.database.read(lambda tx: desk.core.members.get(tx, bo.id))
    assert (found.fullname, found.nickname, found.role) == (HOSTILE[:80], "B", "responder")
    guarded(await browser.open("/me"))


async def test_use_is_written_down_by_the_pages(desk_on_both: Desk) -> None:
    desk = desk_on_both
    await member(desk)
    browser = Browser(desk)
    await browser.sign_in()
    seen = []
    for wait in (timedelta(0), timedelta(seconds=61), timedelta(seconds=5)):
        desk.clock.advance(wait)
        assert await browser.is_in()
        [row] = await desk.core.database.read(lambda tx: tx.all(select(sessions.c.seen_at)))
        seen.append(row["seen_at"])
    assert seen[1] > seen[0] + timedelta(seconds=60)
    assert seen[2] == seen[1]
    desk.clock.advance(timedelta(hours=24))
    assert not await browser.is_in()
