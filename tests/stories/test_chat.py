"""What people do in Slack: every command, the buttons, mentions; and requests that only look as if Slack had sent them."""

from __future__ import annotations

import time
from urllib.parse import urlencode

from slack_sdk.signature import SignatureVerifier

from tests.stories.installation import Installation
from tests.stories.people import SLACK_SECRET, Json, eventually

FORM = "application/x-www-form-urlencoded"


async def test_every_command(installation: Installation) -> None:
    api, slack = installation.api, installation.slack

    assert "INC-1" in await slack.said(
        "declare sev2 search is slow --team web --tag search --description since noon"
    )
    made = await api.incident("INC-1")
    assert (made["severity"], made["team"], made["tags"], made["description"]) == (
        "SEV-2",
        "web",
        ["search"],
        "since",
    )
    assert made["title"] == "search is slow noon"  # words after a flag's value belong to the text
    assert "INC-2" in await slack.said('declare "second one"', user="U0BOB")
    assert (await api.incident("INC-2"))["declared_by"]["name"].lower().startswith("bob")

    assert "acknowledged" in await slack.said("ack INC-1 looking at it")
    assert await api.notes("INC-1") == ["looking at it"]
    assert "mitigated" in await slack.said("mitigate 1")
    assert "changed" in await slack.said("severity INC-1 sev1")
    assert "changed" in await slack.said("title INC-1 search is down")
    assert "Noted" in await slack.said("note INC-1 the index is rebuilt")
    assert "us alone" in await slack.said("note INC-1 --internal it was our release")
    changed = await api.incident("INC-1")
    assert (changed["status"], changed["severity"], changed["title"]) == (
        "mitigated",
        "SEV-1",
        "search is down",
    )
    assert await api.notes("INC-1") == ["looking at it", "the index is rebuilt", "it was our release"]

    status = await slack.said("status INC-1")
    assert "search is down" in status
    assert "mitigated" in status
    listed = await slack.said("list active")
    assert "INC-1" in listed
    assert "INC-2" in listed
    assert "INC-2" not in await slack.said("list sev1")

    assert "resolved" in await slack.said("resolve INC-1")
    assert "closed" in await slack.said("close INC-1")
    assert "open again" in await slack.said("reopen INC-1")
    assert (await api.incident("INC-1"))["status"] == "open"
    assert "INC-1" in await slack.said("status", channel=await _own(installation, "INC-1"))

    for words in ("help", "help declare"):
        assert "/im declare" in await slack.said(words)


async def test_what_cannot_be_done_is_said_in_words(installation: Installation) -> None:
    slack = installation.slack
    await slack.said("declare payments are late")
    assert "declare" in await slack.said("declair something")  # not a command: the nearest one is shown
    assert "not an incident" in await slack.said("status checkout")
    assert "INC-99" in await slack.said("ack INC-99")
    refused = await slack.said("close INC-1")
    assert "open" in refused
    assert (await installation.api.incident("INC-1"))["status"] == "open"
    which = await slack.said("ack")
    assert "which incident" in which.lower()


async def _own(installation: Installation, key: str) -> str:
    return await eventually(lambda: installation.slack.own_channel(key), what=f"the channel of {key}")


async def test_buttons_on_the_card_act_once(installation: Installation) -> None:
    api, slack = installation.api, installation.slack
    await api.declare("checkout is down", severity="SEV-3")

    async def card() -> Json:
        return (await slack.messages("incidents"))[0]

    await installation.told("incidents", "checkout is down")
    pressed = await slack.press(await card(), "acknowledge", channel="C0INCIDENTS", repeat=2)
    assert [pressed["status"], *(one["status"] for one in pressed["repeats"])] == [200, 200]
    await installation.incident_when("INC-1", status="acknowledged")
    moves = [e for e in await api.timeline("INC-1") if "status" in e["data"].get("changes", {})]
    assert len(moves) == 1
    assert moves[0]["actor"]["name"].lower().startswith("ann")
    await installation.told("incidents", "open → acknowledged")

    async def offers_no_acknowledge() -> bool:
        return "incident.acknowledge" not in str(await card())

    await eventually(offers_no_acknowledge, what="the card follows")
    await slack.press(await card(), "mitigate", channel="C0INCIDENTS", user="U0BOB")
    await installation.incident_when("INC-1", status="mitigated")
    await installation.quiet()
    updates = [text for text in await slack.texts("incidents") if "→" in text]
    assert len(updates) == 2


