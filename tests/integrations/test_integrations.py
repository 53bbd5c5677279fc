from __future__ import annotations

import copy
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from callout.access import Filter, Listing, Reason, UnauthenticatedError
from callout.kit.secrets import Secret
from callout.ports.errors import ConflictError, InvalidRequestError, NotFoundError
from tests.integrations.hub import TRACKER, TrackerConfig, access_secret

if TYPE_CHECKING:
    from callout.ports.inbound import WebhookSecrets
    from callout.ports.manifest import Credential
    from tests.integrations.hub import Hub


def _with(**changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(TRACKER), **changes}


async def _credential(hub: Hub, key: str) -> Credential:
    integration = await hub.get(key)
    found = await hub(lambda tx: hub.integrations.credential_of(tx.account(hub.red), integration))
    assert found is not None
    return found


async def _hooks(hub: Hub, key: str) -> WebhookSecrets:
    integration = await hub.get(key)
    return await hub(lambda tx: hub.integrations.webhook_secrets(tx.account(hub.red), integration))


async def test_an_integration_is_created_with_its_token_and_its_credential_taken_out(hub: Hub) -> None:
    saved = await hub.create(fullname="Our Tracker", settings={"sync": {"create": True}})
    made = saved.integration
    (credential,) = saved.credentials_created
    assert (made.name, made.fullname, made.category) == ("our-tracker", "Our Tracker", "ticketing")
    assert (made.provider_type, made.provider_fullname) == ("ticketing_tracker", "Tracker")
    assert made.provider_config == {
        "type": "ticketing_tracker",
        "url": "https://tracker.example.com",
        "credential": {"type": "basic_id", "value": credential.id},
    }
    assert (credential.managed, credential.owner_id, credential.kind) == ("Managed", made.id, "basic")
    assert saved.token is not None
    assert made.refresh_token_id == saved.token.id
    caller = await hub(lambda tx: hub.authentication.authenticate(tx, access_secret(saved)))
    assert (caller.integration_id, caller.account_ids) == (made.id, frozenset({hub.red}))
    assert await hub.get("OUR-tracker") == made
    opened = await _credential(hub, made.id)
    assert (opened.kind, opened.values) == ("basic", {"username": "ann@example.com"})
    assert opened.secrets["secret"].reveal() == "canary-basic-1"
    assert hub.integrations.config_of(made) == TrackerConfig(url="https://tracker.example.com")


WRONG: list[tuple[object, str]] = [
    ("text", "/provider_config"),
    ({"type": "ticketing_unknown"}, "/provider_config/type"),
    (_with(url=None), "/provider_config/url"),
    (_with(url=7), "/provider_config/url"),
    (_with(limits={"a": "x"}), "/provider_config/limits/a"),
    (_with(credential=None), "/provider_config/credential"),
    (_with(credential={"type": "secret", "secret": "x"}), "/provider_config/credential/type"),
    (_with(credential={"type": "basic", "username": "a"}), "/provider_config/credential/secret"),
    (
        _with(credential={"type": "basic", "username": "a", "secret": 5}),
        "/provider_config/credential/secret",
    ),
    (_with(credential={"type": "basic_id", "value": "none"}), "/provider_config/credential/value"),
    (_with(api_token="canary-loose"), "/provider_config/api_token"),
    (_with(url="https://user:canary-url@x.example.com"), "/provider_config/url"),
]


async def test_a_wrong_config_is_refused_by_its_place_and_nothing_is_kept(hub: Hub) -> None:
    for config, pointer in WRONG:
        with pytest.raises(InvalidRequestError) as caught:
            await hub.create(config)
        assert pointer in caught.value.fields
        assert "canary" not in str(caught.value) + str(caught.value.fields) + repr(caught.value.__cause__)
    assert not (await hub(hub.integrations.list_all)).items
    assert not await hub(lambda tx: hub.tokens.list(tx, owner_type="integration"))


