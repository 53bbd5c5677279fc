"""How often an act goes to PostgreSQL and back, which is most of what its answer costs: pinned, so that it cannot grow unseen."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from typing import Final

import pytest

from callout.access import DEFAULT_ACCOUNT
from callout.bootstrap.core import Core, open_core
from callout.bootstrap.settings import Settings
from callout.bootstrap.wiring import wire
from callout.chatops.context import ChatContext, Workspace
from callout.chatops.dispatch import Dispatcher
from callout.integrations import Integration
from callout.ports.chat import ChannelRef, Interaction, InteractionKind, MessageRef, SlashCommand
from callout.ports.chat_people import Membership
from callout.ports.values import Actor, Person
from callout.storage import Tx
from tests.jobs.support import eventually
from tests.migrated import postgres_url
from tests.round_trips import trips

__all__ = ["postgres_url", "trips"]

TEAM: Final = "T01ACC"
ANN: Final = Person("U0ANN", "ann")
CHANNEL: Final = ChannelRef("C0INCIDENTS", "incidents")
SLACK: Final = {
    "type": "chat_slack",
    "url": "https://slack.example.com/api",
    "credential": {"type": "token", "secret": "xoxb-acc"},
    "channels": {"default": "incidents"},
    "user_rate": 0,
    "workspace_rate": 0,
}
MOST: Final = {"declare": 5, "ack": 6, "note": 6, "status": 2, "list": 2, "button": 6, "form": 5}
"""BEGIN, claim and person, what is read, what is written with the answer, COMMIT; a number is taken beside. What only tells: the person,
and what is told."""


class People:
    """Somebody who types, presses and submits; `trips` counts the round trips of the process."""

    def __init__(self, chat: ChatContext, workspace: Workspace, trips: list[str]) -> None:
        self._chat, self._workspace, self.trips = chat, workspace, trips
        self._dispatcher = Dispatcher(chat)
        self._numbers = count()

    async def do(self, given: SlashCommand | Interaction) -> tuple[str, int]:
        """Return what was answered, and by how many round trips."""
        del self.trips[:]
        answer = await self._dispatcher.handle(self._workspace, given)
        return answer.text, len(self.trips)

    def typed(self, text: str) -> SlashCommand:
        return SlashCommand("/im", text, ANN, TEAM, CHANNEL, f"typed.{next(self._numbers)}")

    def pressed(self, key: str) -> Interaction:
        place = MessageRef(CHANNEL.id, "1700000000.000100")
        number = next(self._numbers)
        return Interaction("incident.acknowledge", key, ANN, TEAM, CHANNEL, place, f"pressed.{number}")

    def submitted(self, title: str) -> Interaction:
        token = self._chat.tokens.make(self._workspace, ANN.id, "form.declare", {})
        return Interaction(
            *("form.declare", token, ANN, TEAM, None, None, f"submitted.{next(self._numbers)}"),
            values={"title": title, "severity": "SEV-3"},
            kind=InteractionKind.SUBMITTED,
        )


@pytest.fixture
async def people(postgres_url: str, tmp_path: Path, trips: list[str]) -> AsyncIterator[People]:
    async with open_core(Settings(data_dir=tmp_path, database_url=postgres_url)) as core:
        added = await core.database.transaction(lambda tx: _add_slack(core, tx))
        wired = wire(core)
        workspace = await core.database.read(
            lambda tx: wired.chat.workspace(tx.account(added.account_id), added.id)
        )
        assert workspace is not None
        people = People(wired.chat, workspace, trips)
        await core.database.transaction(lambda tx: _known(wired.chat, tx))
        await people.do(people.typed("declare sev3 the first of all"))

        async def woken() -> bool:
            look = "SELECT 1 FROM procrastinate_jobs"
            return bool(await core.database.read(lambda tx: tx.driver_all("", look)))

        await eventually(woken, 30, "no wake-up was sent")  # by a connection that is opened for the first
        yield people
        await wired.connections.close()


async def _known(chat: ChatContext, tx: Tx) -> None:
    """Have the platform have told already that Ann is no guest: she has done something before."""
    await chat.identities.remember(tx, "chat_slack", TEAM, ANN)
    await chat.identities.stand(tx, "chat_slack", TEAM, ANN.id, Membership.MEMBER.value)


async def _add_slack(core: Core, tx: Tx) -> Integration:
    account = await core.accounts.get(tx, DEFAULT_ACCOUNT)
    saved = await core.integrations.create(
        tx.account(account.id), provider_config=SLACK, actor=Actor.system("test"), name="slack"
    )
    return saved.integration


async def test_no_act_takes_more_round_trips_than_it_did(people: People) -> None:
    took: dict[str, int] = {}
    for _ in range(2):  # what is asked once (who somebody is, how types look) is not counted
        said, took["declare"] = await people.do(people.typed("declare sev3 checkout is slow"))
        [key] = re.findall(r"INC-\d+", said)
        said, took["ack"] = await people.do(people.typed(f"ack {key}"))
        assert "acknowledged" in said
        said, took["note"] = await people.do(people.typed(f"note {key} a disk is full"))
        assert "Noted" in said
        _, took["status"] = await people.do(people.typed(f"status {key}"))
        said, took["list"] = await people.do(people.typed("list"))
        assert "checkout" in said
        said, _ = await people.do(people.typed("declare sev3 the second"))
        [key] = re.findall(r"INC-\d+", said)
        _, took["button"] = await people.do(people.pressed(key))
        said, took["form"] = await people.do(people.submitted("from a form"))
        assert not said
    assert took == MOST


async def test_a_repeated_act_is_claimed_once_and_answered_from_what_is_stored(people: People) -> None:
    given = people.typed("declare sev3 checkout is slow")
    first, _ = await people.do(given)
    await people.do(people.typed("status INC-1"))
    again, took = await people.do(given)
    assert again == first
    assert took == 4, people.trips
