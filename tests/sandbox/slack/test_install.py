"""Installing the app: Bolt's own OAuth flow against the install page, tokens of two teams, rotation, removal."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import httpx
import orjson
import pytest
from slack_bolt import App, BoltRequest
from slack_bolt.oauth import OAuthFlow
from slack_bolt.oauth.oauth_settings import OAuthSettings
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.oauth.installation_store import FileInstallationStore
from slack_sdk.oauth.state_store import FileOAuthStateStore
from slack_sdk.oauth.token_rotation import TokenRotator
from starlette.responses import PlainTextResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.sandbox.conftest import TwinControl

CLIENT = {"client_id": "1111111111.2222222222", "client_secret": "slack-client-secret"}
REDIRECT = "https://app.example.com/slack/oauth_redirect"
SECRET = "slack-signing-secret"


def error_of(call: Any, **arguments: Any) -> str:
    with pytest.raises(SlackApiError) as caught:
        call(**arguments)
    code: str = caught.value.response["error"]
    return code


@pytest.fixture
def web(slack: TwinControl) -> WebClient:
    return WebClient(base_url=f"{slack.url}/api/")


class Bolted:
    """A Bolt app that anyone can install, with its stores on disk, and the browser of the one who installs."""

    def __init__(self, slack: TwinControl, folder: Path) -> None:
        self.slack = slack
        self.store = FileInstallationStore(base_dir=str(folder / "installs"), client_id=CLIENT["client_id"])
        settings = OAuthSettings(
            client_id=CLIENT["client_id"],
            client_secret=CLIENT["client_secret"],
            scopes=["chat:write", "commands", "channels:read"],
            user_scopes=["chat:write"],
            redirect_uri=REDIRECT,
            authorization_url=f"{slack.url}/oauth/v2/authorize",
            installation_store=self.store,
            state_store=FileOAuthStateStore(expiration_seconds=60, base_dir=str(folder / "states")),
            install_page_rendering_enabled=False,
        )
        client = WebClient(base_url=f"{slack.url}/api/")
        self.flow = OAuthFlow(settings=settings, client=client)
        self.app = App(client=client, signing_secret=SECRET, oauth_flow=self.flow)

    def install(self, *, method: str = "GET", **form: str) -> tuple[dict[str, Sequence[str]], int]:
        """Go through the install as a browser; returns what Slack sent back and the app's last status."""
        start = self.flow.handle_installation(BoltRequest(body="", mode="http"))
        cookie = start.headers["set-cookie"][0].partition(";")[0]
        page = httpx.request(method, start.headers["location"][0], data=form or None)
        assert page.status_code == 302, page.text
        answer: dict[str, Sequence[str]] = dict(parse_qs(urlsplit(page.headers["location"]).query))
        end = self.flow.handle_callback(
            BoltRequest(body="", query=answer, headers={"cookie": [cookie]}, mode="http")
        )
        return answer, end.status


@pytest.fixture
def bolted(slack: TwinControl, tmp_path: Path) -> Bolted:
    return Bolted(slack, tmp_path)


def test_bolt_installs_in_two_teams_and_each_token_sees_its_own(slack: TwinControl, bolted: Bolted) -> None:
    assert bolted.install()[1] == 200
    slack.configure(install_team="T02ACC", install_user="eve")
    assert bolted.install()[1] == 200
    first = bolted.store.find_installation(enterprise_id=None, team_id="T01ACC")
    second = bolted.store.find_installation(enterprise_id=None, team_id="T02ACC")
    assert first is not None
    assert second is not None
    assert (first.user_id, second.user_id, second.bot_id) == ("U0ADMIN", "U2EVE", "B02ACC")
    assert second.bot_scopes == ["chat:write", "commands", "channels:read"]
    here = WebClient(token=first.bot_token, base_url=f"{slack.url}/api/")
    there = WebClient(token=second.bot_token, base_url=f"{slack.url}/api/")
    assert (here.auth_test()["team_id"], there.auth_test()["team_id"]) == ("T01ACC", "T02ACC")
    assert error_of(there.conversations_info, channel="C0INCIDENTS") == "channel_not_found"
    assert error_of(there.users_info, user="U0ANN") == "missing_scope"
    names = {channel["name"] for channel in there.conversations_list()["channels"]}
    assert names == {"general", "incidents"}
    me = WebClient(token=second.user_token, base_url=f"{slack.url}/api/")
    assert me.auth_test()["user_id"] == "U2EVE"
    posted = me.chat_postMessage(channel="C2INCIDENTS", text="as Eve")["message"]
    assert (posted["user"], posted.get("bot_id")) == ("U2EVE", None)


