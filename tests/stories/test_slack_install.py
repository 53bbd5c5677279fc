"""Installing the Slack app by consent: into several workspaces, with tokens that rotate, and what may go wrong."""

from __future__ import annotations

from urllib.parse import parse_qs, quote_plus, urlsplit

from callout.access import SYSTEM
from tests.stories.installation import OPERATOR, Installation
from tests.stories.people import SLACK_SECRET, Api, Json

CLIENT = {
    "type": "o_auth_client",
    "client_id": "1111111111.2222222222",
    "client_secret": "slack-client-secret",
}


async def _app(installation: Installation) -> None:
    """An integration that knows the app, and no workspace yet."""
    slack = installation.slack
    one = await installation.add(
        "slack",
        {
            "type": "chat_slack",
            "url": f"{slack.url}/api",
            "authorize_url": f"{slack.url}/oauth/v2/authorize",
            "client_credential": CLIENT,
            "channels": {"default": "incidents"},
        },
        secret=SLACK_SECRET,
    )
    door = f"{installation.url}/v1/chat/{one.id}"
    await slack.configure(
        command_url=f"{door}/commands", interactivity_url=f"{door}/interactions", events_url=f"{door}/events"
    )


async def _consent(installation: Installation) -> str:
    body: Json = await installation.api("POST", "/v1/integrations/default/slack/install", {})
    return str(body["authorize_url"])


async def _install(installation: Installation, team: str, user: str = "admin") -> str:
    """Open the consent as a person of `team` does; returns the page that they end on."""
    done = await installation.slack.act("install", url=await _consent(installation), team=team, user=user)
    page = await installation.http.get(done["redirect"])
    return page.text


async def _settings(installation: Installation, name: str) -> Json:
    found: Json = await installation.api("GET", f"/v1/integrations/default/{name}")
    config: Json = found["provider_config"]
    return config


async def test_two_workspaces_and_one_app(jira_only: Installation) -> None:
    installation, slack = jira_only, jira_only.slack
    await _app(installation)
    page = await _install(installation, "T01ACC")
    assert "is connected as the integration slack." in page
    assert (await _settings(installation, "slack"))["team"] == "T01ACC"
    assert "INC-1" in await slack.said("declare from the first")

    page = await _install(installation, "T02ACC")
    assert "is connected as the integration slack-" in page
    assert "INC-2" in await slack.said(
        "declare from the second", user="U2EVE", channel="C2INCIDENTS", team="T02ACC"
    )
    await installation.quiet()
    assert await installation.rows("integrations") == 3
    # Installed once more, it is the same integration with a new token.
    assert "is connected as the integration slack-" in await _install(installation, "T02ACC")
    assert await installation.rows("integrations") == 3
    assert "INC-3" in await slack.said("declare again", user="U2EVE", channel="C2INCIDENTS", team="T02ACC")


async def test_no_other_account_hears_what_is_said_to_the_app(jira_only: Installation) -> None:
    """Whoever knows the app's integration may write its id into settings of their own: that makes nothing theirs."""
    installation, slack = jira_only, jira_only.slack
    await _app(installation)
    other = await installation.transaction(
        lambda tx: installation.core.accounts.create(tx, name="other", actor=OPERATOR)
    )
    home = installation.integrations["slack"].id
    taking = {
        "type": "chat_slack",
        "url": f"{slack.url}/api",
        "credential": {"type": "token", "secret": "xoxb-of-others"},
        "app": home,
        "team": "T02ACC",
    }
    await installation.transaction(
        lambda tx: installation.core.integrations.create(
            tx.account(other.id), provider_config=taking, actor=OPERATOR, name="taking"
        )
    )
    await _install(installation, "T01ACC")
    assert "is connected as the integration slack-" in await _install(installation, "T02ACC")
    assert "INC-1" in await slack.said("declare it", user="U2EVE", channel="C2INCIDENTS", team="T02ACC")
    theirs = await installation.api("GET", "/v1/incidents?account=other")
    ours = await installation.api("GET", "/v1/incidents?account=default")
    assert ([one["key"] for one in ours], theirs) == (["INC-1"], [])


