"""How integrations fare, what was done, and the descriptions of the API, as a program with the SDK reads them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from callout.ports.errors import AuthFailedError, UnavailableError
from tests.unified.refusals import refused
from tests.unified.sdk import Sdk


async def reported(sdk: Sdk, one: Any, *errors: Exception | None) -> None:
    """Let calls to a vendor have come out as `errors` say: None for well."""
    health = sdk.installation.core.health
    for error in errors:
        if error is None:
            await sdk.installation.in_account(lambda tx: health.succeeded(tx, one.id, requests=2))
        else:
            await sdk.installation.in_account(lambda tx, error=error: health.failed(tx, one.id, error))  # type: ignore[misc]


async def test_the_status_of_an_integration_and_its_history(sdk_on_both: Sdk) -> None:
    sdk, status = sdk_on_both, sdk_on_both.management.status
    one = (await sdk.connect(sdk.config("ticketing_mock_ticketing"), name="test")).integration
    other = (await sdk.connect(sdk.config("ticketing_mock_ticketing"), name="other")).integration
    fresh = (await status.get("default", "test")).result
    assert (fresh.status, fresh.requests, fresh.failed) == ("unknown", 0, 0)
    gone, refusal = UnavailableError("away"), AuthFailedError("no longer known")
    await reported(sdk, one, None, None, gone, gone, refusal, None)
    now = (await status.get("default", one.id)).result
    assert (now.status, now.requests, now.failed, now.api_ops) == ("ok", 9, 3, 9)

    events = (await status.list_events("default", "test")).result
    assert [(e.status, e.request, e.error) for e in events] == [
        ("ok", 2, None),
        ("degraded", 5, "away"),
        ("failed", 7, "no longer known"),
        ("ok", 9, None),
    ]
    newest = (await status.list_events("default", "test", order="created_at[desc]", limit=1)).result
    assert newest == events[-1:]
    after = events[1].created_at.isoformat()
    assert (await status.list_events("default", "test", start_after=after)).result == events[2:]
    assert (await status.list_events("default", "test", filter="status[eq]failed")).result == [events[2]]

    for series in (
        (await status.get_timeseries()).result,
        (await status.get_integration_timeseries("default", "test", interval="hour")).result,
    ):
        assert (sum(h.succeeded for h in series.series), sum(h.failed for h in series.series)) == (6, 3)
        assert len(series.series) == 25
    listed = await status.list(expand="all", filter="integration.name[eq]test")
    assert [(s.integration.id, s.account.name) for s in listed.result] == [(one.id, "default")]
    pages = [(await status.list(limit=1)).result[0]]
    mark = f"{pages[0].account_id},{pages[0].integration_id}"
    pages += (await status.list(start_after=mark)).result
    assert {s.integration_id for s in pages} == {one.id, other.id}
    assert [s.requests for s in (await status.list(order="requests[desc]")).result] == [9, 0]
    assert [s.requests for s in (await status.list(filter="requests[gte]9")).result] == [9]

    await status.reset("default", "test")
    assert (await status.get("default", "test")).result.status == "unknown"
    assert (await status.list_events("default", "test")).result == []
    await refused(status.get("default", "nothing"), 404, "not-found")


async def test_every_write_is_in_the_audit_with_its_request(sdk_on_both: Sdk) -> None:
    sdk, manage = sdk_on_both, sdk_on_both.management
    began = datetime.now(UTC)
    account = (await manage.accounts.create(name="audited", environment="test")).result.account
    made = await manage.integrations.create(
        "audited", name="one", provider_config={"type": "ticketing_mock_ticketing"}
    )
    await manage.accounts.patch(
        "audited", request=[{"op": "replace", "path": "/fullname", "value": "Audited"}]
    )
    await manage.integrations.delete("audited", "one")
    entries = (
        await manage.audit.list(filter=["account_id[eq]" + account.id, f"created_at[gte]{began.isoformat()}"])
    ).result
    seen = [
        (e.method.value, e.path, e.code, raw["action"])
        for e, raw in zip(entries, sdk.raw["result"], strict=True)
    ]
    one = "/v1/integrations/audited"
    assert seen == [
        ("POST", "/v1/accounts", "200", "account.created"),
        ("POST", one, "200", "token.created"),
        ("POST", one, "200", "integration.created"),
        ("PATCH", "/v1/accounts/audited", "200", "account.updated"),
        ("DELETE", f"{one}/one", "204", "token.revoked"),
        ("DELETE", f"{one}/one", "204", "integration.deleted"),
    ]
    assert {(e.environment, e.remote_addr) for e in entries} == {("test", "127.0.0.1")}
    assert all(e.user_agent.startswith("Synqly-Python-SDK/") for e in entries)
    assert made.result.token.access.secret not in sdk.answers[-1].text

    first = (await manage.audit.list(limit=2, filter=f"account_id[eq]{account.id}")).result
    rest = (
        await manage.audit.list(
            start_after=first[-1].created_at.isoformat(), filter=f"account_id[eq]{account.id}"
        )
    ).result
    assert first + rest == entries
    turned = (await manage.audit.list(order="created_at[desc]", filter=f"account_id[eq]{account.id}")).result
    assert turned == entries[::-1]
    assert (
        len(
            (await manage.audit.list(filter=["path[like]/v1/integrations/audited*", "method[ne]POST"])).result
        )
        == 2
    )
    assert (await manage.audit.list(filter="member_id[in]a,b")).result == []
    for wrong in ("nothing[eq]x", "created_at[gt]yesterday", "path[approx]x", "path"):
        await refused(manage.audit.list(filter=wrong), 400, "invalid-filter")
    await refused(manage.audit.list(order="path"), 400, "invalid-filter")
    await refused(manage.audit.list(start_after="yesterday"), 400, "invalid-cursor")


async def test_each_half_of_the_api_is_described(sdk: Sdk) -> None:
    management = await sdk.management.meta.management_openapi_spec()
    engine = await sdk.management.meta.engine_openapi_spec()
    assert "/v1/accounts" in management["paths"]
    assert "/v1/ticketing/tickets" in engine["paths"]
    assert not management["paths"].keys() & engine["paths"].keys()
