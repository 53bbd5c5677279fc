"""Who somebody is in chat: codes that members make and chat users type, and how quickly people may ask."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from callout.access import Member
from callout.access.chat_codes import LIFETIME, LOCKED_FOR, WRONG_AT_MOST
from callout.access.tables import chat_codes
from callout.audit.tables import audit_log
from callout.chatops.dispatch import Dispatcher
from callout.ports.chat import ChannelRef, SlashCommand
from callout.ports.errors import ForbiddenError
from callout.ports.values import Actor, ActorKind, Person
from callout.storage import Tx
from tests.chatops.lab import SETTINGS, ChatLab
from tests.chatops.test_commands import member, said
from tests.chatops.test_dispatch import mention


@pytest.fixture
async def strict(lab: ChatLab) -> ChatLab:
    lab.settings = SETTINGS.model_copy(update={"default_role": "none"})
    return lab


async def code_for(lab: ChatLab, name: str) -> str:
    async def unit(tx: Tx) -> str:
        actor = Actor(ActorKind.MEMBER, "m", "m")
        return (await lab.identities.codes.issue(tx, name, actor=actor)).code.reveal()

    return await lab.database.transaction(unit)


async def member_of(lab: ChatLab, user: str = "U0ANN") -> str | None:
    found = await lab.tx(lambda tx: lab.identities.find(tx.system, "chat_slack", "T01ACC", user))
    return None if found is None else found.member_id


async def test_a_code_says_who_somebody_is_once(strict: ChatLab) -> None:
    lab, ann = strict, await member(strict, "ann", role="responder")
    assert "no role here" in await said(lab, "declare db")
    assert "type `/im login` with the code" in await said(lab, "login")
    code = await code_for(lab, "ann")
    assert len(code) == 11
    told = await said(lab, f"login {code.lower().replace('-', ' ')}")
    assert told == "You are Ann Builder here now (responder)."
    assert await member_of(lab) == ann.id
    assert "INC-1" in await said(lab, "declare db")
    assert "You are u0ann here" in await said(lab, "login")
    assert "not right, or too old, or was used already" in await said(lab, f"login {code}")

    async def audited(tx: Tx) -> list[tuple[str, str, str]]:
        rows = await tx.all(audit_log.select().order_by(audit_log.c.id))
        return [(row["action"], row["channel"], row["actor_id"]) for row in rows]

    found = await lab.database.read(audited)
    assert [one[0] for one in found if "chat" in one[0]] == ["member.chat_code_made", "chat_identity.linked"]
    assert ("chat_identity.linked", "chat", "chat_slack/T01ACC/U0ANN") in found


async def test_codes_are_kept_as_hashes_and_end(strict: ChatLab) -> None:
    lab = strict
    await member(lab, "ann")
    first = await code_for(lab, "ann")
    second = await code_for(lab, "ann")

    async def kept(tx: Tx) -> str:
        return str(await tx.all(chat_codes.select()))

    rows = await lab.database.read(kept)
    assert rows.count("hash") == 1
    assert second.replace("-", "") not in rows
    assert "not right" in await said(lab, f"login {first}")  # a new one ends the one before
    lab.clock.advance(LIFETIME + timedelta(seconds=1))
    assert "not right" in await said(lab, f"login {second}")
    assert await member_of(lab) is None
    await code_for(lab, "ann")
    lab.clock.advance(LIFETIME)
    assert await lab.database.transaction(lab.identities.codes.purge) == 1


async def test_guessing_ends_after_a_few_wrong_ones_even_for_the_right_one(strict: ChatLab) -> None:
    lab = strict
    await member(lab, "ann")
    code = await code_for(lab, "ann")
    for _ in range(WRONG_AT_MOST - 1):
        assert "not right" in await said(lab, "login AAAAA-AAAAA")
    assert "Too many wrong codes" in await said(lab, "login AAAAA-AAAAA")
    assert "Too many wrong codes" in await said(lab, f"login {code}")
    assert await member_of(lab) is None
    lab.clock.advance(LOCKED_FOR + timedelta(seconds=1))
    assert "You are Ann Builder" in await said(lab, f"login {await code_for(lab, 'ann')}")


async def test_guesses_at_the_same_moment_are_counted_one_by_one(strict: ChatLab) -> None:
    lab = strict
    await lab.type("login")
    answers = await asyncio.gather(*(lab.type("login AAAAA-AAAAA") for _ in range(12)))
    assert len([one for one in answers if "Too many" in one.text]) == 12 - (WRONG_AT_MOST - 1)


async def test_of_two_who_type_one_code_one_gets_it(strict: ChatLab) -> None:
    lab = strict
    await member(lab, "ann")
    code = await code_for(lab, "ann")

    def typed(user: str) -> SlashCommand:
        return SlashCommand(
            "/im", f"login {code}", Person(user, user), "T01ACC", ChannelRef("C1"), f"inv-{user}"
        )

    await asyncio.gather(*(lab.dispatcher.handle(lab.workspace, typed(f"U{n}")) for n in range(5)))
    linked = [await member_of(lab, f"U{n}") for n in range(5)]
    assert len([one for one in linked if one is not None]) == 1


async def test_a_code_shown_in_a_channel_is_void(strict: ChatLab) -> None:
    lab = strict
    await member(lab, "ann")
    code = await code_for(lab, "ann")
    await lab.dispatcher.handle(lab.workspace, mention(f"login {code}"))
    assert await member_of(lab) is None
    assert "not right" in await said(lab, f"login {code}")


async def test_a_disabled_member_gets_no_code_and_a_code_is_of_no_use_to_one(strict: ChatLab) -> None:
    lab, ann = strict, await member(strict, "ann")
    code = await code_for(lab, "ann")

    async def state(tx: Tx, value: str) -> Member:
        return await lab.members.update(tx, ann.id, changes={"state": value}, actor=Actor.system())

    await lab.database.transaction(lambda tx: state(tx, "disabled"))
    assert "not right" in await said(lab, f"login {code}")
    with pytest.raises(ForbiddenError):
        await code_for(lab, "ann")


async def test_a_linked_member_that_goes_has_no_rights_left(strict: ChatLab) -> None:
    lab, ann = strict, await member(strict, "ann")
    await said(lab, f"login {await code_for(lab, 'ann')}")
    await code_for(lab, "ann")
    await lab.database.transaction(lambda tx: lab.members.delete(tx, ann.id, actor=Actor.system()))
    assert "no role here" in await said(lab, "list")


# ---------------------------------------------------------------------------------------------------- pace


async def test_who_asks_too_quickly_is_told_when_to_come_again(lab: ChatLab) -> None:
    lab.settings = SETTINGS.model_copy(update={"user_rate": 6})
    for _ in range(6):
        assert "Declared" in (await lab.type("declare db")).text
    told = (await lab.type("declare db")).text
    assert "at most 6 a minute" in told
    assert "Again in 10 seconds" in told
    lab.clock.advance(timedelta(seconds=10))
    assert "Declared" in (await lab.type("declare db")).text
    assert "Too many" in (await lab.type("declare db")).text
    lab.clock.advance(timedelta(minutes=5))
    for _ in range(6):
        assert "Declared" in (await lab.type("declare db")).text
    assert "Too many" in (await lab.type("declare db")).text


async def test_the_workspace_has_a_limit_of_its_own(lab: ChatLab) -> None:
    lab.settings = SETTINGS.model_copy(update={"workspace_rate": 3})
    answers = [
        await lab.dispatcher.handle(
            lab.workspace,
            SlashCommand("/im", "list", Person(f"U{n}"), "T01ACC", ChannelRef("C1"), f"inv-{n}"),
        )
        for n in range(4)
    ]
    assert ["Too many" in one.text for one in answers] == [False, False, False, True]
    assert "from this workspace" in answers[-1].text


async def test_buttons_and_mentions_beyond_the_limit_do_nothing_and_are_told_once(lab: ChatLab) -> None:
    await lab.type("declare db")
    incident = await lab.incident()
    lab.settings = SETTINGS.model_copy(update={"user_rate": 1})
    lab.dispatcher = Dispatcher(lab.context)
    await lab.type("list")
    for n in range(3):
        await lab.press("incident.resolve", incident.id, response="https://hooks.slack.com/1")
        await lab.dispatcher.handle(lab.workspace, mention("resolve INC-1", f"Ev{n}"))
    assert (await lab.incident()).version == 1
    waiting = await lab.waiting()
    assert waiting.count("chat.respond") == 1
    assert "chat.reply" not in waiting
