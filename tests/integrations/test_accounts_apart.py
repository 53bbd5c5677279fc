"""Whatever is asked with another account's ids finds nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from callout.ports.errors import InvalidRequestError, NotFoundError, UnavailableError
from tests.integrations.hub import TRACKER

if TYPE_CHECKING:
    from callout.storage import Tx
    from tests.integrations.hub import Hub


async def test_every_method_finds_nothing_with_ids_of_another_account(hub: Hub) -> None:
    saved = await hub.create(name="t")
    made, (credential,) = saved.integration, saved.credentials_created
    ann, refused = hub.ann, (NotFoundError, InvalidRequestError)
    shared = await hub(
        lambda tx: hub.credentials.create(
            tx.account(hub.red), config={"type": "token", "secret": "s"}, actor=ann
        )
    )
    referring = {**TRACKER, "credential": {"type": "token_id", "value": shared.id}}
    calls = {
        "get": lambda tx: hub.integrations.get(tx.account(hub.blue), made.id),
        "get by name": lambda tx: hub.integrations.get(tx.account(hub.blue), "t"),
        "update": lambda tx: hub.integrations.update(
            tx.account(hub.blue), made.id, changes={"fullname": "x"}, actor=ann
        ),
        "delete": lambda tx: hub.integrations.delete(tx.account(hub.blue), made.id, actor=ann),
        "rotate": lambda tx: hub.integrations.rotate_hook_token(tx.account(hub.blue), made.id, actor=ann),
        "credential_of": lambda tx: hub.integrations.credential_of(tx.account(hub.blue), made),
        "webhook_secrets": lambda tx: hub.integrations.webhook_secrets(tx.account(hub.blue), made),
        "refer": lambda tx: hub.integrations.create(
            tx.account(hub.blue), provider_config=referring, actor=ann
        ),
        "credential get": lambda tx: hub.credentials.get(tx.account(hub.blue), credential.id),
        "credential reveal": lambda tx: hub.credentials.reveal(tx.account(hub.blue), credential.id),
        "credential update": lambda tx: hub.credentials.update(
            tx.account(hub.blue), credential.id, changes={"fullname": "x"}, actor=ann
        ),
        "credential delete": lambda tx: hub.credentials.delete(tx.account(hub.blue), shared.id, actor=ann),
        "credential of account": lambda tx: hub.credentials.create(
            tx.account(hub.blue), config={"type": "token", "secret": "s"}, actor=ann, owner_id=hub.red
        ),
        "health": lambda tx: hub.health.get(tx.account(hub.blue), made.id),
        "health reset": lambda tx: hub.health.reset(tx.account(hub.blue), made.id),
        "pause": lambda tx: hub.pauses.pause(
            tx.account(hub.blue), "integration", made.id, reason="x", actor=ann
        ),
    }
    reached = []
    for name, call in calls.items():
        try:
            await hub(call)
        except refused:
            continue
        reached.append(name)
    assert reached == []

    async def quiet(tx: Tx) -> None:
        blue = tx.account(hub.blue)
        assert not (await hub.integrations.list(blue)).items
        assert not await hub.integrations.of_category(blue, "ticketing")
        assert not await hub.credentials.list(blue, made.id)
        await hub.health.failed(blue, made.id, UnavailableError("x"))
        await hub.health.succeeded(blue, made.id)
        await hub.health.webhook_received(blue, made.id)
        assert not await hub.health.list(blue)
        assert await hub.credentials.delete_owned(blue, made.id) == 0

    await hub(quiet)
    assert await hub.get("t") == made
    assert (await hub(lambda tx: hub.health.get(tx.account(hub.red), made.id))).requests == 0


async def test_a_deleted_account_leaves_no_row_but_its_audit(hub: Hub) -> None:
    saved = await hub.create(name="t")
    await hub(lambda tx: hub.health.succeeded(tx.account(hub.red), saved.integration.id))
    await hub(lambda tx: hub.accounts.delete(tx, "red", actor=hub.ann))
    with pytest.raises(NotFoundError):
        await hub.get("t")
    assert not (await hub(hub.integrations.list_all)).items
    token = saved.integration.hook_token
    assert await hub(lambda tx: hub.integrations.by_hook_token(tx, token)) is None
    assert await hub(lambda tx: hub.audit.entries(tx.account(hub.red)))