async def test_a_mention_is_answered_in_its_thread_once(installation: Installation) -> None:
    slack = installation.slack
    await installation.api.declare("mail is stuck")
    sent = await slack.act(
        "message", user="U0ANN", channel="C0INCIDENTS", text="<@U0BOTACC> ack INC-1", repeat=3
    )
    await installation.incident_when("INC-1", status="acknowledged")

    async def replies() -> list[Json]:
        return [m for m in await slack.messages("incidents") if m.get("thread_ts") == sent["ts"]]

    await eventually(replies, what="the reply")
    await installation.quiet()
    assert len(await replies()) == 1


async def test_slacks_url_verification(installation: Installation) -> None:
    assert (await installation.slack.act("url_verification"))["verified"] is True


# ------------------------------------------------------------------------------------------ who may ask


def _command(text: str) -> bytes:
    return urlencode(
        {
            "team_id": "T01ACC",
            "channel_id": "C0INCIDENTS",
            "channel_name": "incidents",
            "user_id": "U0ANN",
            "user_name": "ann",
            "command": "/im",
            "text": text,
            "trigger_id": f"trigger.{text}",
            "response_url": "https://hooks.slack.com/commands/T01ACC/1/x",
        }
    ).encode()


def _signed(body: bytes, *, secret: str = SLACK_SECRET, age: int = 0) -> dict[str, str]:
    """Headers as the vendor's own library makes them."""
    timestamp = str(int(time.time()) - age)
    signature = SignatureVerifier(secret).generate_signature(timestamp=timestamp, body=body)
    assert signature is not None
    return {
        "content-type": FORM,
        "x-slack-request-timestamp": timestamp,
        "x-slack-signature": signature,
    }


async def test_a_request_signed_by_the_official_library_is_accepted(installation: Installation) -> None:
    body = _command("declare signed by slack_sdk")
    door = f"{installation.url}/v1/chat/{installation.integrations['slack'].id}/commands"
    answer = await installation.http.post(door, content=body, headers=_signed(body))
    assert answer.status_code == 200
    assert "INC-1" in answer.text
    assert (await installation.api.incident("INC-1"))["title"] == "signed by slack_sdk"


FORGED = ("altered body", "wrong key", "stale", "ahead", "no signature", "no timestamp", "garbage")


def _forged(how: str) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    body = _command("declare not from slack")
    age = {"stale": 301, "ahead": -400}.get(how, 0)
    headers = _signed(body, secret="another" if how == "wrong key" else SLACK_SECRET, age=age)
    if how == "altered body":
        body = body.replace(b"not+from", b"so+from")
    for name, cut in (("no signature", "x-slack-signature"), ("no timestamp", "x-slack-request-timestamp")):
        if how == name:
            del headers[cut]
    if how == "garbage":
        headers |= {"x-slack-signature": "v0=\xff", "x-slack-request-timestamp": "9" * 400}
    return body, [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]


async def test_a_request_that_slack_did_not_send_is_refused_counted_and_not_stored(
    on_sqlite: Installation,
) -> None:
    installation = on_sqlite
    door = f"{installation.url}/v1/chat/{installation.integrations['slack'].id}/commands"
    for how in FORGED:
        body, headers = _forged(how)
        counted = await installation.metric("callout_chat_refused_total", provider="chat_slack")

        answer = await installation.http.post(door, content=body, headers=headers)

        assert answer.status_code == 401, how
        assert {"type", "message", "status", "occurred_at", "instance", "remediation"} <= set(answer.json())
        now = await installation.metric("callout_chat_refused_total", provider="chat_slack")
        assert now == counted + 1, how
    assert await installation.api("GET", "/v1/incidents") == []
    assert await installation.rows("chat_invocation") == 0


async def test_an_unknown_chat_integration_looks_like_a_wrong_signature(on_sqlite: Installation) -> None:
    body = _command("list")
    answer = await on_sqlite.http.post(
        f"{on_sqlite.url}/v1/chat/nobody/commands", content=body, headers=_signed(body)
    )
    assert answer.status_code == 401
