"""Webhooks, credentials and tokens of an integration, by forms: shown once where they are made, and never again."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.server.by_forms import Page, Visitor
from tests.server.desk import JIRA, SLACK

if TYPE_CHECKING:
    import httpx

    from tests.server.desk import Desk

MOCK = {"type": "ticketing_mock_ticketing"}


def once(text: str) -> list[str]:
    """Return the secrets that a page shows this once."""
    assert "Shown this once" in text
    return re.findall(r"<dd><code>([^<]+)</code></dd>", text)


async def test_webhooks_out_are_looked_after_by_forms(desk_on_both: Desk) -> None:
    desk = desk_on_both
    one = await desk.add(MOCK)
    other = await desk.add(MOCK, name="other")
    path = f"/integrations/{one.id}/webhooks"
    me = await Visitor.of(desk)
    answer = await me.fill(path, path, url="http://127.0.0.1:9/hook", name="mine", filters="TicketCreated")
    assert answer.status_code == 200, answer.text
    first, _ = once(answer.text)
    [made] = await desk.api("GET", "/v1/webhooks")
    assert (made["name"], made["filters"], made["integration_id"]) == ("mine", ["TicketCreated"], one.id)
    there = f"{path}/{made['id']}"
    assert there in (await me.see(path)).links
    rotated, _ = once((await me.fill(there, f"{there}/rotate")).text)
    assert rotated != first

    form = (await me.see(there)).form(there)
    sent = await me.send(there, {**form, "action": "test"})
    delivery = sent.headers["location"]
    page = await me.see(delivery)
    assert "webhook.test" in page.text
    for secret in (first, rotated):
        assert secret not in page.text
        assert secret not in (await me.see(there)).text
        assert secret not in (await me.see(path)).text
    refused = await me.fill(delivery, delivery)
    assert (refused.status_code, 'role="alert"' in refused.text) == (422, True), "it is still on its way"

    for action, state in (("off", "disabled"), ("on", "enabled")):
        assert (await me.send(there, {**form, "action": action})).status_code == 303
        assert (await desk.api("GET", "/v1/webhooks"))[0]["state"] == state
    assert (await me.send(there, {**form, "action": "explode"})).status_code == 422
    elsewhere = there.replace(one.id, other.id)
    assert (await me.answer(elsewhere)).status_code == 404
    assert (await me.send(elsewhere, {**form, "action": "remove"})).status_code in {404, 422}
    assert (await me.answer(delivery.replace(one.id, other.id))).status_code == 404
    assert (await me.send(there, {**form, "action": "remove"})).headers["location"] == path
    assert await desk.api("GET", "/v1/webhooks") == []


async def test_a_wrong_address_of_a_webhook_is_said_beside_it(desk: Desk) -> None:
    one = await desk.add(MOCK)
    path = f"/integrations/{one.id}/webhooks"
    me = await Visitor.of(desk)
    for url in ("", "nonsense", "ftp://example.com/x", "http://169.254.169.254/latest"):
        answer = await me.fill(path, path, url=url)
        assert (answer.status_code, "e-url" in Page(answer.text).ids) == (422, True), (
            url,
            answer.text[-3000:],
        )
    answer = await me.fill(path, path, url="http://127.0.0.1:9/hook", filters="Everything")
    assert (answer.status_code, "filters" in answer.text) == (422, True)


async def test_webhooks_in_are_told_with_their_address_and_without_their_secret(desk: Desk) -> None:
    one = await desk.add(JIRA)
    path = f"/integrations/{one.id}/webhooks"
    me = await Visitor.of(desk)
    page = await me.see(path)
    assert f"/v1/hooks/{one.id}" in page.text
    assert "none is stored" in page.text
    [made] = once((await me.send(f"{path}/key", {**page.form(f"{path}/key"), "make": "1", "key": ""})).text)
    page = await me.see(path)
    assert "stored" in page.text
    assert made not in page.text
    kept = await desk.core.database.read(
        lambda tx: desk.core.integrations.get(tx.account(desk.account), one.id)
    )
    assert (kept.webhook_config or {})["provider_key"].reveal() == made
    mark = {"csrf": page.form("/logout")["csrf"]}
    short = await me.send(f"{path}/key", {**mark, "key": "short"})
    assert (short.status_code, "e-key" in Page(short.text).ids) == (422, True)
    assert (await me.send(f"{path}/key", {**mark, "key": "made-by-the-vendor"})).status_code == 303
    [token] = once((await me.fill(path, f"{path}/hook-token")).text)
    assert token.startswith("co_hook_")
    assert token not in (await me.see(path)).text


async def test_credentials_are_replaced_and_revoked_and_never_shown(desk: Desk) -> None:
    client = {"type": "o_auth_client", "client_id": "id", "client_secret": "canary-client-secret"}
    one = await desk.add({**SLACK, "client_credential": client})
    path = f"/integrations/{one.id}/access"
    me = await Visitor.of(desk)
    page = await me.see(path)
    for secret in ("canary-client-secret", "xoxb-acc"):
        assert secret not in page.text
    form = page.form(path)
    nothing = await me.send(path, form)
    assert (nothing.status_code, "no credential was typed" in nothing.text) == (422, True)
    half = await me.send(path, {**form, "client_credential.o_auth_client.client_id": "id2"})
    assert half.status_code == 422
    assert "e-client_credential.o_auth_client.client_secret" in Page(half.text).ids
    typed = {"credential.kind": "token", "credential.token.secret": "xoxb-canary-new"}
    answer = await me.send(path, {**form, **typed})
    assert answer.headers["location"] == path
    assert "xoxb-canary-new" not in (await me.see(path)).text
    gone = one.provider_config["client_credential"]["value"]
    assert await me.do(path, f"{path}/credentials/{gone}/revoke") == path
    [after] = await desk.api("GET", "/v1/integrations")
    assert "client_credential" not in after["provider_config"]
    assert after["provider_config"]["credential"] == one.provider_config["credential"], "rotated in its place"
    own = await desk.api("GET", f"/v1/credentials/{one.id}")
    assert len(own) == 1


async def test_tokens_of_an_integration_are_shown_once(desk: Desk) -> None:
    one, other = await desk.add(MOCK), await desk.add(MOCK, name="other")
    path = f"/integrations/{one.id}/access"
    there = f"{path}/tokens/{one.refresh_token_id}"
    me = await Visitor.of(desk)

    async def act(action: str) -> httpx.Response:
        return await me.send(there, {**(await me.see(path)).form(there), "action": action})

    access, refresh = once((await act("rotate")).text)
    assert {access, refresh}.isdisjoint((await me.see(path)).text.split())
    assert access not in (await me.see(path)).text
    assert (await me.answer(path)).status_code == 200
    fresh, _ = once((await act("reset")).text)
    assert fresh != access
    mark = {"csrf": (await me.see(path)).form("/logout")["csrf"]}
    stranger = f"{path}/tokens/{other.refresh_token_id}"
    assert (await me.send(stranger, {**mark, "action": "reset"})).status_code in {404, 422}
    assert (await act("revoke")).status_code == 303
    assert "every one was revoked" in (await me.see(path)).text


@pytest.mark.parametrize("permission_set", ["viewer", "member"])
async def test_who_may_not_see_webhooks_and_credentials_does_not(desk: Desk, permission_set: str) -> None:
    one = await desk.add(JIRA)
    home = f"/integrations/{one.id}"
    me, viewer = await Visitor.of(desk), await Visitor.of(desk, permission_set)
    await me.fill(f"{home}/webhooks", f"{home}/webhooks", url="http://127.0.0.1:9/hook")
    [made] = await desk.api("GET", "/v1/webhooks")
    there = f"{home}/webhooks/{made['id']}"
    page = await viewer.see(f"{home}/webhooks")
    assert made["url"] not in page.text
    for path in (there, f"{home}/access", f"{home}/webhooks/script"):
        await viewer.see(path, 403)
    mark = page.form("/logout")["csrf"]
    before = await desk.written()
    for path in (there, f"{home}/webhooks", f"{home}/access"):
        for action, fields in (await me.see(path)).forms:
            if action.startswith(home):
                refused = await viewer.send(action, {**fields, "csrf": mark, "action": "remove"})
                assert refused.status_code == 403, (action, refused.status_code)
    assert await desk.written() == before
