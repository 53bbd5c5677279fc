"""Twenty people of Slack whose requests come over HTTP, signed as Slack signs: commands, pressed buttons, submitted forms."""

from __future__ import annotations

import asyncio
import hmac
import itertools
import json
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode, urlsplit

from callout.cli.bench.chatting.answers import Answers
from callout.cli.bench.chatting.line import lines_to

if TYPE_CHECKING:
    from callout.cli.bench.chatting.line import Line

TEAM: Final = "T01ACC"
CHANNEL: Final = "C0INCIDENTS"
REPEAT_EVERY: Final = 20
"""Every so many-th request is sent again at once, the same bytes, as platforms do that have heard no answer."""
ONLY_TELL: Final = frozenset({"status", "list"})
"""What is answered anew when it is sent again: what is true by then."""
OK: Final = 200
_KEY: Final = re.compile(r"INC-\d+")


@dataclass(slots=True)
class SignedPeople:
    """Everybody who types, presses and submits. `tokens` are those of a form to declare by, by user; `door` is our address for the app."""

    door: str
    key: bytes
    vendor: str
    tokens: Mapping[str, str]
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _lines: dict[str, Line] = field(default_factory=dict)

    async def round(self, acts: int, name: str) -> Answers:
        """Let everybody do `acts` acts, one after the other without a pause; `name` tells the round's incidents apart."""
        answers = Answers()
        async with lines_to(self.door, self.tokens) as self._lines:
            await asyncio.gather(*(self._person(user, acts, name, answers) for user in self.tokens))
        return answers

    async def _person(self, user: str, acts: int, name: str, answers: Answers) -> None:
        key = ""
        for number in range(acts):
            title = f"{name} {user} {number}"
            turn = number % 10
            if turn in {0, 4, 8} or not key:
                key = await self._declare(user, title, answers)
            elif turn in {1, 5}:
                await self._acknowledge(user, key, answers, press=turn == 5)  # noqa: PLR2004
            elif turn == 2:  # noqa: PLR2004
                await self._command(user, "status", f"status {key}", answers)
            elif turn == 3:  # noqa: PLR2004
                if await self._command(user, "note", f"note {key} {title}", answers):
                    answers.noted.append(title)
            elif turn in {6, 9}:
                await self._submit(user, title, answers)
            else:
                await self._command(user, "list", "list", answers)

    async def _declare(self, user: str, title: str, answers: Answers) -> str:
        said = await self._command(user, "declare", f"declare sev3 {title}", answers)
        found = _KEY.search(said)
        if found is None:
            answers.refused.append(f"declare: {said[:200]!r}")
            return ""
        answers.declared.append(title)
        return found[0]

    async def _acknowledge(self, user: str, key: str, answers: Answers, *, press: bool) -> None:
        done = (
            await self._press(user, key, answers)
            if press
            else await self._command(user, "ack", f"ack {key}", answers)
        )
        if done is not None:
            answers.acknowledged.add(key)

    async def _command(self, user: str, kind: str, text: str, answers: Answers) -> str:
        trigger = self._trigger()
        body = {
            "team_id": TEAM,
            "team_domain": "acc",
            "channel_id": CHANNEL,
            "channel_name": "incidents",
            "user_id": user,
            "user_name": user.lower(),
            "command": "/im",
            "text": text,
            "api_app_id": "A01ACC",
            "is_enterprise_install": "false",
            "response_url": f"{self.vendor}/commands/{trigger}",
            "trigger_id": trigger,
        }
        return await self._send(user, "commands", kind, body, answers) or ""

    async def _press(self, user: str, key: str, answers: Answers) -> str | None:
        action = {
            "type": "button",
            "action_id": "incident.acknowledge",
            "block_id": "b",
            "value": key,
            "action_ts": "1",
        }
        container = {"type": "message", "channel_id": CHANNEL, "message_ts": "1700000000.000100"}
        return await self._interaction(
            user,
            "button",
            {
                "type": "block_actions",
                "container": container,
                "channel": {"id": CHANNEL, "name": "incidents"},
                "message": {"ts": "1700000000.000100", "type": "message"},
                "actions": [action],
            },
            answers,
        )

    async def _submit(self, user: str, title: str, answers: Answers) -> None:
        values = {
            "title": {"value": {"type": "plain_text_input", "value": title}},
            "severity": {
                "value": {"type": "static_select", "selected_option": {"value": "SEV-3", "text": {}}}
            },
        }
        view = {
            "id": f"V{next(self._numbers)}",
            "type": "modal",
            "callback_id": "form.declare",
            "private_metadata": self.tokens[user],
            "state": {"values": values},
        }
        said = await self._interaction(user, "form", {"type": "view_submission", "view": view}, answers)
        if said is None:
            return
        if said:  # Slack closes a form at an empty answer
            answers.refused.append(f"form: {said[:200]!r}")
        else:
            answers.declared.append(title)

    async def _interaction(
        self, user: str, kind: str, payload: dict[str, Any], answers: Answers
    ) -> str | None:
        payload |= {
            "user": {"id": user, "username": user.lower(), "team_id": TEAM},
            "team": {"id": TEAM, "domain": "acc"},
            "api_app_id": "A01ACC",
            "trigger_id": self._trigger(),
        }
        return await self._send(user, "interactions", kind, {"payload": json.dumps(payload)}, answers)

    async def _send(
        self, user: str, where: str, kind: str, fields: Mapping[str, str], answers: Answers
    ) -> str | None:
        """Send a signed form; return what was answered, None when that was no success."""
        body = urlencode(fields).encode()
        stamp = str(int(time.time()))
        signature = hmac.new(self.key, b"v0:" + stamp.encode() + b":" + body, sha256).hexdigest()
        headers = {
            "content-type": "application/x-www-form-urlencoded",
            "x-slack-request-timestamp": stamp,
            "x-slack-signature": f"v0={signature}",
        }
        again = next(self._numbers) % REPEAT_EVERY == 0
        path = f"{urlsplit(self.door).path}/{where}"
        said: str | None = None
        for time_ in range(1 + again):
            began = time.perf_counter()
            status, text = await self._lines[user].post(path, body, headers)
            answers.waits[kind].append((time.perf_counter() - began) * 1000)
            if status != OK:
                answers.refused.append(f"{kind}: {status} {text[:200]}")
                return None
            if time_ and text != said and kind not in ONLY_TELL:
                answers.refused.append(f"{kind}: repeated, and answered otherwise: {text[:200]!r}")
            answers.repeated += time_
            said = text
        return said

    def _trigger(self) -> str:
        return f"bench.{next(self._numbers)}.{time.time_ns()}"
