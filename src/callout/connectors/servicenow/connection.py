"""The connection check: who we are there, what we may read, whose clock is off, how the instance reads times."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from callout.connectors.servicenow import encoded
from callout.connectors.servicenow.client import TableApi
from callout.connectors.servicenow.config import SECURITY_TABLE, ServiceNowConfig
from callout.connectors.servicenow.metadata import Metadata
from callout.connectors.servicenow.people import person
from callout.connectors.servicenow.records import Records
from callout.connectors.servicenow.wire import RecordPage
from callout.kit.clock import Clock
from callout.ports.errors import PermissionDeniedError, RejectedError
from callout.ports.provider import ConnectionReport
from callout.ports.values import Person

TOLERATED_SKEW: Final = timedelta(minutes=2)
PROBES: Final = {
    "sys_choice": "states, priorities and close codes are known by what records show only, and cannot be set",
    "sys_dictionary": "columns cannot be checked before they are written",
    "sys_db_object": "tables cannot be listed",
    "sys_audit": "of an edit made in the very moment of a write of ours it is told that there was one, not what it said",
    "sys_journal_field": "comments are read from the records' own text, without ids, and cannot be deleted",
}
"""Table of the platform → what does not work without reading it."""
MAY_BE_EMPTY: Final = frozenset({"sys_audit", "sys_journal_field"})


async def check_connection(
    config: ServiceNowConfig, api: TableApi, metadata: Metadata, records: Records, clock: Clock
) -> ConnectionReport:
    """Return what was found. Raises AuthFailedError, UnavailableError."""
    before = clock.now()
    page, refusal = await _own_table(api, records.default_table)
    # The Date header has whole seconds: compared with the middle of our own waiting.
    ours = before + (clock.now() - before) / 2
    skew = page.date - ours if page is not None and page.date is not None else timedelta()
    user = await records.myself()
    account = person(user) if user is not None else None
    warnings = [refusal] if refusal else []
    if not refusal:
        warnings += await _unreadable(api)
        warnings += await _unknown_columns(config, metadata, records)
    if account is None:
        account = Person("", "a user that sys_user does not show")
        warnings.append("cannot read our own user: grant the integration's user read access to sys_user")
    if abs(skew) > TOLERATED_SKEW:
        warnings.append(
            f"the clocks differ by {round(abs(skew).total_seconds())} s: set this machine's clock by NTP,"
            " or webhooks are refused as too old or too new"
        )
    zone_name, zone_warnings = "UTC", list[str]()
    if not refusal:
        zone = await records.zone()
        zone_name = zone.name
        if not zone.verified:
            zone_warnings.append(
                f"could not find out how the instance reads times in queries (taken: {zone.name}): set the time zone"
                " of the integration's user to GMT"
            )
        elif zone.name not in {"UTC", "GMT"}:
            zone_warnings.append(
                f"times in queries are read as {zone.name}: set the time zone of the integration's user to GMT, so that"
                " no hour of the year is read twice"
            )
    return ConnectionReport(
        ok=not refusal,
        account=account,
        instance=config.url,
        time_zone=zone_name,
        clock_skew=skew,
        warnings=(*warnings, *zone_warnings),
    )


async def _own_table(api: TableApi, table: str) -> tuple[RecordPage | None, str]:
    """Read one record of the table of tickets; return the answer, or why there is none."""
    try:
        return await api.query(table, "", fields=("sys_id", "sys_updated_on"), limit=1), ""
    except PermissionDeniedError:
        role = "sn_si.basic" if table == SECURITY_TABLE else "itil"
        return None, f"cannot read {table}: give the integration's user the role {role}"
    except RejectedError as error:
        if error.vendor_code != "invalid_table":
            raise
    plugin = (
        "install Security Incident Response (sn_si)" if table == SECURITY_TABLE else "correct default_project"
    )
    return None, f"the instance has no table {table}: {plugin}"


async def _unreadable(api: TableApi) -> list[str]:
    warnings: list[str] = []
    for table, consequence in PROBES.items():
        try:
            page = await api.query(table, "", fields=("sys_id",), limit=1)
        except PermissionDeniedError:
            page = RecordPage((), 0)
        # A journal may truly be empty; most others never are.
        if not page.records and not (table in MAY_BE_EMPTY and await _readable_if_empty(api, table)):
            warnings.append(
                f"cannot read {table}: {consequence}; grant the integration's user read access to it"
            )
    return warnings


async def _readable_if_empty(api: TableApi, table: str) -> bool:
    """Return whether an empty list is an answer and not a refusal in disguise."""
    try:
        page = await api.query(table, encoded.is_not_empty("sys_id"), fields=("sys_id",), limit=1)
    except PermissionDeniedError:
        return False
    return page.total is not None


async def _unknown_columns(config: ServiceNowConfig, metadata: Metadata, records: Records) -> list[str]:
    table = await metadata.table(records.default_table)
    if not table.columns:
        return []
    wanted = {path.split(".")[0]: name for name, path in config.mappings_for(table.name).items()}
    if config.tags_field:
        wanted[config.tags_field] = "tags_field"
    return [
        f"{table.name} has no column {path} ({name}): correct the mapping, or add the column"
        for path, name in wanted.items()
        if path not in table.columns
    ]
