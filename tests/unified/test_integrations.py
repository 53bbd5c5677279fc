"""Integrations and credentials, as a program with the SDK keeps them."""

from __future__ import annotations

from typing import Any

import pytest
from synqly.management.credentials import CredentialConfig_Token
from synqly.management.providers_generated import (
    JiraCredential_Basic,
    JiraCredential_BasicId,
    ProviderConfig_TicketingJira,
    ProviderConfig_TicketingMockTicketing,
)

from tests.unified.refusals import refused
from tests.unified.sdk import Sdk

MAPPING = {"name": "effort", "project_id": "*", "provider_field_path": "customfield_10042"}


def jira(sdk: Sdk, secret: str = "token", **more: Any) -> Any:
    credential = JiraCredential_Basic(username="admin@example.com", secret=secret)
    return ProviderConfig_TicketingJira(
        url=sdk.twin("jira"), credential=credential, default_project="TST", **more
    )


async def test_an_integration_from_beginning_to_end(sdk_on_both: Sdk) -> None:
    sdk, integrations = sdk_on_both, sdk_on_both.management.integrations
    made = await integrations.create("default", fullname="Our Jira", provider_config=jira(sdk))
    one, token = made.result.integration, made.result.token
    assert (one.name, one.category.value, one.provider_type) == ("our-jira", "ticketing", "ticketing_jira")
    assert one.provider_config.credential.type == "basic_id"
    assert [c.id for c in made.result.credentials_created] == [one.provider_config.credential.value]
    assert made.messages is None

    found = await sdk.engine(token.access.secret).ticketing.query_tickets(limit=1)
    assert found.cursor == ""

    read = (await integrations.get("default", "our-jira")).result
    assert read == (await integrations.get(one.account_id, one.id)).result
    body = {name: getattr(read, name) for name in type(read).model_fields if getattr(read, name) is not None}
    body |= {"account_id_": "default", "integration_id": read.id, "fullname": "Jira of ours"}
    updated = await integrations.update(**body)
    assert (updated.result.fullname, updated.result.provider_config) == ("Jira of ours", read.provider_config)
    await refused(integrations.update(**body | {"fullname": "late"}), 409, "conflict")

    listed = await integrations.list(expand="account", filter="account.name[eq]default", total=True)
    assert [i.account.name for i in listed.result] == ["default"]
    assert (await integrations.list_account("default", filter="name[like]our*")).result[0].id == one.id
    assert (await integrations.list_account("default", filter="name[ne]our-jira")).result == []

    await integrations.delete("default", "our-jira")
    await refused(integrations.get("default", one.id), 404, "not-found")
    await refused(integrations.delete("default", one.id), 404, "not-found")
    await refused(sdk.engine(token.access.secret).ticketing.query_tickets(), 401, "unauthenticated")
    credentials = await sdk.management.credentials.list("default")
    assert credentials.result == []


async def test_custom_field_mappings_are_added_where_there_was_no_list(sdk: Sdk) -> None:
    integrations = sdk.management.integrations
    one = (await integrations.create("default", name="jira", provider_config=jira(sdk))).result.integration
    path = "/provider_config/custom_field_mappings/-"
    patch = [{"op": "add", "path": path, "value": MAPPING}]
    patched = await integrations.patch("default", "jira", request=patch)
    [kept] = patched.result.provider_config.custom_field_mappings
    assert (kept.name, kept.provider_field_path) == ("effort", "customfield_10042")
    raw = sdk.raw["result"]["provider_config"]["custom_field_mappings"][0]
    assert raw["project_field_path"] == "customfield_10042"

    older = {"name": "team", "project_field_path": "no_such_field"}
    warned = await integrations.patch(
        "default", "jira", request=[{"op": "add", "path": path, "value": older}]
    )
    assert "no_such_field" in warned.messages.problems[0].message
    test = [
        {"op": "test", "path": "/fullname", "value": "another"},
        {"op": "replace", "path": "/fullname", "value": "never"},
    ]
    await refused(integrations.patch("default", "jira", request=test), 409, "conflict")
    await refused(
        integrations.patch("default", "jira", request=[{"op": "replace", "path": "/id", "value": "x"}]),
        400,
        "invalid-patch",
    )
    now = (await integrations.get("default", "jira")).result
    assert (now.fullname, len(now.provider_config.custom_field_mappings)) == ("jira", 2)
    assert now.created_at == one.created_at
    assert now.updated_at > one.updated_at


