"""OAuth 2.0 (3LO): rotation, the gateway, scopes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

if TYPE_CHECKING:
    from tests.sandbox.jira.conftest import Rest


class App:
    """An OAuth app as the twin's credentials describe it."""

    def __init__(self, rest: Rest) -> None:
        self.rest = rest
        self.seeds = rest.control.get("credentials")["oauth"]
        self.host = rest.control.url.removesuffix("/jira")

    def token(self, status: int = 200, **grant: Any) -> Any:
        body = {"client_id": self.seeds["client_id"], "client_secret": self.seeds["client_secret"], **grant}
        return self.rest.ask("POST", f"{self.host}{self.seeds['token_path']}", status, json=body, auth=None)

    def refresh(self, token: str, status: int = 200) -> Any:
        return self.token(status, grant_type="refresh_token", refresh_token=token)

    def ask(self, path: str, token: str, status: int, method: str = "GET", **more: Any) -> Any:
        headers = {"Authorization": f"Bearer {token}"}
        url = f"{self.host}{self.seeds['gateway_path']}/rest/api/3{path}"
        return self.rest.ask(method, url, status, headers=headers, auth=None, **more)


@pytest.fixture
def app(v3: Rest) -> App:
    return App(v3)


def test_a_refresh_token_works_once(app: App) -> None:
    first = app.refresh(app.seeds["refresh_token"])
    assert first["refresh_token"] != app.seeds["refresh_token"]
    assert app.refresh(app.seeds["refresh_token"], 403)["error"] == "unauthorized_client"
    assert app.refresh(first["refresh_token"])["access_token"] != first["access_token"]
    wrong = app.token(401, grant_type="refresh_token", refresh_token="x", client_secret="wrong")
    assert wrong["error"] == "access_denied"


def test_the_gateway_takes_the_token_and_the_site_does_not(app: App) -> None:
    token = app.refresh(app.seeds["refresh_token"])["access_token"]
    me = app.ask("/myself", token, 200)
    assert me["displayName"] == "Ada Admin"
    assert "/ex/jira/" in me["self"]
    headers = {"Authorization": f"Bearer {token}"}
    assert app.rest.ask("GET", "/myself", headers=headers, auth=None).status_code == 403
    made = {"project": {"key": "TST"}, "issuetype": {"name": "Task"}, "summary": "by an app"}
    assert app.ask("/issue", token, 201, "POST", json={"fields": made})["key"] == "TST-1"
    assert app.rest.ask("GET", "/issue/TST-1", 200)["fields"]["summary"] == "by an app"


def test_access_tokens_expire(app: App) -> None:
    token = app.refresh(app.seeds["refresh_token"])
    assert token["expires_in"] == 3600
    app.rest.control.configure(clock_offset=3601)
    assert app.ask("/myself", token["access_token"], 401) == {"code": 401, "message": "Unauthorized"}
    assert app.ask("/myself", "made-up", 401)["code"] == 401


def test_the_code_grant_and_its_scopes(app: App) -> None:
    query = {
        "audience": "api.atlassian.com",
        "client_id": app.seeds["client_id"],
        "scope": "read:jira-work",
        "redirect_uri": "https://callout.example.com/back",
        "state": "s",
        "response_type": "code",
    }
    answer = app.rest.ask("GET", f"{app.host}{app.seeds['authorize_path']}", params=query, auth=None)
    assert answer.status_code == 302
    back = parse_qs(urlsplit(answer.headers["location"]).query)
    assert back["state"] == ["s"]
    grant = app.token(
        grant_type="authorization_code", code=back["code"][0], redirect_uri=query["redirect_uri"]
    )
    assert "refresh_token" not in grant
    token = grant["access_token"]
    assert app.ask("/project/search", token, 200)["total"] == 3
    assert "scope" in app.ask("/issue", token, 401, "POST", json={})["message"]
    resources = f"{app.host}{app.seeds['token_path']}/accessible-resources"
    (site,) = app.rest.ask("GET", resources, 200, headers={"Authorization": f"Bearer {token}"}, auth=None)
    assert (site["id"], site["scopes"]) == (app.seeds["cloud_id"], ["read:jira-work"])