def test_a_person_may_refuse(slack: TwinControl, bolted: Bolted) -> None:
    slack.configure(install_answer="deny")
    answer, status = bolted.install()
    assert answer["error"] == ["access_denied"]
    assert "state" in answer
    assert status == 200  # Bolt shows its own failure page
    assert bolted.store.find_installation(enterprise_id=None, team_id="T01ACC") is None


def test_one_link_can_be_refused(slack: TwinControl) -> None:
    link = {"client_id": CLIENT["client_id"], "redirect_uri": REDIRECT, "_twin": "deny"}
    answer = slack.http.get(f"{slack.url}/oauth/v2/authorize", params=link)
    assert answer.headers["location"] == f"{REDIRECT}?error=access_denied"


def test_the_page_can_ask(slack: TwinControl, bolted: Bolted) -> None:
    slack.configure(install_answer="ask")
    start = bolted.flow.handle_installation(BoltRequest(body="", mode="http"))
    page = slack.http.get(start.headers["location"][0])
    assert "channels:read" in page.text
    answer, status = bolted.install(method="POST", answer="approve", team="T02ACC", user="admin")
    assert (status, list(answer)) == (200, ["code", "state"])
    assert bolted.store.find_bot(enterprise_id=None, team_id="T02ACC") is not None
    assert "error" in bolted.install(method="POST", answer="deny")[0]


def test_a_code_is_bound_to_its_redirect_used_once_and_soon(slack: TwinControl, web: WebClient) -> None:
    def code(**more: str) -> str:
        made: str = asyncio.run(slack.act("install", scope="chat:write", redirect_uri=REDIRECT, **more))[
            "code"
        ]
        return made

    assert error_of(web.oauth_v2_access, **CLIENT, code=code()) == "bad_redirect_uri"
    other = {"redirect_uri": f"{REDIRECT}/other"}
    assert error_of(web.oauth_v2_access, **CLIENT, code=code(), **other) == "bad_redirect_uri"
    mine = code()
    answer = web.oauth_v2_access(**CLIENT, code=mine, redirect_uri=REDIRECT)
    assert (answer["enterprise"], answer["is_enterprise_install"], answer["token_type"]) == (
        None,
        False,
        "bot",
    )
    assert answer["authed_user"] == {"id": "U0ADMIN"}
    assert error_of(web.oauth_v2_access, **CLIENT, code=mine, redirect_uri=REDIRECT) == "invalid_code"
    late = code()
    slack.configure(clock_offset=601)
    assert error_of(web.oauth_v2_access, **CLIENT, code=late, redirect_uri=REDIRECT) == "invalid_code"
    wrong = CLIENT | {"client_id": "1.2"}
    assert error_of(web.oauth_v2_access, **wrong, code="x") == "invalid_client_id"
    basic = slack.http.post(
        f"{slack.url}/api/oauth.v2.access", auth=(CLIENT["client_id"], "no"), data={"code": "x"}
    )
    assert basic.json()["error"] == "bad_client_secret"


def test_a_link_that_slack_does_not_know_is_no_redirect(slack: TwinControl) -> None:
    page = f"{slack.url}/oauth/v2/authorize"
    assert (
        slack.http.get(page, params={"client_id": "1", "redirect_uri": REDIRECT}).text == "invalid_client_id"
    )
    slack.configure(redirect_urls=["https://app.example.com/"])
    known = {"client_id": CLIENT["client_id"]}
    bad = slack.http.get(page, params=known | {"redirect_uri": "https://evil.example.com/"})
    assert (bad.status_code, bad.text) == (400, "bad_redirect_uri")
    assert slack.http.get(page, params=known).headers["location"].startswith("https://app.example.com/?code=")


def test_the_sdk_rotates_tokens(slack: TwinControl, bolted: Bolted, web: WebClient) -> None:
    slack.configure(token_rotation=True)
    bolted.install()
    installed = bolted.store.find_installation(enterprise_id=None, team_id="T01ACC")
    assert installed is not None
    assert installed.bot_token is not None
    assert installed.bot_token.startswith("xoxe.xoxb-1-")
    assert (installed.user_token or "").startswith("xoxe.xoxp-1-")
    assert (installed.bot_refresh_token or "").startswith("xoxe-1-")
    rotator = TokenRotator(**CLIENT, client=web)
    renewed = rotator.perform_token_rotation(installation=installed, minutes_before_expiration=60 * 13)
    assert renewed is not None
    assert renewed.bot_token != installed.bot_token
    assert renewed.user_token != installed.user_token
    for token in (installed.bot_token, renewed.bot_token, renewed.user_token):
        assert web.auth_test(token=token)["ok"]
    slack.configure(clock_offset=43_300)
    assert error_of(web.auth_test, token=renewed.bot_token) == "token_expired"


