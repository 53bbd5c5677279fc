"""A task is ticked off by its text: all of it, or a part that no other has. What is not sure is asked, with a button for each."""

from __future__ import annotations

import pytest

from callout.ports.chat import Answer, Button
from tests.chatops.lab import ChatLab

TASKS = (
    "Deploy the fix",
    "deploy  the docs",
    "tell support",
    "回滚发布版本",
    "call “ACME”",
    "tell support again",
)


@pytest.fixture
async def busy(lab: ChatLab) -> ChatLab:
    await lab.type("declare sev2 checkout is down")
    for title in TASKS:
        await lab.type(f"task INC-1 add {title}")
    return lab


async def done(lab: ChatLab) -> set[int]:
    tasks = await lab.tx(lambda tx: lab.incidents.tasks.of(tx, "INC-1"))
    return {one.number for one in tasks if one.done}


def words(answer: Answer) -> str:
    return (answer.text + ("" if answer.card is None else answer.card.text)).replace("\\", "")


async def test_a_text_that_one_task_alone_has_ticks_it_off(busy: ChatLab) -> None:
    meant = {
        "deploy the fix": 1,
        "DEPLOY\u00a0 the  Docs.": 2,
        "“tell support”": 3,  # though another begins so: this is all of it
        "发布": 4,
        "acme": 5,
    }
    for count, (typed, number) in enumerate(meant.items(), 1):
        answer = await busy.type(f"task INC-1 done {typed}")
        assert f"task ✅ {number} " in words(answer)
        assert f"{len(TASKS) - count} open." in words(answer)
    assert await done(busy) == set(meant.values())


async def test_words_that_several_have_ask_which_and_do_nothing(busy: ChatLab) -> None:
    buttons: tuple[Button, ...] = ()
    for typed, named in {"t": {1, 2, 3, 6}, "deploy": {1, 2}}.items():
        answer = await busy.type(f"task INC-1 done {typed}")
        assert answer.card is not None
        assert "nothing was done. Which one?" in words(answer)
        buttons = answer.card.buttons
        assert {int(one.value.partition("/")[2]) for one in buttons} == named
        assert "⬜ 4 " not in words(answer)
        assert await done(busy) == set()
    first = buttons[0]
    busy.settings = busy.settings.model_copy(update={"default_role": "viewer"})
    await busy.press(first.action, first.value)  # whoever may not tick off by typing may not by a button
    assert await done(busy) == set()
    busy.settings = busy.settings.model_copy(update={"default_role": "responder"})
    await busy.press(first.action, first.value)
    await busy.press(first.action, first.value)  # twice is once
    assert await done(busy) == {1}


async def test_words_that_none_has_name_the_nearest_and_do_nothing(busy: ChatLab) -> None:
    for typed in ("xyzzy", "\\*", "depl0y the fix", "deploy the fix and the docs"):
        answer = await busy.type(f"task INC-1 done {typed}")
        assert answer.card is not None
        assert "nothing was done. Nearest of those that are open:" in words(answer)
        labels = [one.label for one in answer.card.buttons]
        assert "1 Deploy the fix" in labels or typed in {"xyzzy", "\\*"}
        assert "/im task INC-1 add …" in words(answer)
    assert await done(busy) == set()


async def test_opening_again_by_text_looks_among_those_that_are_done(busy: ChatLab) -> None:
    assert "None is done." in words(await busy.type("task INC-1 reopen xyzzy"))
    assert "it is open" in words(await busy.type("task INC-1 reopen deploy the fix"))
    await busy.type("task INC-1 done deploy the fix")
    assert "it is done already" in words(await busy.type("task INC-1 done deploy the fix"))
    assert await done(busy) == {1}
    await busy.type("task INC-1 reopen deploy")  # of those that are done one alone has it
    assert await done(busy) == set()