async def test_settings_of_a_feature_are_put_beside_the_others(hub: Hub) -> None:
    await hub.create(name="t", settings={"chat": {"a": 1}})
    await hub(
        lambda tx: hub.integrations.put_settings(
            tx.account(hub.red), "t", feature="sync", value={"create": False}, actor=hub.ann
        )
    )
    assert (await hub.get("t")).settings == {"chat": {"a": 1}, "sync": {"create": False}}


async def test_an_unknown_key_is_kept_with_a_warning(hub: Hub) -> None:
    saved = await hub.create(_with(colour="red"))
    assert saved.integration.provider_config["colour"] == "red"
    assert "/provider_config/colour" in saved.warnings[0]


async def test_a_provider_without_credentials_needs_none(hub: Hub) -> None:
    saved = await hub.create({"type": "chat_room"})
    assert saved.credentials_created == ()
    integration = saved.integration
    assert await hub(lambda tx: hub.integrations.credential_of(tx.account(hub.red), integration)) is None
    chats = await hub(lambda tx: hub.integrations.of_category(tx.account(hub.red), "chat"))
    assert [one.id for one in chats] == [integration.id]
    await hub.update(integration.id, {"enabled": False})
    assert not await hub(lambda tx: hub.integrations.of_category(tx.account(hub.red), "chat"))


async def test_a_name_is_unique_within_its_account(hub: Hub) -> None:
    await hub.create(name="one")
    with pytest.raises(ConflictError):
        await hub.create(name="ONE")
    await hub(
        lambda tx: hub.integrations.create(
            tx.account(hub.blue), provider_config=TRACKER, actor=hub.ann, name="one"
        )
    )
    other = await hub.create(name="two")
    with pytest.raises(ConflictError):
        await hub.update(other.integration.id, {"name": "one"})


async def test_an_inline_credential_rotates_the_one_before_it(hub: Hub) -> None:
    made = (await hub.create(name="t")).integration
    saved = await hub.update(
        "t", {"provider_config": _with(credential={"type": "basic", "username": "bo", "secret": "new"})}
    )
    assert saved.credentials_created == ()
    assert saved.integration.provider_config == made.provider_config
    assert saved.integration.updated_at > made.updated_at
    opened = await _credential(hub, "t")
    assert (opened.values["username"], opened.secrets["secret"].reveal()) == ("bo", "new")


async def test_a_credential_of_another_kind_replaces_it(hub: Hub) -> None:
    old = (await hub.create(name="t")).credentials_created[0]
    saved = await hub.update("t", {"provider_config": _with(credential={"type": "token", "secret": "pat"})})
    (new,) = saved.credentials_created
    assert new.id != old.id
    listed = await hub(lambda tx: hub.credentials.list(tx.account(hub.red), saved.integration.id))
    assert [one.id for one in listed] == [new.id]


async def test_a_config_sent_back_as_read_changes_nothing(hub: Hub) -> None:
    made = (await hub.create(name="t")).integration
    saved = await hub.update("t", {"provider_config": {**made.provider_config, "default_project": "OPS"}})
    assert saved.credentials_created == ()
    assert (await _credential(hub, "t")).secrets["secret"].reveal() == "canary-basic-1"
    assert hub.integrations.config_of(saved.integration).default_project == "OPS"


async def test_the_provider_cannot_change_and_a_stale_reader_is_told(hub: Hub) -> None:
    made = (await hub.create(name="t")).integration
    with pytest.raises(InvalidRequestError):
        await hub.update("t", {"provider_config": {"type": "chat_room"}})
    with pytest.raises(InvalidRequestError):
        await hub.update("t", {"account_id": "other"})
    await hub.update("t", {"fullname": "T"})
    with pytest.raises(ConflictError, match="changed since"):
        await hub.update("t", {"fullname": "U"}, expected=made.updated_at)


