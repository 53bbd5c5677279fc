"""The door for chat platforms: what is not Slack's own is refused before it is read."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

import httpx
from slack_sdk.signature import SignatureVerifier

from callout.server.limits import BODY_LIMIT
from tests.server.desk import JIRA, SLACK, problem_of

if TYPE_CHECKING:
    from tests.server.desk import Desk

KEY = "slack-signing-secret"
FORM = "application/x-www-form-urlencoded"
COMMAND = {
    "command": "/im",
    "text": "list",
    "user_id": "U1",
    "user_name": "ann",
    "team_id": "T1",
    "channel_id": "C1",
    "channel_name": "general",
    "trigger_id": "t.1",
    "response_url": "https://hooks.slack.com/commands/1",
}


async def knock(
    desk: Desk, where: str, body: bytes, *, key: str = KEY, kind: str = FORM, skew: float = 0
) -> httpx.Response:
    stamp = str(int(desk.clock.now().timestamp() + skew))
    signature = SignatureVerifier(key).generate_signature(timestamp=stamp, body=body)
    headers = {"x-slack-request-timestamp": stamp, "x-slack-signature": str(signature), "content-type": kind}
    return await desk.http.post(f"/v1/chat/{where}/commands", content=body, headers=headers)


async def test_only_signed_requests_to_a_chat_integration_come_in(desk: Desk) -> None:
    slack, jira = await desk.add(SLACK, key=KEY), await desk.add(JIRA, key=KEY, name="jira")
    body = urlencode(COMMAND).encode()
    before = await desk.written()
    for where in ("nobody", jira.id, "%2e%2e"):
        problem_of(await knock(desk, where, body), 401, "unauthenticated")
    problem_of(await knock(desk, slack.id, body, key="another"), 401, "unauthenticated")
    problem_of(await knock(desk, slack.id, body, skew=-301), 401, "unauthenticated")
    problem_of(await desk.http.post(f"/v1/chat/{slack.id}/commands", content=body), 401, "unauthenticated")
    problem_of(await desk.http.get(f"/v1/chat/{slack.id}/commands"), 401, "unauthenticated")
    assert await desk.written() == before
    assert (await knock(desk, slack.id, body)).status_code == 200


async def test_slacks_own_probes_are_answered(desk: Desk) -> None:
    slack = await desk.add(SLACK, key=KEY)
    probe = await knock(desk, slack.id, b"ssl_check=1&token=x")
    assert (probe.status_code, probe.content) == (200, b"")
    problem_of(await desk.http.post(f"/v1/chat/{slack.id}/commands", data={"ssl_check": "1"}), 401)
    challenge = b'{"type": "url_verification", "challenge": "3eZbrw"}'
    answer = await knock(desk, slack.id, challenge, kind="application/json")
    assert (answer.status_code, answer.text) == (200, "3eZbrw")


async def test_a_signed_request_that_is_not_slacks_is_a_problem(desk: Desk) -> None:
    slack = await desk.add(SLACK, key=KEY)
    before = await desk.written()
    for body, kind in (
        (b"", FORM),
        (b"command=/im", FORM),
        (b"payload={", FORM),
        (b"payload=[]", FORM),
        (b"payload=%7B%7D", FORM),
        (b"command=%FF%FE", FORM),
        (b"&".join(b"a=b" for _ in range(200)), FORM),
        (b"{", "application/json"),
        (b"[]", "application/json"),
        (b"[" * 50_000, "application/json"),
    ):
        answer = await knock(desk, slack.id, body, kind=kind)
        said = problem_of(answer, 400, "invalid-request")
        assert "platform" in said["message"], body[:20]
    assert await desk.written() == before


async def test_only_what_is_a_platforms_address_goes_past_the_framework(desk: Desk) -> None:
    slack = await desk.add(SLACK, key=KEY)
    large = b"text=" + b"x" * BODY_LIMIT
    problem_of(await knock(desk, slack.id, large), 413, "too-large")
    for path in (f"/v1/chat/{slack.id}", f"/v1/chat/{slack.id}/a/b", "/v1/chat//commands", "/v1/chat/"):
        assert (await desk.http.post(path, content=b"")).status_code in {404, 405}, path
    said = await desk.http.get("/v1/chat/installed")
    assert (said.status_code, said.headers["content-type"][:9]) == (400, "text/html")
