"""Twenty people of the Slack twin whose acts come through Socket Mode: measured by the twin, from the envelope to its acknowledgement."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from callout.cli.bench.baseline import NotMeasuredError
from callout.cli.bench.chatting.answers import Answers

if TYPE_CHECKING:
    from callout.cli.bench.chatting.here import TwinsHere

CHANNEL: Final = "C0INCIDENTS"
LOOK_SECONDS: Final = 0.1
GIVE_UP_SECONDS: Final = 60.0
LATE_SECONDS: Final = 5.0
"""A form that is not there by then will not come: the platform forgets after three."""
OK: Final = 200
_KEY: Final = re.compile(r"INC-\d+")


@dataclass(slots=True)
class TwinPeople:
    """Everybody in the workspace of the Slack twin, in the loop of the twins; `homes` are the ids of their home pages."""

    twins: TwinsHere
    users: Sequence[str]
    homes: dict[str, str] = field(default_factory=dict)

    async def open_homes(self) -> None:
        """Let everybody open the app's home page, from which they press its button later."""
        await asyncio.gather(*map(self._home, self.users))

    async def round(self, acts: int, name: str) -> Answers:
        """Let everybody do `acts` acts, one after the other without a pause; `name` tells the round's incidents apart."""
        answers = Answers()
        await asyncio.gather(*(self._person(user, acts, name, answers) for user in self.users))
        return answers

    async def _person(self, user: str, acts: int, name: str, answers: Answers) -> None:
        key = ""
        for number in range(acts):
            title = f"{name} {user} {number}"
            turn = number % 10
            if turn in {0, 4, 8} or not key:
                said = await self._type(user, "declare", f"declare sev3 {title}", answers)
                found = _KEY.search(said)
                key = found[0] if found else ""
                if key:
                    answers.declared.append(title)
            elif turn in {1, 5}:
                if await self._type(user, "ack", f"ack {key}", answers):
                    answers.acknowledged.add(key)
            elif turn == 2:  # noqa: PLR2004
                await self._type(user, "status", f"status {key}", answers)
            elif turn == 3:  # noqa: PLR2004
                if await self._type(user, "note", f"note {key} {title}", answers):
                    answers.noted.append(title)
            elif turn == 9:  # noqa: PLR2004
                await self._form(user, title, answers)
            else:
                await self._type(user, "list", "list", answers)

    async def _type(self, user: str, kind: str, text: str, answers: Answers) -> str:
        done = await self._act("slash_command", user=user, channel=CHANNEL, command="/im", text=text)
        return str(done["body"]) if _taken(kind, done, answers) else ""

    async def _form(self, user: str, title: str, answers: Answers) -> None:
        """Press the button of the home page, wait for the form as people do, and submit it."""
        pressed = await self._act(
            "press_button", user=user, view_id=self.homes[user], action_id="form.declare"
        )
        if not _taken("button", pressed, answers):
            return
        if not await self._seen(user, "modal", within=LATE_SECONDS):
            answers.late_forms += 1
            return
        sent = await self._act("submit_view", user=user, values={"title": title, "severity": "SEV-3"})
        if not _taken("form", sent, answers):
            return
        if sent["outcome"] == "closed":
            answers.declared.append(title)
        else:
            answers.refused.append(f"form: {sent}")

    async def _home(self, user: str) -> None:
        await self._act("open_home", user=user)
        home = await self._seen(user, "home", within=GIVE_UP_SECONDS)
        if home is None:
            raise NotMeasuredError(f"{user} did not see a home page within {GIVE_UP_SECONDS:g} s")
        self.homes[user] = home["id"]

    async def _seen(self, user: str, what: str, *, within: float) -> Any:  # a view, as JSON
        """Return what somebody sees once it is there, None when it does not come within so many seconds."""
        deadline = time.monotonic() + within
        while not (found := (await self._act("sees", user=user, views=True))[what]):
            if time.monotonic() > deadline:
                return None
            await asyncio.sleep(LOOK_SECONDS)
        return found

    async def _act(self, name: str, *, user: str, **body: Any) -> Any:  # any JSON
        return await self.twins.act("slack", name, {"user": user, **body})


def _taken(kind: str, done: dict[str, Any], answers: Answers) -> bool:
    """Write down how late the acknowledgement was; return whether there was one."""
    if done["status"] != OK:
        answers.refused.append(f"{kind}: {done['status']} {done['reason']}")
        return False
    answers.waits[kind].append(float(done["elapsed_ms"]))
    return True