async def test_trouble_of_the_vendor_is_told_and_keeps_nothing_from_being_made(sdk: Sdk) -> None:
    integrations = sdk.management.integrations
    made = await integrations.create("default", name="wrong", provider_config=jira(sdk, "not the secret"))
    [problem] = made.messages.problems
    assert (problem.type, problem.status) == ("provider-authentication-failed", 502)
    assert made.result.token.access.secret
    await refused(integrations.verify_existing("default", "wrong"), 502, "provider-authentication-failed")
    rotated = [
        {
            "op": "replace",
            "path": "/provider_config/credential",
            "value": {"type": "basic", "username": "admin@example.com", "secret": "token"},
        }
    ]
    healed = await integrations.patch("default", "wrong", request=rotated)
    assert healed.messages is None
    assert (await integrations.verify_existing("default", "wrong")).messages is None
    assert healed.result.provider_config.credential == made.result.integration.provider_config.credential


async def test_settings_are_tried_out_without_being_stored(sdk: Sdk) -> None:
    integrations, before = sdk.management.integrations, await sdk.installation.rows("credentials")
    assert (await integrations.verify("default", integration={"provider_config": jira(sdk)})).messages is None
    await refused(
        integrations.verify("default", integration={"provider_config": jira(sdk, "wrong")}),
        502,
        "provider-authentication-failed",
    )
    nowhere = jira(sdk)
    nowhere.url = "http://127.0.0.1:9"
    await refused(
        integrations.verify("default", integration={"provider_config": nowhere}), 503, "provider-unreachable"
    )
    referring = {**sdk.config("ticketing_jira"), "credential": {"type": "basic_id", "value": "#/0"}}
    listed = [{"type": "basic", "username": "admin@example.com", "secret": "token"}]
    answer = await sdk.installation.api.request(
        "POST",
        "/v1/integrations/default/verify",
        json={"integration": {"provider_config": referring}, "credentials": listed},
    )
    assert (answer.status_code, answer.json()) == (200, {})
    assert await sdk.installation.rows("credentials") == before
    assert (await integrations.list()).result == []


@pytest.mark.parametrize(
    ("config", "pointer"),
    [
        ({"type": "ticketing_nothing"}, "/provider_config/type"),
        ({}, "/provider_config/type"),
        ({"type": "ticketing_jira"}, "/provider_config/credential"),
        (
            {"type": "ticketing_jira", "credential": {"type": "basic", "username": "a", "secret": "b"}},
            "/provider_config/url",
        ),
        (
            {"type": "ticketing_jira", "url": "https://x", "credential": {"type": "token", "secret": "b"}},
            "/provider_config/credential/type",
        ),
        (
            {
                "type": "ticketing_jira",
                "url": "https://x",
                "credential": {"type": "basic_id", "value": "none"},
            },
            "/provider_config/credential/value",
        ),
    ],
)
async def test_a_config_that_lacks_something_is_refused_by_its_place(
    sdk: Sdk, config: dict[str, Any], pointer: str
) -> None:
    problem = await refused(
        sdk.management.integrations.create("default", provider_config=config), 400, "invalid-request"
    )
    assert (problem.context.parameter.id, problem.context.parameter.location.value) == (pointer, "body")


