"""The official client against the twin: what it sees must be Slack."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler
from slack_sdk.models.blocks import ActionsBlock, ButtonElement, HeaderBlock, SectionBlock
from slack_sdk.models.metadata import Metadata
from slack_sdk.web.async_client import AsyncWebClient

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sandbox.conftest import TwinControl


@pytest.fixture
def web(slack: TwinControl) -> WebClient:
    return WebClient(token="xoxb-acc", base_url=f"{slack.url}/api/")


def refusal(call: Callable[..., Any], **arguments: Any) -> dict[str, Any]:
    with pytest.raises(SlackApiError) as caught:
        call(**arguments)
    data: dict[str, Any] = caught.value.response.data
    return data


def new_channel(web: WebClient, name: str = "inc-1") -> str:
    channel: str = web.conversations_create(name=name)["channel"]["id"]
    return channel


def test_a_whole_incident_channel_from_create_to_archive(web: WebClient, slack: TwinControl) -> None:
    assert web.auth_test()["user_id"] == "U0BOTACC"
    channel = new_channel(web)
    web.conversations_invite(channel=channel, users=["U0ANN", "U0BOB"])
    web.conversations_setTopic(channel=channel, topic="SEV-1 database down")
    web.conversations_setPurpose(channel=channel, purpose="find out why")
    posted = web.chat_postMessage(
        channel=channel,
        text="SEV-1: database down",
        blocks=[
            HeaderBlock(text="SEV-1"),
            SectionBlock(text="*database* down"),
            ActionsBlock(elements=[ButtonElement(text="Ack", action_id="ack", value="INC-1")]),
        ],
        metadata=Metadata(event_type="incident", event_payload={"id": "INC-1"}),
    )
    web.chat_postMessage(channel=channel, text="looking", thread_ts=posted["ts"])
    changed = web.chat_update(channel=channel, ts=posted["ts"], text="SEV-1: acknowledged", blocks=[])
    assert changed["message"]["edited"]["user"] == "U0BOTACC"
    web.pins_add(channel=channel, timestamp=posted["ts"])
    web.bookmarks_add(channel_id=channel, title="Runbook", type="link", link="https://example.com/run")
    web.reactions_add(channel=channel, timestamp=posted["ts"], name="eyes")
    link = web.chat_getPermalink(channel=channel, message_ts=posted["ts"])["permalink"]
    assert link.endswith(f"/{channel}/p{posted['ts'].replace('.', '')}")

    history = web.conversations_history(channel=channel, include_all_metadata=True).data
    assert isinstance(history, dict)
    card = next(message for message in history["messages"] if message["ts"] == posted["ts"])
    assert card["text"] == "SEV-1: acknowledged"
    assert "blocks" not in card
    assert card["metadata"] == {"event_type": "incident", "event_payload": {"id": "INC-1"}}
    assert (card["reply_count"], card["reactions"][0]["name"]) == (1, "eyes")
    assert [message.get("subtype") for message in history["messages"]] == [
        None,
        "channel_purpose",
        "channel_topic",
        "channel_join",
        "channel_join",
    ]
    replies = web.conversations_replies(channel=channel, ts=posted["ts"])["messages"]
    assert [message["text"] for message in replies] == ["SEV-1: acknowledged", "looking"]

    shown = web.conversations_info(channel=channel, include_num_members=True)["channel"]
    assert (shown["topic"]["value"], shown["purpose"]["value"], shown["num_members"]) == (
        "SEV-1 database down",
        "find out why",
        3,
    )
    web.conversations_rename(channel=channel, name="inc-1-done")
    web.conversations_archive(channel=channel)
    assert refusal(web.chat_postMessage, channel=channel, text="x")["error"] == "is_archived"
    assert refusal(web.conversations_create, name="inc-1-done")["error"] == "name_taken"
    web.conversations_unarchive(channel=channel)
    assert [e["target"] for e in slack.effects("chat.update")] == [f"{channel}/{posted['ts']}"]


async def test_the_async_client_works_as_well_with_many_posts_at_once(slack: TwinControl) -> None:
    client = AsyncWebClient(token="xoxb-acc", base_url=f"{slack.url}/api/")
    answers = await asyncio.gather(
        *(client.chat_postMessage(channel="C0INCIDENTS", text=f"line {n}") for n in range(20))
    )
    assert len({answer["ts"] for answer in answers}) == 20
    # Nothing in Slack notices that a message was sent twice.
    await client.chat_postMessage(channel="C0INCIDENTS", text="line 1")
    assert len(slack.effects("chat.postMessage")) == 21


def test_paging_walks_everything_once(web: WebClient) -> None:
    made = {new_channel(web, f"inc-{number}") for number in range(7)}
    for channel in sorted(made)[:3]:
        web.conversations_archive(channel=channel)
    # The SDK's pages are one object that changes, so each is read before the next is asked for.
    pages = [
        [channel["id"] for channel in page["channels"]]
        for page in web.conversations_list(limit=2, exclude_archived=True)
    ]
    seen = [channel for page in pages for channel in page]
    assert len(seen) == len(set(seen)) == 4 + 4
    assert made - set(sorted(made)[:3]) <= set(seen)
    # Filters work after the page was cut: some pages are short or empty while a cursor is there.
    assert any(len(page) < 2 for page in pages[:-1])
    for number in range(5):
        web.chat_postMessage(channel="C0INCIDENTS", text=str(number))
    texts = [
        m["text"]
        for page in web.conversations_history(channel="C0INCIDENTS", limit=2)
        for m in page["messages"]
    ]
    assert texts == ["4", "3", "2", "1", "0"]
    members = [user["id"] for page in web.users_list(limit=3) for user in page["members"]]
    assert len(members) == len(set(members)) == 8
    assert refusal(web.conversations_list, cursor="nonsense")["error"] == "invalid_cursor"


def test_people_are_found_by_id_and_e_mail(web: WebClient, slack: TwinControl) -> None:
    assert web.users_lookupByEmail(email="ANN@example.com")["user"]["id"] == "U0ANN"
    assert refusal(web.users_lookupByEmail, email="no@example.com")["error"] == "users_not_found"
    assert refusal(web.users_lookupByEmail, email="gone@example.com")["error"] == "users_not_found"
    assert refusal(web.users_info, user="U404")["error"] == "user_not_found"
    assert web.users_info(user="U0ANN")["user"]["profile"]["email"] == "ann@example.com"
    slack.configure(scopes=["users:read"])
    assert "email" not in web.users_info(user="U0ANN")["user"]["profile"]
    refused = refusal(web.users_lookupByEmail, email="ann@example.com")
    assert (refused["error"], refused["needed"], refused["provided"]) == (
        "missing_scope",
        "users:read.email",
        "users:read",
    )


def test_the_sdk_waits_out_a_rate_limit(web: WebClient, slack: TwinControl) -> None:
    slack.fault(
        {
            "match": {"path": "postMessage", "first": 1},
            "effect": {"kind": "status", "status": 429, "retry_after": 1},
        }
    )
    assert refusal(web.chat_postMessage, channel="C0INCIDENTS", text="x")["error"] == "ratelimited"
    slack.fault(
        {
            "match": {"path": "postMessage", "first": 1},
            "effect": {"kind": "status", "status": 429, "retry_after": 1},
        }
    )
    patient = WebClient(
        token="xoxb-acc",
        base_url=f"{slack.url}/api/",
        retry_handlers=[RateLimitErrorRetryHandler(max_retry_count=1)],
    )
    assert patient.chat_postMessage(channel="C0INCIDENTS", text="x")["ok"]
    assert slack.get("faults")["rules"][0]["fired"] == 1


def test_the_twins_own_limits_count_posts_by_channel(web: WebClient, slack: TwinControl) -> None:
    slack.configure(rate_limits=True)

    def flood() -> None:
        # A burst of five and one a second: thirty in a row are too many on any machine.
        for _ in range(30):
            web.chat_postMessage(channel="C0INCIDENTS", text="burst")

    with pytest.raises(SlackApiError) as caught:
        flood()
    assert len(slack.effects("chat.postMessage")) >= 5
    assert caught.value.response.status_code == 429
    assert caught.value.response.headers["retry-after"] == "1"
    assert web.chat_postMessage(channel="C0CRITICAL", text="another channel")["ok"]
    slack.configure(clock_offset=2)
    assert web.chat_postMessage(channel="C0INCIDENTS", text="later")["ok"]


def test_the_twins_own_limits_count_methods_by_tier(web: WebClient, slack: TwinControl) -> None:
    slack.configure(rate_limits=True)
    for _ in range(20):
        web.conversations_list(limit=1)
    with pytest.raises(SlackApiError) as caught:
        web.conversations_list(limit=1)
    assert 1 <= int(caught.value.response.headers["retry-after"]) <= 60
    slack.configure(clock_offset=61)
    assert web.conversations_list(limit=1)["ok"]


def test_an_install_gives_a_working_token_and_rotation_refreshes_it(
    web: WebClient, slack: TwinControl
) -> None:
    slack.configure(token_rotation=True)
    ids = slack.get("credentials")
    code = asyncio.run(slack.act("oauth_code", scope="chat:write,users:read"))["code"]
    install = {"client_id": ids["client_id"], "client_secret": ids["client_secret"]}
    assert refusal(web.oauth_v2_access, **(install | {"client_secret": "no"}), code=code)["error"] == (
        "bad_client_secret"
    )
    granted = web.oauth_v2_access(**install, code=code)
    assert refusal(web.oauth_v2_access, **install, code=code)["error"] == "invalid_code"
    mine = WebClient(token=granted["access_token"], base_url=f"{slack.url}/api/")
    assert mine.auth_test()["ok"]
    slack.configure(clock_offset=43_300)
    assert refusal(mine.auth_test)["error"] == "token_expired"
    renewed = web.oauth_v2_access(
        **install, grant_type="refresh_token", refresh_token=granted["refresh_token"]
    )
    mine.token = renewed["access_token"]
    assert mine.auth_test()["ok"]
    again = {"grant_type": "refresh_token", "refresh_token": granted["refresh_token"]}
    assert refusal(web.oauth_v2_access, **install, **again)["error"] == "invalid_refresh_token"
