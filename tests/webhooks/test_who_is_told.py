"""What happens becomes deliveries: incidents, accounts and integrations, and the endpoints that settings of integrations name."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import pytest

from callout.incidents import DeclareIncident
from callout.integrations import Integration
from callout.jobs import Sequencer, events_since
from callout.kit.secrets import KeyRing, Secret
from callout.ports.errors import ConflictError
from callout.ports.values import Actor, Audience, Channel, Origin, Severity
from callout.storage import AccountTx
from callout.webhooks.outbound import HANDLERS, Endpoint, Endpoints, OutboundContext
from tests.webhooks.lab import OPERATOR, Lab

BY_CLI = Origin(Channel.CLI, Actor.system("tests"))


async def add_integration(lab: Lab, *items: dict[str, Any], name: str = "tickets") -> Integration:
    saved = await lab.within(
        lambda tx: lab.core.integrations.create(
            tx,
            provider_config={"type": "ticketing_mock_ticketing"},
            actor=OPERATOR,
            name=name,
            webhook_config={"items": list(items)},
        )
    )
    return saved.integration


async def endpoints(lab: Lab) -> list[Endpoint]:
    return list(await lab.within(lab.core.outbound.endpoints.list))


async def test_endpoints_in_an_integrations_settings_follow_them_in_the_same_commit(lab: Lab) -> None:
    key = "an integrator's own key, 24+"
    one = await add_integration(
        lab,
        {"webhook_url": f"{lab.sink.url}/a", "event_filter": ["TicketCreated"], "integrator_key": key},
        {"webhook_url": f"{lab.sink.url}/b", "raw_payload_format": "string"},
    )
    made = {found.url.rpartition("/")[2]: found for found in await endpoints(lab)}
    assert made["a"].filters == ("TicketCreated",)
    assert made["a"].secrets == (Secret(key),)
    assert (made["a"].scope, made["a"].integration_id, made["a"].source) == ("integration", one.id, "config")
    assert made["b"].raw_format == "string"
    assert one.webhook_config is not None
    assert made["b"].secrets[0] == one.webhook_config["items"][1]["integrator_key"]

    async def change(*items: dict[str, Any]) -> None:
        await lab.within(
            lambda tx: lab.core.integrations.update(
                tx, one.id, changes={"webhook_config": {"items": list(items)}}, actor=OPERATOR
            )
        )

    fresh = "another key of this integrator"
    await change(
        {"webhook_url": f"{lab.sink.url}/a", "integrator_key": fresh}, {"webhook_url": f"{lab.sink.url}/c"}
    )
    after = {found.url.rpartition("/")[2]: found for found in await endpoints(lab)}
    assert set(after) == {"a", "c"}
    assert after["a"].id == made["a"].id
    assert after["a"].filters == ()
    assert after["a"].secrets == (Secret(fresh), Secret(key)), "the key before it counts for a day"
    with pytest.raises(ConflictError, match="settings of its integration"):
        await lab.within(
            lambda tx: lab.core.outbound.endpoints.update(
                tx, after["a"].id, changes={"filters": []}, actor=OPERATOR
            )
        )
    await lab.within(lambda tx: lab.core.integrations.delete(tx, one.id, actor=OPERATOR))
    assert await endpoints(lab) == []


async def test_only_the_integrations_own_tickets_reach_its_endpoints(lab: Lab) -> None:
    first = await add_integration(lab, {"webhook_url": f"{lab.sink.url}/first"}, name="first")
    await add_integration(lab, {"webhook_url": f"{lab.sink.url}/second"}, name="second")
    await lab.add("/account")
    await lab.tell("A", 1, integration_id=first.id, raw=b'{"x": 1.0 }')
    async with lab.working():
        await lab.all_are("delivered")
    assert [len(lab.sink.at(path)) for path in ("/first", "/second", "/account")] == [1, 0, 1]
    [got] = lab.sink.at("/first")
    assert got.body.endswith(b'"raw_payload":{"x": 1.0 }}')
    assert got.headers["synqly-signature"] in {
        "sha256=" + hmac.new(one.secrets[0].reveal().encode(), got.body, hashlib.sha256).hexdigest()
        for one in await endpoints(lab)
    }


async def test_internal_notes_leave_the_house_to_nobody(lab: Lab) -> None:
    await lab.add("/in", "incident.*")
    context = OutboundContext(lab.core.outbound.router, lab.core.incidents)

    async def declare_and_note(tx: AccountTx) -> None:
        incident = await lab.core.incidents.declare(tx, DeclareIncident("down", severity=Severity(2)), BY_CLI)
        edit = await lab.core.incidents.edit(tx, incident.key)
        edit.note("the password is on the whiteboard", Audience.INTERNAL, origin=BY_CLI)
        edit.note("we are on it", Audience.RESPONDERS, origin=BY_CLI)
        await edit.save()

    await lab.within(declare_and_note)
    await Sequencer(lab.core.database).turn()
    heard = [event for _, event in await lab.core.database.read(lambda tx: events_since(tx, lab.account, 0))]
    for event in heard:
        if event.kind in HANDLERS:
            await lab.within(lambda tx, event=event: HANDLERS[event.kind](context, tx, event))  # type: ignore[misc]
    async with lab.working():
        await lab.all_are("delivered")
    got = lab.sink.at("/in")
    assert [one.json["event_type"] for one in got] == ["incident.declared", "incident.noted"]
    assert got[1].json["data"]["note"]["text"] == "we are on it"
    assert not any(b"whiteboard" in one.body for one in got)


async def test_the_organizations_endpoints_hear_of_accounts_and_integrations_of_their_environment(
    lab: Lab,
) -> None:
    made = await lab.core.database.transaction(
        lambda tx: lab.core.outbound.endpoints.create(
            Endpoints.organization(tx), url=f"{lab.sink.url}/org", filters=["all"], actor=OPERATOR, name="org"
        )
    )
    assert made.scope == "organization"
    accounts = lab.core.accounts
    for name, environment in (("acme", "prod"), ("trial", "test")):
        await lab.core.database.transaction(
            lambda tx, name=name, environment=environment: accounts.create(  # type: ignore[misc]
                tx, actor=OPERATOR, name=name, environment=environment
            )
        )
    one = await add_integration(lab)
    await lab.within(lambda tx: lab.core.integrations.delete(tx, one.id, actor=OPERATOR))
    async with lab.working():
        await lab.came("/org", 3)
        # What was still on its way would go with the account: nothing of it is kept.
        for name in ("acme", "trial"):
            await lab.core.database.transaction(
                lambda tx, name=name: accounts.delete(tx, name, actor=OPERATOR)  # type: ignore[misc]
            )
        await lab.came("/org", 4)
        await lab.idle()
    got = lab.sink.at("/org")
    told = [
        (one.json["event"], (one.json.get("account") or one.json.get("integration"))["name"]) for one in got
    ]
    assert set(told) == {
        ("account_create", "acme"),
        ("integration_create", "tickets"),
        ("integration_delete", "tickets"),
        ("account_delete", "acme"),
    }
    assert all(one.json["nonce"] for one in got)
    assert len({one.json["nonce"] for one in got}) == len(got)
    wanted = "sha256=" + hmac.new(made.secrets[0].reveal().encode(), got[0].body, hashlib.sha256).hexdigest()
    assert got[0].headers["synqly-signature"] == got[0].headers["x-synqly-signature"] == wanted


async def test_nothing_is_written_where_nobody_listens(lab: Lab) -> None:
    await lab.add("/in", "TicketCreated")
    await lab.tell("A", 1)
    assert await lab.rows("SELECT count(*) FROM webhook_message") == [(0,)]
    assert await lab.rows("SELECT count(*) FROM job WHERE kind = 'webhooks.deliver'") == [(0,)]


async def test_a_rotated_secret_and_the_one_before_it_both_sign_until_the_overlap_ends(lab: Lab) -> None:
    one = await lab.add("/in")
    rotated = await lab.within(lambda tx: lab.core.outbound.endpoints.rotate(tx, one.id, actor=OPERATOR))
    assert rotated.secrets[1:] == one.secrets
    await lab.tell("A", 1)
    async with lab.working():
        await lab.all_are("delivered")
        await lab.skip(hours=25)
        await lab.tell("A", 2)
        await lab.all_are("delivered")
    during, after = lab.sink.at("/in")
    assert len(during.headers["webhook-signature"].split()) == 2
    assert len(after.headers["webhook-signature"].split()) == 1


async def test_secrets_are_sealed_and_sealed_anew_when_the_key_is_rotated(lab: Lab) -> None:
    one = await lab.add("/in")
    secret = one.secrets[0].reveal()
    for table in ("webhook_endpoint", "audit_log", "job", "event"):
        assert secret not in str(await lab.rows(f"SELECT * FROM {table}")), table  # noqa: S608
    keys = lab.core.keys
    fresh = keys.with_new_primary()
    keys._keys, keys._ciphers, keys._primary = fresh._keys, fresh._ciphers, fresh._primary
    assert await lab.core.database.transaction(lab.core.outbound.endpoints.rewrap) == 1
    assert await lab.core.database.transaction(lab.core.outbound.endpoints.rewrap) == 0
    [(sealed,)] = await lab.rows("SELECT secret_sealed FROM webhook_endpoint")
    assert sealed.split(":")[1] == keys.primary
    assert (await lab.endpoint(one.id)).secrets[0].reveal() == secret
    assert isinstance(keys, KeyRing)
