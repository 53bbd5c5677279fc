"""What is asked by a mention, where everybody reads, is not answered with what is for the people of a private channel."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from callout.ports.chat import Card, ChannelRef, ChatEvent, ChatEventKind, MessageRef
from callout.ports.values import Person
from tests.chatops.lab import ChatLab, Wrapped


@pytest.mark.parametrize(("private", "where"), [(("SEV-1",), "U0EVE"), ((), "C0GENERAL")])
@pytest.mark.parametrize("asked", ["timeline INC-1", "list", "status INC-1", "changes today"])
async def test_a_private_incident_is_told_of_directly(
    lab: ChatLab, private: tuple[str, ...], where: str, asked: str
) -> None:
    lab.settings = lab.settings.model_copy(update={"private_severities": private})
    await lab.type("declare SEV-1 breach")
    await lab.run_jobs()
    places: list[str] = []

    async def noted(real: Callable[..., Awaitable[Any]], channel: str, card: Card, **options: Any) -> Any:
        places.append(channel)
        return await real(channel, card, **options)

    assert isinstance(lab.provider, Wrapped)
    lab.provider.spoiled["post_message"] = noted
    given = ChatEvent(
        kind=ChatEventKind.MENTION,
        id="Ev1",
        team="T01ACC",
        user=Person("U0EVE", "eve"),
        channel=ChannelRef("C0GENERAL"),
        message=MessageRef("C0GENERAL", "1.1"),
        text=asked,
        occurred_at=None,
        vendor_event="app_mention",
    )
    await lab.dispatcher.handle(lab.workspace, given)
    await lab.run_jobs()
    assert places == [where]


@pytest.mark.parametrize("asked", ["list", "list sev1", "changes 1h", "status"])
async def test_a_private_incident_is_listed_to_those_alone_who_are_in_it(lab: ChatLab, asked: str) -> None:
    lab.settings = lab.settings.model_copy(
        update={"private_severities": ("SEV-1",), "invite_groups": ("oncall",)}  # Ann and Bob
    )
    await lab.type("declare sev1 breach", user="U0ADMIN")
    await lab.type("declare sev2 slow", user="U0ADMIN")
    await lab.run_jobs()

    async def seen(user: str) -> str:
        answer = await lab.type(asked, user=user)
        return answer.text + ("" if answer.card is None else answer.card.text)

    assert "breach" in await seen("U0ADMIN")  # declared it
    assert "breach" in await seen("U0BOB")  # was invited
    assert "breach" not in await seen("U0CAT")
    assert "slow" in await seen("U0CAT") or asked == "list sev1"
    await lab.type("join INC-1", user="U0CAT")
    assert "breach" in await seen("U0CAT")
    assert "breach" not in await seen("U0DAN")
    lab.settings = lab.settings.model_copy(update={"default_role": "manager"})
    assert "breach" in await seen("U0DAN")
    lab.settings = lab.settings.model_copy(update={"default_role": "responder", "private_severities": ()})
    assert "breach" in await seen("U0DAN")


async def test_what_may_be_listed_is_found_behind_what_may_not(lab: ChatLab) -> None:
    lab.settings = lab.settings.model_copy(update={"private_severities": ("SEV-1",)})
    await lab.type("declare sev3 oldest of all")
    for number in range(16):
        await lab.type(f"declare sev1 breach {number}")
    answer = await lab.type("list", user="U0CAT")
    assert "oldest of all" in answer.text
    assert "breach" not in answer.text