async def test_a_token_of_an_unknown_workspace_is_not_written_over(jira_only: Installation) -> None:
    installation = jira_only
    await installation.add_slack(
        client_credential=CLIENT, authorize_url=f"{installation.slack.url}/oauth/v2/authorize"
    )
    page = await _install(installation, "T02ACC")
    assert "does not say of which workspace" in page
    assert "INC-1" in await installation.slack.said("declare still ours")
    await installation.quiet()


async def test_tokens_that_rotate_are_renewed(jira_only: Installation) -> None:
    installation, slack = jira_only, jira_only.slack
    await slack.configure(token_rotation=True)
    await _app(installation)
    assert "is connected" in await _install(installation, "T01ACC")
    await installation.api("POST", "/v1/integrations/default/slack/verify")
    for _ in range(3):
        await installation.skip(43_300)
        api = await installation.client()  # our own token has expired, too
        await api("POST", "/v1/integrations/default/slack/verify")
    renewed = [call for call in await slack.calls() if "oauth.v2.access" in str(call)]
    assert len(renewed) == 4  # the consent, and one renewal for each lifetime


async def test_a_consent_that_was_refused_or_tampered_with_changes_nothing(jira_only: Installation) -> None:
    installation, slack = jira_only, jira_only.slack
    await _app(installation)
    url = await _consent(installation)
    denied = await slack.act("install", url=url, answer="deny")
    page = await installation.http.get(denied["redirect"])
    assert "The consent was not given" in page.text

    done = await slack.act("install", url=url)
    state = parse_qs(urlsplit(done["redirect"]).query)["state"][0]
    assert state[20:28] in done["redirect"]
    strange = await installation.http.get(done["redirect"].replace(state[20:28], "AAAAAAAA"))
    assert strange.status_code == 400
    assert "was not begun here" in strange.text
    bare = await installation.http.get(f"{installation.url}/v1/chat/installed")
    assert bare.status_code == 400

    await installation.skip(16 * 60)
    late = await installation.http.get(done["redirect"])
    assert late.status_code == 400
    assert "15 minutes" in late.text
    assert "team" not in await _settings(installation, "slack")


async def test_a_code_is_good_once(jira_only: Installation) -> None:
    installation = jira_only
    await _app(installation)
    done = await installation.slack.act("install", url=await _consent(installation))
    assert (await installation.http.get(done["redirect"])).status_code == 200
    again = await installation.http.get(done["redirect"])
    assert again.status_code == 400
    assert "Not installed" in again.text


async def test_without_client_id_there_is_nothing_to_install(jira_only: Installation) -> None:
    await jira_only.add_slack()
    answer = await jira_only.api.request("POST", "/v1/integrations/default/slack/install")
    assert answer.status_code == 501
    assert "client_credential" in answer.text


async def test_a_consent_is_good_once_and_only_while_who_began_may(jira_only: Installation) -> None:
    installation, slack = jira_only, jira_only.slack
    await _app(installation)
    done = await slack.act("install", url=await _consent(installation), team="T01ACC")
    assert "is connected" in (await installation.http.get(done["redirect"])).text
    again = await slack.act("install", url=await _consent(installation), team="T01ACC")
    used = parse_qs(urlsplit(done["redirect"]).query)["state"][0]
    fresh = parse_qs(urlsplit(again["redirect"]).query)["state"][0]
    replayed = await installation.http.get(again["redirect"].replace(quote_plus(fresh), quote_plus(used)))
    assert "was used already" in replayed.text

    core = installation.core
    mine = await installation.transaction(
        lambda tx: core.tokens.create(tx, SYSTEM, permission_set="administrator", name="short")
    )
    assert mine.primary.access.secret is not None
    api = Api(installation.http, installation.url, mine.primary.access.secret.reveal())
    begun = (await api("POST", "/v1/integrations/default/slack/install", {}))["authorize_url"]
    late = await slack.act("install", url=begun, team="T01ACC")
    await installation.transaction(lambda tx: core.tokens.revoke(tx, mine.id, actor=OPERATOR))
    page = await installation.http.get(late["redirect"])
    assert "may not connect systems any more" in page.text
