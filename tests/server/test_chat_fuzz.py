"""Payloads that no Slack would send: none of them breaks the server, and none acts without a valid signature and permission.

`CALLOUT_FUZZ=10000` tries so many instead of a few hundred.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import os
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from callout.bootstrap.chat_doors import ChatDoors
from callout.bootstrap.listening import Listening
from callout.connectors.slack.socket import SlackSocket
from callout.incidents import DeclareIncident
from callout.ports.values import Channel, Origin, Severity
from tests.server.chat_payloads import Hand, Payload
from tests.server.desk import OPERATOR, SLACK

if TYPE_CHECKING:
    import httpx

    from callout.storage import Tx
    from tests.server.desk import Desk

KEY = "slack-signing-secret"
SHARE = {"http": 0.6, "weak": 0.25, "socket": 0.15}
COUNT = int(os.environ.get("CALLOUT_FUZZ", "400"))
SEED = int(os.environ.get("CALLOUT_FUZZ_SEED", "5"))
STATE = (
    "SELECT id, account_id, status, version FROM incident ORDER BY id",
    "SELECT id, text FROM incident_note ORDER BY id",
    "SELECT id, kind FROM timeline_entry ORDER BY id",
    "SELECT id, done_at, title FROM incident_task ORDER BY id",
)
RECORD = "SELECT count(*) FROM audit_log"
ABOUT = "SELECT id, action FROM audit_log WHERE action LIKE 'incident%' OR action LIKE 'sync%'"
OTHERS = "SELECT id, status, severity, version, title FROM incident WHERE account_id = {} ORDER BY id"

WAYS: list[dict[str, Any]] = [
    {"key": "another key"},
    {"skew": -301},
    {"skew": 301},
    {"x_slack_signature": None},
    {"x_slack_request_timestamp": None},
    {"x_slack_signature": "v0="},
    {"x_slack_signature": "v0=" + "0" * 64},
    {"x_slack_signature": "\xff"},
    {"x_slack_request_timestamp": "9" * 400},
    {"x_slack_request_timestamp": "-1"},
    {"key": ""},
]
"""How a request can lack a valid signature."""


def share(name: str) -> int:
    """How many payloads one of the tests tries."""
    return max(1, round(COUNT * SHARE[name]))


def signed(body: bytes, stamp: str, key: str) -> str:
    """Return the signature of any bytes, also of such as slack_sdk's verifier cannot read."""
    return "v0=" + hmac.new(key.encode(), b"v0:" + stamp.encode() + b":" + body, sha256).hexdigest()