def test_at_most_two_tokens_of_one_grant_live(slack: TwinControl, web: WebClient) -> None:
    slack.configure(token_rotation=True)
    code = asyncio.run(slack.act("install", scope="chat:write"))["code"]
    answers = [web.oauth_v2_access(**CLIENT, code=code)]
    for _ in range(2):
        refresh = {"grant_type": "refresh_token", "refresh_token": answers[-1]["refresh_token"]}
        answers.append(web.oauth_v2_access(**CLIENT, **refresh))
        assert error_of(web.oauth_v2_access, **CLIENT, **refresh) == "invalid_refresh_token"
    assert error_of(web.auth_test, token=answers[0]["access_token"]) == "token_revoked"
    assert web.auth_test(token=answers[1]["access_token"])["ok"]


def test_a_long_lived_token_is_exchanged_for_one_that_rotates(slack: TwinControl, web: WebClient) -> None:
    swap = {**CLIENT, "token": "xoxb-acc"}
    assert error_of(web.oauth_v2_exchange, **swap) == "token_rotation_not_enabled"
    slack.configure(token_rotation=True)
    answer = web.oauth_v2_exchange(**swap)
    assert (answer["expires_in"], answer["refresh_token"][:7]) == (43200, "xoxe-1-")
    assert error_of(web.auth_test, token="xoxb-acc") == "token_revoked"
    assert error_of(web.oauth_v2_exchange, **swap) == "token_already_exchanged"
    assert web.auth_test(token=answer["access_token"])["user_id"] == "U0BOTACC"


def test_an_app_taken_out_of_one_team_stays_in_the_other(slack: TwinControl, web: WebClient) -> None:
    code = asyncio.run(slack.act("install", scope="chat:write", team="T02ACC"))["code"]
    there = web.oauth_v2_access(**CLIENT, code=code)["access_token"]
    assert (
        error_of(web.apps_uninstall, token=there, **(CLIENT | {"client_secret": "no"})) == "bad_client_secret"
    )
    assert web.apps_uninstall(token=there, **CLIENT)["ok"]
    assert error_of(web.auth_test, token=there) == "account_inactive"
    assert web.auth_test(token="xoxb-acc")["team_id"] == "T01ACC"
    assert slack.get("state")["teams"]["T02ACC"]["installed"] is False


async def test_each_team_is_told_of_its_own_and_only_what_it_allowed(
    slack: TwinControl, web: WebClient, serve: Callable[..., Any]
) -> None:
    heard: list[dict[str, Any]] = []

    async def receiver(scope: dict[str, Any], receive: Any, send: Any) -> None:
        heard.append(orjson.loads((await receive())["body"]))
        await PlainTextResponse("")(scope, receive, send)

    scopes = "app_mentions:read,chat:write,channels:join"
    code = (await slack.act("install", scope=scopes, team="T02ACC", user="eve"))["code"]
    there = web.oauth_v2_access(**CLIENT, code=code)
    web.conversations_join(token=there["access_token"], channel="C2INCIDENTS")
    async with serve(receiver) as url:
        slack.configure(events_url=url)
        hello = {"channel": "incidents", "text": f"<@{there['bot_user_id']}> hello"}
        await slack.act("message", user="eve", team="T02ACC", **hello)
        await slack.act("message", user="ann", channel="incidents", text="plain words")
        await slack.drain()
    told = [(body["team_id"], body["event"]["type"], body["event"]["user"]) for body in heard]
    # T02 granted no channels:history, so its messages are told only where they mention the app.
    assert sorted(told) == [("T01ACC", "message", "U0ANN"), ("T02ACC", "app_mention", "U2EVE")]
    (mention,) = (body for body in heard if body["team_id"] == "T02ACC")
    assert mention["authorizations"][0]["user_id"] == "U0BOTBETA"


def test_nobody_commands_an_app_that_is_not_installed(slack: TwinControl) -> None:
    act = {"team": "T02ACC", "user": "eve", "channel": "incidents", "text": "status"}
    answer = slack.http.post(f"{slack.url}/_twin/act/slash_command", json=act)
    assert (answer.status_code, answer.json()["error"]) == (400, "the app is not installed in Beta")


def test_every_call_is_in_the_ledger_with_its_error(slack: TwinControl, web: WebClient) -> None:
    web.auth_test(token="xoxb-acc")
    error_of(web.conversations_info, token="xoxb-acc", channel="C404")
    entries = slack.get("ledger", kind="http")["entries"]
    calls = [(entry["summary"]["api"], entry["summary"]["error"]) for entry in entries]
    assert calls == [("auth.test", None), ("conversations.info", "channel_not_found")]
