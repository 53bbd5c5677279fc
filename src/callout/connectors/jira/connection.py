"""The connection check: who we are there, what we may do, and whose clock is off."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from callout.connectors.jira import mapping
from callout.connectors.jira.client import JiraClient
from callout.connectors.jira.config import JiraConfig
from callout.connectors.jira.metadata import zone_of
from callout.kit.clock import Clock
from callout.ports.errors import RecordNotFoundError, RejectedError, UnavailableError
from callout.ports.provider import ConnectionReport

NEEDED: Final = {
    "BROWSE_PROJECTS": "read issues",
    "CREATE_ISSUES": "create tickets",
    "EDIT_ISSUES": "change tickets",
    "TRANSITION_ISSUES": "change a ticket's status",
    "ADD_COMMENTS": "add comments",
    "CREATE_ATTACHMENTS": "attach files",
}
"""Permission → what we cannot do without it."""
TOLERATED_SKEW: Final = timedelta(minutes=2)


async def check_connection(config: JiraConfig, client: JiraClient, clock: Clock) -> ConnectionReport:
    """Return what was found. Raises AuthFailedError, UnavailableError."""
    before = clock.now()
    user, their_time = await client.get_current_user()
    # The Date header has whole seconds: compared with the middle of our own waiting.
    ours = before + (clock.now() - before) / 2
    skew = timedelta() if their_time is None else their_time - ours
    account = mapping.person(user)
    if account is None:
        raise UnavailableError("this address answers, but not as Jira does: it did not say who we are")
    warnings = await _permission_warnings(config, client)
    blocking = tuple(said for said in warnings if NEEDED["CREATE_ATTACHMENTS"] not in said)
    if abs(skew) > TOLERATED_SKEW:
        warnings.append(
            f"the clocks differ by {round(abs(skew).total_seconds())} s: set this machine's clock by NTP,"
            " or webhooks are refused as too old or too new"
        )
    zone = user.get("timeZone") or ""
    if zone_of(user).key != (zone or "UTC"):
        warnings.append(
            f"the account's time zone {zone!r} is unknown here: choose another one in the account's profile,"
            " or polling may look at the wrong hours"
        )
    return ConnectionReport(
        ok=True,
        account=account,
        instance=config.url,
        time_zone=zone_of(user).key,
        clock_skew=skew,
        warnings=tuple(warnings),
        blocking=blocking,
    )


async def _permission_warnings(config: JiraConfig, client: JiraClient) -> list[str]:
    project = config.default_project
    try:
        answer = await client.get_my_permissions(sorted(NEEDED), project_key=project)
    except (RecordNotFoundError, RejectedError):
        problem = (
            f"the default project {project!r} is not visible: check its key, and grant Browse Projects in it"
            " to the integration's user"
        )
        return [problem]
    where = f"in project {project}" if project else "in any project"
    missing = [key for key in NEEDED if not answer["permissions"].get(key, {}).get("havePermission")]
    return [
        f"cannot {NEEDED[key]} {where}: grant {answer['permissions'].get(key, {}).get('name', key)}"
        " in the permission scheme"
        for key in missing
    ]