@dataclass(slots=True)
class Target:
    """An installation with two accounts; strangers are responders in one workspace, viewers in another, nobody in a third."""

    desk: Desk
    responders: str
    viewers: str
    nobody: str
    stranger: str
    hand: Hand

    async def rows(self, text: str, *values: Any) -> list[Any]:
        slots = (text.format(*["?"] * len(values)), text.format(*[f"${n + 1}" for n in range(len(values))]))
        found = await self.desk.core.database.read(lambda tx: tx.driver_all(*slots, values))
        return [tuple(row) for row in found]

    async def state(self) -> list[Any]:
        return [await self.rows(text) for text in STATE]

    async def record(self) -> int:
        return int((await self.rows(RECORD))[0][0])

    async def others(self) -> list[Any]:
        return await self.rows(OTHERS, self.stranger)

    async def knock(
        self, where: str, payload: Payload, *, key: str = KEY, skew: float = 0, **headers: str | None
    ) -> httpx.Response:
        """Send a payload as Slack does; a header of None is left out."""
        stamp = str(int(self.desk.clock.now().timestamp() + skew))
        signature = signed(payload.body, stamp, key)
        sent = {
            "x-slack-request-timestamp": stamp,
            "x-slack-signature": signature,
            "content-type": payload.media,
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        kept = [(name.encode(), value.encode("latin-1")) for name, value in sent.items() if value is not None]
        return await self.desk.http.post(f"/v1/chat/{where}/any", content=payload.body, headers=kept)


@pytest.fixture
async def target(desk_on_both: Desk) -> Target:
    desk = desk_on_both
    rates = {"user_rate": 0, "workspace_rate": 0}
    responders, viewers, nobody = [
        (await desk.add({**SLACK, **rates, "default_role": role, "guest_role": role}, key=KEY, name=role)).id
        for role in ("responder", "viewer", "none")
    ]
    other = await desk.add_account("other")
    keys: list[str] = []
    tokens = ["", "x", "{}"]

    async def prepare(tx: Tx) -> None:
        us = Origin(Channel.CLI, OPERATOR)
        for account in (desk.account, other):
            for number in range(4):
                draft = DeclareIncident(f"checkout is down {number}", Severity(2))
                made = await desk.core.incidents.declare(tx.account(account), draft, us)
                keys.extend([made.key, made.id] if account == desk.account else [made.id])
        workspace = await desk.wired.chat.workspace(tx.account(desk.account), responders)
        assert workspace is not None
        data = {"incident": keys[0], "message": "none", "link": "x", "field": "severity", "seen": ""}
        # Of another form, another person: a token that is good somewhere else.
        tokens.extend(
            desk.wired.chat.tokens.make(workspace, "U0EVE", form, data)
            for form in ("form.note", "form.resolve", "form.declare")
        )

    await desk.core.database.transaction(prepare)
    return Target(desk, responders, viewers, nobody, other, Hand(SEED, keys, tokens))


async def test_no_payload_breaks_the_door_and_a_repeated_one_acts_once(target: Target) -> None:
    others, told = await target.others(), 0
    acted = 0
    for number in range(share("http")):
        payload = target.hand.payload()
        before = await target.state()
        answer = await target.knock(target.responders, payload)
        assert answer.status_code in {200, 400, 413}, (number, answer.status_code, answer.text, payload)
        after = await target.state()
        acted += after != before
        if payload.forged and b"view_submission" in payload.body:
            assert after == before, (number, payload)
        if number % 4 == 0:
            again = await target.knock(target.responders, payload)
            assert (again.status_code, again.content) == (answer.status_code, answer.content) or (
                again.status_code == answer.status_code == 400
            ), (number, payload)
            assert await target.state() == after, (number, payload)
        told += bool(answer.content)
        assert await target.others() == others, (number, payload)
    # Otherwise nothing would have been tried at all.
    assert acted > share("http") / 50
    assert told > share("http") / 10


async def test_without_signature_or_permission_nothing_is_done(target: Target) -> None:
    before, record, about = await target.state(), await target.record(), await target.rows(ABOUT)
    for number in range(share("weak")):
        payload = target.hand.payload()
        ways: dict[str, Any] = WAYS[number % len(WAYS)]
        answer = await target.knock(target.responders, payload, **ways)
        assert answer.status_code == 401, (number, ways, answer.status_code, answer.text)
        # Good for the bytes that were signed, not for others.
        body = Payload(payload.body + b"&x=y", payload.media)
        stamp = str(int(target.desk.clock.now().timestamp()))
        answer = await target.knock(
            target.responders, body, x_slack_signature=signed(payload.body, stamp, KEY)
        )
        assert answer.status_code == 401, (number, answer.text)
    assert (await target.state(), await target.record()) == (before, record)

    for number in range(share("weak")):
        payload = target.hand.payload()
        for where in (target.viewers, target.nobody):
            answer = await target.knock(where, payload)
            assert answer.status_code in {200, 400, 413}, (number, answer.status_code, answer.text, payload)
        assert await target.state() == before, (number, payload)
    # Who says something for the first time, or a wrong code, is on record; nothing about an incident is.
    assert [row for row in await target.rows(ABOUT) if row not in about] == []


class Frames:
    """A socket whose other side says what we give it."""

    def __init__(self, texts: list[str]) -> None:
        self._texts = texts
        self.sent: list[str] = []

    async def receive(self) -> str | None:
        await asyncio.sleep(0)
        return self._texts.pop(0) if self._texts else None

    async def send(self, text: str) -> bool:
        text.encode()  # what goes over the wire is UTF-8
        self.sent.append(text)
        return True

    async def close(self) -> None:
        """Nothing is held."""


async def test_no_envelope_breaks_the_socket(target: Target) -> None:
    desk = target.desk
    doors = ChatDoors(desk.core, desk.wired.connections, desk.wired.chat)
    listening = Listening(desk.core, desk.wired.connections, doors)
    workspace = await doors.workspace(desk.account, target.responders)
    assert workspace is not None
    texts = [target.hand.envelope() for _ in range(share("socket"))]
    texts[3:3] = ["", "[", "[" * 60_000, "null", "[]", '"x"', '{"envelope_id": {}}', '{"envelope_id": null}']
    wanted = [frame["envelope_id"] for frame in map(_frame, texts) if "envelope_id" in frame]
    frames = Frames(list(texts))
    others, before = await target.others(), await target.state()
    try:
        socket: Any = SlackSocket(frames)  # type: ignore[arg-type]  # what a socket has
        reason = await listening._serve(socket, workspace)
    finally:
        await doors.close()
    assert reason
    acknowledged = [json.loads(text)["envelope_id"] for text in frames.sent]
    # Each was carried out or was nothing for us: none is sent again for ever.
    assert sorted(map(repr, acknowledged)) == sorted(map(repr, wanted))
    assert await target.others() == others
    assert await target.state() != before
    reasons: list[Any] = [7, [], {}, None, "", "link_disabled", "\ud800"]
    for told in reasons:
        end: Any = SlackSocket(Frames([json.dumps({"type": "disconnect", "reason": told})]))  # type: ignore[arg-type]
        assert await listening._serve(end, workspace)


def _frame(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) and found.get("type") != "disconnect" else {}