async def test_a_credential_of_the_account_can_be_shared_and_is_not_removed_while_used(hub: Hub) -> None:
    shared = await hub(
        lambda tx: hub.credentials.create(
            tx.account(hub.red), config={"type": "token", "secret": "shared"}, actor=hub.ann, name="shared"
        )
    )
    config = _with(credential={"type": "token_id", "value": shared.id})
    await hub.create(config, name="a")
    await hub.create(config, name="b")
    assert (await _credential(hub, "b")).secrets["secret"].reveal() == "shared"

    async def remove() -> None:
        await hub(lambda tx: hub.credentials.delete(tx.account(hub.red), shared.id, actor=hub.ann))

    with pytest.raises(ConflictError, match="uses this credential"):
        await remove()
    for name in ("a", "b"):
        await hub(lambda tx, n=name: hub.integrations.delete(tx.account(hub.red), n, actor=hub.ann))  # type: ignore[misc]
    await remove()
    with pytest.raises(NotFoundError):
        await remove()


async def test_another_integrations_credential_or_kind_cannot_be_referred_to(hub: Hub) -> None:
    (own,) = (await hub.create(name="a")).credentials_created
    for reference in ({"type": "basic_id", "value": own.id}, {"type": "token_id", "value": own.id}):
        with pytest.raises(InvalidRequestError):
            await hub.create(_with(credential=reference), name="b")


async def test_a_deleted_integration_is_gone_with_tokens_credentials_health_and_pauses(hub: Hub) -> None:
    saved = await hub.create(name="t")
    made = saved.integration
    await hub(lambda tx: hub.health.succeeded(tx.account(hub.red), made.id))
    await hub(
        lambda tx: hub.pauses.pause(tx.account(hub.red), "integration", made.id, reason="x", actor=hub.ann)
    )
    before = await hub(hub.version.current)
    await hub(lambda tx: hub.integrations.delete(tx.account(hub.red), "t", actor=hub.ann))
    assert await hub(hub.version.current) > before
    with pytest.raises(UnauthenticatedError) as caught:
        await hub(lambda tx: hub.authentication.authenticate(tx, access_secret(saved)))
    assert caught.value.reason is Reason.REVOKED
    assert not await hub(lambda tx: hub.credentials.list(tx.account(hub.red), made.id))
    assert not await hub(hub.pauses.list)
    for again in (
        lambda tx: hub.integrations.delete(tx.account(hub.red), "t", actor=hub.ann),
        lambda tx: hub.integrations.get(tx.account(hub.red), made.id),
        lambda tx: hub.health.get(tx.account(hub.red), made.id),
    ):
        with pytest.raises(NotFoundError):
            await hub(again)


async def test_the_hook_token_finds_the_integration_and_nothing_else(hub: Hub) -> None:
    made = (await hub.create(name="t")).integration
    assert made.hook_token.reveal().startswith("co_hook_")
    found = await hub(lambda tx: hub.integrations.by_hook_token(tx, made.hook_token))
    assert found == made
    assert await hub(lambda tx: hub.integrations.by_hook_path(tx, made.id)) == made
    assert await hub(lambda tx: hub.integrations.by_hook_path(tx, "t")) is None
    with pytest.raises(UnauthenticatedError):
        await hub(lambda tx: hub.authentication.authenticate(tx, made.hook_token))
    fresh = await hub(lambda tx: hub.integrations.rotate_hook_token(tx.account(hub.red), "t", actor=hub.ann))
    assert await hub(lambda tx: hub.integrations.by_hook_token(tx, made.hook_token)) is None
    assert await hub(lambda tx: hub.integrations.by_hook_token(tx, fresh.hook_token)) == fresh
    assert await hub(lambda tx: hub.integrations.by_hook_token(tx, Secret("co_hook_x"))) is None


