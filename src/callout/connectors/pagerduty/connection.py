"""The connection check: who we are there, what we may do, and whose clock is off."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from callout.connectors.pagerduty import mapping
from callout.connectors.pagerduty.account import Account
from callout.connectors.pagerduty.config import PagerDutyConfig
from callout.connectors.pagerduty.directory_client import DirectoryClient
from callout.connectors.pagerduty.errors import NEEDS_FROM
from callout.connectors.pagerduty.rest import Rest
from callout.kit.clock import Clock
from callout.ports.errors import PermissionDeniedError, RejectedError
from callout.ports.provider import ConnectionReport
from callout.ports.values import Person

TOLERATED_SKEW: Final = timedelta(minutes=2)
ACCOUNT_KEY: Final = Person("account", "an account key")


async def check_connection(
    config: PagerDutyConfig, client: DirectoryClient, rest: Rest, account: Account, clock: Clock
) -> ConnectionReport:
    """Return what was found. Raises AuthFailedError, UnavailableError."""
    before = clock.now()
    await client.list_abilities()
    # The Date header has whole seconds: compared with the middle of our own waiting.
    ours = before + (clock.now() - before) / 2
    skew = timedelta() if rest.server_time is None else rest.server_time - ours
    warnings: list[str] = []
    me, zone, page = await _identity(config, client, warnings)
    blocking = tuple(said for said in warnings if NEEDS_FROM in said)
    await _look_round(config, client, account, warnings)
    if abs(skew) > TOLERATED_SKEW:
        warnings.append(
            f"the clocks differ by {round(abs(skew).total_seconds())} s: set this machine's clock by NTP,"
            " or webhooks are refused as too old or too new"
        )
    return ConnectionReport(
        ok=True,
        account=me,
        instance=page or config.rest_url,
        time_zone=zone,
        clock_skew=skew,
        warnings=tuple(warnings),
        blocking=blocking,
    )


async def _identity(
    config: PagerDutyConfig, client: DirectoryClient, warnings: list[str]
) -> tuple[Person, str, str]:
    """Return who writes, in which time zone, and the address of the account's pages."""
    try:
        user = await client.get_current_user()
    except RejectedError:
        user = None  # an account key is nobody's: the From header says who acts
    except PermissionDeniedError:
        warnings.append("the credential may not read users: give it the scope users.read to assign people")
        return ACCOUNT_KEY, "UTC", ""
    if user is None and config.default_creator:
        wanted = config.default_creator.casefold()
        page = await client.list_users(config.default_creator)
        user = next((one for one in page["users"] if (one.get("email") or "").casefold() == wanted), None)
        if user is None:
            warnings.append(
                f"default_creator {config.default_creator!r} is no user of this account, so nothing can be written: {NEEDS_FROM}"
            )
    elif user is None:
        warnings.append(f"this key belongs to no user, so nothing can be written: {NEEDS_FROM}")
    found = mapping.person(user)
    if found is None or user is None:
        return ACCOUNT_KEY, "UTC", ""
    address = urlsplit(user.get("html_url") or "")
    return (
        found,
        user.get("time_zone") or "UTC",
        f"{address.scheme}://{address.netloc}" if address.netloc else "",
    )


async def _look_round(
    config: PagerDutyConfig, client: DirectoryClient, account: Account, warnings: list[str]
) -> None:
    account.forget()
    if config.default_project:
        try:
            service = await account.service(config.default_project)
        except RejectedError as error:
            warnings.append(f"{error.message}: {error.remediation}")
        else:
            if service.get("status") == "disabled":
                warnings.append(
                    f"the default service {service.get('name')!r} is disabled: enable it, or name another as default_project"
                )
    priorities = await _permitted("priorities.read", "read priorities", account.priorities, warnings)
    if priorities is not None and not priorities:
        warnings.append(
            "the account has no priorities, so severity becomes urgency (high or low) only: switch them on under"
            " Account Settings → Incident Priorities to tell more apart"
        )
    await _permitted(
        "webhook_subscriptions.read",
        "look after the webhook subscription",
        lambda: client.list_webhook_subscriptions(offset=0, limit=1),
        warnings,
    )


async def _permitted(
    scope: str, what: str, read: Callable[[], Awaitable[object]], warnings: list[str]
) -> object | None:
    try:
        return await read()
    except PermissionDeniedError:
        warnings.append(f"cannot {what}: give the credential the scope {scope}")
        return None