async def test_credentials_of_an_account_and_of_an_integration(sdk_on_both: Sdk) -> None:
    sdk, credentials = sdk_on_both, sdk_on_both.management.credentials
    kept = (
        await credentials.create(
            "default",
            name="shared",
            config={"type": "basic", "username": "admin@example.com", "secret": "wrong"},
        )
    ).result
    assert (kept.owner_type.value, kept.managed.value, kept.config.type) == ("account", "Unmanaged", "basic")
    assert (
        (await credentials.lookup(kept.id)).result
        == (await credentials.get("default", "shared")).result
        == kept
    )
    config = ProviderConfig_TicketingJira(
        url=sdk.twin("jira"), credential=JiraCredential_BasicId(value=kept.id), default_project="TST"
    )
    made = await sdk.management.integrations.create("default", name="jira", provider_config=config)
    assert made.messages.problems[0].type == "provider-authentication-failed"
    assert made.result.credentials_created is None
    await refused(credentials.delete("default", "shared"), 409, "conflict")

    patch = [{"op": "replace", "path": "/config/secret", "value": "token"}]
    patched = (await credentials.patch("default", "shared", request=patch)).result
    assert patched.config.type == "basic"
    assert (await sdk.management.integrations.verify_existing("default", "jira")).messages is None
    for op, path in (
        ("test", "/name"),
        ("copy", "/name"),
        ("replace", "/managed"),
        ("remove", "/config/secret"),
    ):
        one = {"op": op, "path": path, "value": "x", "from": "/fullname"}
        await refused(credentials.patch("default", "shared", request=[one]), 400)
    body = {
        name: getattr(patched, name)
        for name in type(patched).model_fields
        if getattr(patched, name) is not None
    }
    renamed = await credentials.update(
        "default", "shared", **body | {"name": "renamed", "account_id": "default"}
    )
    assert renamed.result.name == "renamed"
    assert (await sdk.management.integrations.verify_existing("default", "jira")).messages is None

    own = await sdk.management.integrations.create("default", name="own", provider_config=jira(sdk))
    [managed] = (await credentials.list(own.result.integration.id)).result
    assert (managed.managed.value, managed.integration_id) == ("Managed", own.result.integration.id)
    await refused(credentials.create("default", config=CredentialConfig_Token(secret="")), 400)
    await refused(credentials.create("nobody", config=CredentialConfig_Token(secret="s")), 404)
    await refused(credentials.get(own.result.integration.id, kept.id), 404)


async def test_a_receiver_s_key_is_shown_once_and_a_vendor_s_never(sdk: Sdk) -> None:
    integrations = sdk.management.integrations
    webhooks = {
        "provider_key": "key-of-the-vendor-key-of-the-vendor",
        "items": [
            {"webhook_url": "https://one.example.com/in"},
            {
                "webhook_url": "https://two.example.com/in",
                "integrator_key": "k" * 24,
                "event_filter": ["TicketCreated"],
            },
        ],
    }
    config = ProviderConfig_TicketingMockTicketing(name="test")
    made = await integrations.create("default", name="one", provider_config=config, webhook_config=webhooks)
    first, second = made.result.integration.webhook_config.items
    assert len(first.integrator_key) >= 24
    assert second.integrator_key is None
    assert made.result.integration.webhook_config.provider_key is None
    kept = await sdk.installation.in_account(lambda tx: sdk.installation.core.integrations.get(tx, "one"))
    assert kept.webhook_config is not None
    keys = [item["integrator_key"].reveal() for item in kept.webhook_config["items"]]
    assert keys == [first.integrator_key, "k" * 24]

    read = await integrations.get("default", "one")
    patched = await integrations.patch(
        "default",
        "one",
        request=[
            {
                "op": "add",
                "path": "/webhook_config/items/-",
                "value": {"webhook_url": "https://three.example.com"},
            }
        ],
    )
    shown = [item.integrator_key for item in patched.result.webhook_config.items]
    assert shown[:2] == [None, None]
    assert shown[2]
    again = await sdk.installation.in_account(lambda tx: sdk.installation.core.integrations.get(tx, "one"))
    assert again.webhook_config is not None
    assert [item["integrator_key"].reveal() for item in again.webhook_config["items"]] == [*keys, shown[2]]
    assert again.webhook_config["provider_key"].reveal() == webhooks["provider_key"]
    texts = "".join(answer.text for answer in sdk.answers[1:] if answer is not sdk.answers[-1])
    for secret in (*keys, str(webhooks["provider_key"])):
        assert secret not in texts
    assert read.result.webhook_config.items[0].integrator_key is None