async def test_a_new_provider_key_counts_at_once_and_the_former_for_a_day(hub: Hub) -> None:
    await hub.create(name="t", webhook_config={"provider_key": "first", "items": []})
    assert [k.reveal() for k in (await _hooks(hub, "t")).keys] == ["first"]
    await hub.update("t", {"webhook_config": {"provider_key": "second"}})
    assert [k.reveal() for k in (await _hooks(hub, "t")).keys] == ["second", "first"]
    # What was read and is sent back keeps its key.
    await hub.update("t", {"webhook_config": (await hub.get("t")).webhook_config})
    assert [k.reveal() for k in (await _hooks(hub, "t")).keys] == ["second", "first"]
    hub.clock.advance(timedelta(hours=24))
    assert [k.reveal() for k in (await _hooks(hub, "t")).keys] == ["second"]
    await hub.update("t", {"webhook_config": {"provider_key": ""}})
    assert (await _hooks(hub, "t")).keys == ()
    await hub.update("t", {"webhook_config": None})
    assert (await hub.get("t")).webhook_config is None


async def test_an_integrator_key_is_made_kept_and_checked(hub: Hub) -> None:
    item = {"webhook_url": "https://in.example.com/a", "event_filter": ["TicketCreated"]}
    made = (await hub.create(name="t", webhook_config={"items": [item]})).integration
    assert made.webhook_config is not None
    key = made.webhook_config["items"][0]["integrator_key"]
    assert isinstance(key, Secret)
    await hub.update("t", {"webhook_config": {"items": [item]}})
    again = (await hub.get("t")).webhook_config
    assert again is not None
    assert again["items"][0]["integrator_key"] == key
    for wrong in (
        {**item, "integrator_key": "short"},
        {**item, "integrator_key": "x" * 65},
        {**item, "event_filter": ["Nonsense"]},
        {"webhook_url": "ftp://x"},
    ):
        with pytest.raises(InvalidRequestError):
            await hub.update("t", {"webhook_config": {"items": [wrong]}})


async def test_oauth_clients_give_their_secret_to_the_webhook_dialect(hub: Hub) -> None:
    client = {"type": "o_auth_client", "client_id": "cid", "client_secret": "csecret", "extra": {"aud": "x"}}
    await hub.create(_with(credential=client), name="t")
    secrets = await _hooks(hub, "t")
    assert secrets.client_id == "cid"
    assert secrets.client_secret == Secret("csecret")
    assert (await _credential(hub, "t")).values == {"client_id": "cid", "aud": "x"}


async def test_lists_are_by_account_and_filterable(hub: Hub) -> None:
    await hub.create(name="a")
    await hub.create({"type": "chat_room"}, name="b")
    await hub(
        lambda tx: hub.integrations.create(
            tx.account(hub.blue), provider_config=TRACKER, actor=hub.ann, name="c"
        )
    )
    listing = Listing(filters=(Filter("provider_type", "eq", ("ticketing_tracker",)),))
    red = await hub(lambda tx: hub.integrations.list(tx.account(hub.red)))
    assert [one.name for one in red.items] == ["a", "b"]
    every = await hub(lambda tx: hub.integrations.list_all(tx, listing))
    assert [one.name for one in every.items] == ["a", "c"]
    some = await hub(lambda tx: hub.integrations.list_all(tx, among=frozenset({hub.blue})))
    assert [one.name for one in some.items] == ["c"]


async def test_every_change_moves_the_settings_version(hub: Hub) -> None:
    seen = [await hub(hub.version.current)]

    async def moved() -> None:
        seen.append(await hub(hub.version.current))
        assert seen[-1] > seen[-2]

    await hub.create(name="t")
    await moved()
    await hub.update("t", {"settings": {"sync": {}}})
    await moved()
    await hub(lambda tx: hub.pauses.pause(tx, "everything", reason="x", actor=hub.ann))
    await moved()
    await hub(lambda tx: hub.pauses.resume(tx, "everything", actor=hub.ann))
    await moved()
    await hub(lambda tx: hub.integrations.delete(tx.account(hub.red), "t", actor=hub.ann))
    await moved()
