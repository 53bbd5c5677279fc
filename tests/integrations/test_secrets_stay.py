"""Canary secrets are planted everywhere; afterwards no row, log line, answer, audit entry or error holds one."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from callout.access import SYSTEM
from callout.kit.secrets import KeyRing, SealError, Secret
from callout.ports.errors import AuthFailedError, CalloutError
from callout.ports.manifest import TokenSet
from callout.storage.schema import metadata
from tests.integrations.hub import TRACKER

if TYPE_CHECKING:
    from callout.storage import Tx
    from tests.integrations.hub import Hub

CANARIES = (
    "canary-basic-1",
    "canary-token-2",
    "canary-client-3",
    "canary-refresh-4",
    "canary-provider-5",
    "canary-integrator-key-0006",
    "canary-access-7",
    "canary-error-8-0123456789",
)


async def _every_row(hub: Hub) -> str:
    async def read(tx: Tx) -> str:
        found = [await tx.all(table.select()) for table in metadata.sorted_tables]
        return "\n".join(map(str, found))

    return await hub(read)


async def test_no_secret_is_found_anywhere(hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    seen: list[object] = []
    webhook = {
        "provider_key": "canary-provider-5",
        "items": [{"webhook_url": "https://x.example.com", "integrator_key": "canary-integrator-key-0006"}],
    }
    saved = await hub.create(name="t", webhook_config=webhook)
    token = await hub(lambda tx: hub.tokens.create(tx, SYSTEM, permission_set="member"))
    secrets = [
        pair.secret.reveal()
        for issued in (saved.token, token)
        if issued is not None
        for pair in (issued.primary.access, issued.primary.refresh)
        if pair.secret is not None
    ]
    assert len(secrets) == 4
    secrets.append(saved.integration.hook_token.reveal())
    grant = {
        "type": "o_auth_client",
        "client_id": "c",
        "client_secret": "canary-client-3",
        "refresh_token": "canary-refresh-4",
    }
    for credential in ({"type": "token", "secret": "canary-token-2"}, grant):
        answer = await hub.update("t", {"provider_config": {**TRACKER, "credential": credential}})
        seen += [answer, answer.credentials_created]
    store = hub.oauth(saved.integration.id)

    async def exchange(tokens: TokenSet) -> TokenSet:
        return TokenSet(Secret("canary-access-7"), tokens.refresh)

    async def refuse(tokens: TokenSet) -> TokenSet:
        raise AuthFailedError("refused: Authorization: Bearer canary-error-8-0123456789")

    fresh = await store.rotate(await store.current(), exchange)
    with pytest.raises(AuthFailedError) as refused:
        await store.rotate(fresh, refuse)
    await hub(lambda tx: hub.health.failed(tx.account(hub.red), saved.integration.id, refused.value))
    for wrong in (
        {**TRACKER, "url": None, "credential": {"type": "token", "secret": "canary-token-2"}},
        {**TRACKER, "credential": {"type": "basic", "secret": "canary-basic-1"}},
        {**TRACKER, "limits": "canary-basic-1"},
        {**TRACKER, "password": "canary-basic-1"},
    ):
        with pytest.raises(CalloutError) as caught:
            await hub.create(wrong)
        seen += [caught.value, caught.value.fields, caught.value.__cause__]
    seen += [saved, fresh, await hub.get("t"), await store.problem()]
    seen.append(await hub(hub.integrations.list_all))
    seen.append(await hub(lambda tx: hub.credentials.list(tx.account(hub.red), saved.integration.id)))
    seen.append(await hub(hub.tokens.list))
    seen.append(await hub(hub.audit.entries))
    rows = await _every_row(hub)
    assert saved.integration.id in rows
    everything = "\n".join([rows, caplog.text, *(f"{one!r} {one!s}" for one in seen)])
    found = [secret for secret in (*CANARIES, *secrets) if secret in everything]
    assert found == []


async def test_keys_are_rotated_online(hub: Hub) -> None:
    webhook = {"provider_key": "pk", "items": [{"webhook_url": "https://x.example.com"}]}
    grant = {"type": "o_auth_client", "client_id": "c", "client_secret": "cs", "refresh_token": "r"}
    made = (await hub.create({**TRACKER, "credential": grant}, name="t", webhook_config=webhook)).integration
    old = hub.keys
    hub.use(old.with_new_primary())
    assert await hub.get("t") == made
    assert await hub(hub.integrations.rewrap) == 3
    assert await hub(hub.integrations.rewrap) == 0
    # The old key is no longer needed.
    parts = hub.keys.to_text().reveal().split(",")
    hub.use(KeyRing.parse(parts[-1].removeprefix("*")))
    assert await hub.get("t") == made
    opened = await hub(lambda tx: hub.integrations.credential_of(tx.account(hub.red), made))
    assert opened is not None
    assert opened.secrets["client_secret"].reveal() == "cs"
    assert (await hub.oauth(made.id).current()).refresh == Secret("r")
    keys = (await hub(lambda tx: hub.integrations.webhook_secrets(tx.account(hub.red), made))).keys
    assert [key.reveal() for key in keys] == ["pk"]


async def test_a_sealed_value_does_not_open_in_another_place(hub: Hub) -> None:
    await hub.create(name="a")
    other = (
        await hub.create({**TRACKER, "credential": {"type": "token", "secret": "x"}}, name="b")
    ).integration
    await hub(
        lambda tx: tx.execute(
            text(
                "UPDATE credentials SET sealed = (SELECT sealed FROM credentials WHERE kind = 'basic') WHERE kind = 'token'"
            )
        )
    )
    with pytest.raises(SealError):
        await hub(lambda tx: hub.integrations.credential_of(tx.account(hub.red), other))
