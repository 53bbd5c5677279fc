"""Every page there is, and an installation that has something to show on each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from callout.ports.errors import UnavailableError
from tests.server.desk import JIRA, OPERATOR, SLACK
from tests.server.test_conflicts import linked
from tests.server.test_dashboard_admin_work import dead, jobs_of
from tests.server.visitor import member

if TYPE_CHECKING:
    from tests.server.desk import Desk

STRANGERS: Final = ("/login", "/login?next=/insights", "/setup/{secret}", "/setup/not-good", "/nothing/here")
"""For who is not signed in, in an installation that has no administrator yet."""
OWN: Final = ("/me", "/nothing/here")
INCIDENTS: Final = (
    "/incidents",
    "/incidents/list",
    "/incidents/list?since=yesterday",
    "/incidents/new",
    "/incidents/{key}",
    "/incidents/{key}/edit",
    "/incidents/{key}/resolve",
    "/incidents/{key}/close",
    "/incidents/{key}/why/severity",
    "/incidents/INC-999",
    "/insights",
)
ADMINISTRATION: Final = (
    "/admin/people",
    "/admin/people/new",
    "/admin/people/ann",
    "/admin/catalogue",
    "/admin/catalogue/teams/new",
    "/admin/catalogue/teams/{team}",
    "/admin/catalogue/services/new",
    "/admin/catalogue/services/{service}",
    "/admin/levels",
    "/admin/escalation",
    "/admin/routing",
    "/admin/routing/{chat}",
    "/admin/tokens",
    "/admin/tokens/new",
    "/admin/audit",
    "/admin/audit?since=yesterday",
    "/admin/audit/chain",
    "/admin/jobs",
    "/admin/settings",
    "/admin/doctor",
)
INTEGRATIONS: Final = (
    "/integrations",
    "/integrations/new",
    "/integrations/new?provider=ticketing_jira",
    "/integrations/{trial}",
    "/integrations/{broken}",
    "/integrations/{trial}/settings",
    "/integrations/{trial}/mapping",
    "/integrations/{broken}/mapping",
    "/integrations/{trial}/rules",
    "/integrations/{trial}/plan",
    "/integrations/{broken}/webhooks",
    "/integrations/{broken}/webhooks/script",
    "/integrations/{trial}/webhooks",
    "/integrations/{trial}/webhooks/{hook}",
    "/integrations/{trial}/deliveries/{delivery}",
    "/integrations/{broken}/access",
)
INSIDE: Final = (*OWN, *INCIDENTS, *INTEGRATIONS, *ADMINISTRATION)
EVERY: Final = (*STRANGERS, *INSIDE)
NO_PAGES: Final = {
    "/": "leads on to the first page",
    "/admin": "leads on to the first tab",
    "/static/{name}": "files of the pages",
    "/live": "the stream",
    "/login/oidc": "leads to the provider",
    "/login/oidc/done": "leads on from there",
    "/incidents/{incident}/files/{file}": "a file to be saved",
    "/insights.json": "figures for machines",
    "/insights.csv": "incidents for a table",
    "/admin/audit.csv": "an export",
    "/admin/audit.json": "an export",
    "/admin/audit/head.json": "the signed head, to be kept",
}
"""What is looked at and is no page of its own."""

TRIAL: Final = {"type": "ticketing_mock_ticketing", "default_project": "TST"}
CHAT: Final = {
    **SLACK,
    "routes": [{"when": {"service": "checkout", "days": ["sat", "sun"]}, "to": ["dm:@commander", "@team"]}],
    "fallback": {"channel": "duty-desk"},
}


async def set_up_link(desk: Desk) -> dict[str, str]:
    """Return what stands for the name in the address of the set-up page, in an installation that has no administrator yet."""
    link = await desk.core.database.transaction(lambda tx: desk.core.setup_links.issue(tx, actor=OPERATOR))
    return {"secret": link.address("").rpartition("/")[2]}


async def furnished(desk: Desk) -> dict[str, str]:
    """Fill an installation so that each page has something to show; return what stands for the names in addresses."""
    key = await desk.api.declare(
        "Checkout is down for customers in Europe",
        severity="SEV-1",
        service="checkout",
        tags=["eu"],
        description="502\nsince 14:05",
    )
    await _worked_on(desk, key)
    for severity in ("SEV-2", "SEV-3", "SEV-4"):
        await desk.api.declare(f"A {severity}", severity=severity)
    await member(desk, role="admin")
    await member(desk, "ann")
    team = {"name": "payments", "members": ["ann@example.com"]}
    await desk.api("POST", "/v1/teams", json=team)
    await desk.api("POST", "/v1/services", json={"name": "checkout", "team": "payments"})
    known = {
        "key": key,
        "team": "payments",
        "service": "checkout",
        "chat": (await desk.add(CHAT, name="team-chat")).id,
        **await _connected(desk),
    }
    await linked(desk, key, name="jira")
    waiting = await jobs_of(desk, "state <> 'dead'")
    for number in waiting[:3]:
        await dead(desk, number, error="HTTP 503 from nowhere")
    return known


async def _worked_on(desk: Desk, key: str) -> None:
    await desk.api.note(key, "the certificate has expired", audience="internal")
    await desk.api.note(key, "we are looking into it", audience="customer")
    await desk.api.act(key, "acknowledge")
    await desk.api.request("POST", f"/v1/incidents/{key}/tasks", json={"title": "renew the certificate"})
    await desk.api.request(
        "POST",
        f"/v1/incidents/{key}/attachments?name=error.log",
        content=b"502",
        headers={"content-type": "text/plain"},
    )
    await desk.api.patch(key, severity="SEV-2")


async def _connected(desk: Desk) -> dict[str, str]:
    """Connect a system that answers, whose tickets somebody is told of, and one that does not."""
    trial, broken = await desk.add(TRIAL, name="trial"), await desk.add(JIRA, name="broken")
    refused = UnavailableError("nobody answers there", remediation="Look at the network.")
    await desk.core.database.transaction(
        lambda tx: desk.core.health.failed(tx.account(desk.account), broken.id, refused)
    )
    body = {"url": "http://127.0.0.1:9/hook", "integration": "trial", "name": "reports"}
    hook = await desk.api.request("POST", "/v1/webhooks", json=body)
    sent = await desk.api.request("POST", "/v1/webhooks/reports/test")
    return {
        "trial": trial.id,
        "broken": broken.id,
        "hook": hook.json()["result"]["id"],
        "delivery": sent.json()["result"]["id"],
    }
