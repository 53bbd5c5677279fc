"""The install page `/oauth/v2/authorize`, and a person who agrees on it or refuses."""

from __future__ import annotations

from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse

from callout.sandbox.core.twin import ActError
from callout.sandbox.slack import seed
from callout.sandbox.slack.tokens import Grant

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from callout.sandbox.core.ledger import Ledger
    from callout.sandbox.slack.tokens import TokenBook
    from callout.sandbox.slack.workspace import Workspace

ANSWERS = ("approve", "deny", "ask")


class BadInstallError(ValueError):
    """The install page cannot go on: Slack shows the code on a page of its own, without a redirect."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What an install link asks for."""

    scopes: tuple[str, ...]
    user_scopes: tuple[str, ...]
    redirect_uri: str
    sent_redirect_uri: str
    state: str | None
    team: str

    def back(self, **answer: str) -> str:
        """Return the address that the browser is sent back to."""
        query = answer | ({} if self.state is None else {"state": self.state})
        return f"{self.redirect_uri}{'&' if '?' in self.redirect_uri else '?'}{urlencode(query)}"


@dataclass(slots=True)
class InstallPage:
    """The install page of the app; `answer` is what the person does on it by default."""

    teams: Mapping[str, Workspace]
    book: TokenBook
    ledger: Ledger
    answer: str = "approve"
    user: str = "admin"
    team: str = seed.TEAM_ID
    redirect_urls: tuple[str, ...] = ()

    def asked(self, query: Mapping[str, str], *, fallback: str = "") -> Asked:
        """Read an install link. Raises BadInstallError with Slack's code."""
        if query.get("client_id") != seed.CLIENT_ID:
            raise BadInstallError("invalid_client_id")
        sent = query.get("redirect_uri", "")
        redirect = sent or (self.redirect_urls[0] if self.redirect_urls else fallback)
        # A registered address allows every address that begins with it.
        listed = not self.redirect_urls or any(redirect.startswith(known) for known in self.redirect_urls)
        if not redirect or not listed:
            raise BadInstallError("bad_redirect_uri")
        scopes, user_scopes = (_scopes(query.get(name, "")) for name in ("scope", "user_scope"))
        if not scopes and not user_scopes:
            scopes = seed.ALL_SCOPES
        team = query.get("team") or self.team
        if team not in self.teams:
            raise BadInstallError("invalid_team_for_non_distributed_app")  # from memory
        return Asked(scopes, user_scopes, redirect, sent, query.get("state"), team)

    def approve(self, asked: Asked, user: str) -> tuple[str, str]:
        """Agree as a person; returns the code and the address to go back to. Raises ActError."""
        space = self.teams[asked.team]
        person = next(
            (u for u in space.users.values() if user in {u.id, u.name, u.email} and not u.is_bot), None
        )
        if person is None or person.deleted or person.guest:
            raise ActError(f"{user!r} may not install apps in {space.team.name}")
        grant = Grant(
            asked.team,
            person.id,
            asked.scopes,
            asked.user_scopes,
            asked.sent_redirect_uri,
            space.clock.now(),
        )
        code = self.book.new_code(grant)
        self.ledger.record("user.install", actor=person.id, target=asked.team, effect=False)
        return code, asked.back(code=code)

    async def act(self, act: dict[str, Any]) -> dict[str, Any]:
        """Open an install link `url` and answer it; `answer` `approve` (default) or `deny`, as `user` of `team`.

        Answers with the `redirect` the browser is sent to (the caller requests it) and, when approved, its `code`.
        """
        query = dict(parse_qsl(urlsplit(str(act.get("url") or "")).query, keep_blank_values=True))
        if not query:
            known = ("scope", "user_scope", "redirect_uri", "state")
            query = {"client_id": seed.CLIENT_ID, **{key: str(act[key]) for key in known if act.get(key)}}
        try:
            asked = self.asked(query, fallback="https://app.invalid/")
        except BadInstallError as error:
            raise ActError(str(error)) from error
        if act.get("team"):
            asked = replace(asked, team=str(act["team"]))
        if act.get("answer") == "deny":
            return {"redirect": asked.back(error="access_denied")}
        code, redirect = self.approve(asked, str(act.get("user") or self.user))
        return {"code": code, "redirect": redirect}

    async def serve(self, request: Request) -> Response:
        """Answer `GET /oauth/v2/authorize`, and the `POST` of the page's own form."""
        query = dict(request.query_params)
        try:
            asked = self.asked(query)
        except BadInstallError as error:
            return PlainTextResponse(str(error), status_code=400)
        # `_twin` in the link answers for this once; Slack knows no such parameter.
        answer, user = query.get("_twin", self.answer), self.user
        if request.method == "POST":
            form = {key: value[-1] for key, value in parse_qs((await request.body()).decode()).items()}
            answer, user = form.get("answer", "deny"), form.get("user", user)
            asked = replace(asked, team=form.get("team", asked.team))
        if answer == "ask":
            return HTMLResponse(self._page(asked))
        if answer != "approve" or asked.team not in self.teams:
            return RedirectResponse(asked.back(error="access_denied"), 302)
        try:
            _, redirect = self.approve(asked, user)
        except ActError as error:
            return PlainTextResponse(str(error), status_code=403)
        return RedirectResponse(redirect, 302)

    def _page(self, asked: Asked) -> str:
        teams = "".join(
            f"<option value={space.team.id}{' selected' if space.team.id == asked.team else ''}>"
            f"{escape(space.team.name)}</option>"
            for space in self.teams.values()
        )
        scopes = "".join(f"<li>{escape(scope)}</li>" for scope in (*asked.scopes, *asked.user_scopes))
        return (
            "<!DOCTYPE html><title>Install callout</title><h1>callout is requesting permission</h1>"
            f"<ul>{scopes}</ul><form method=post><label>Workspace <select name=team>{teams}</select></label>"
            f"<label>as <input name=user value={escape(self.user)}></label>"
            "<button name=answer value=approve>Allow</button><button name=answer value=deny>Cancel</button></form>"
        )


def _scopes(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(item for item in text.replace(" ", ",").split(",") if item))
