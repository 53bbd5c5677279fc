"""What of an installation travels in an export: every table there is has its place in one of three lists, and a test sees to it.

Travelling is what the organization owns. Staying behind is what is secret, what only means something where it was made (work under
way, leases, counters of a database), and what tells how one installation fared. The audit record is written out to be read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from callout.access.tables import accounts, chat_identities, members, oidc_identities, organizations
from callout.audit.tables import audit_heads, audit_log
from callout.bootstrap.tables import METADATA
from callout.chatops.tables import chat_channel, chat_file, chat_message
from callout.incidents import response_tables as response
from callout.incidents import tables as incidents
from callout.integrations.tables import credentials, integrations, pauses
from callout.kit.redaction import is_secret_name
from callout.storage.portable import Portable
from callout.sync import tables as sync
from callout.webhooks.tables import webhook_endpoint, webhook_told

if TYPE_CHECKING:
    from sqlalchemy import Table

IMPORTED_WHY: Final = "it came with an import"
"""Why a webhook endpoint that an import switched off is off."""

_ALL: Final = (
    Portable(organizations, frozenset({"refresh_token_id"})),
    Portable(accounts),
    Portable(members, frozenset({"password_hash", "failed_logons", "locked_until"})),
    Portable(oidc_identities),
    Portable(chat_identities, frozenset({"failed_codes", "codes_locked_until"})),
    Portable(response.catalogue_team),
    Portable(response.catalogue_service),
    Portable(response.response_setting),
    Portable(integrations, frozenset({"refresh_token_id", "hook_token_hash", "hook_token_sealed"})),
    Portable(credentials, frozenset({"sealed"})),
    Portable(pauses, key=("account_id", "scope", "scope_id")),
    Portable(webhook_endpoint, frozenset({"secret_sealed", "previous_sealed", "previous_until"})),
    # Which changes endpoints were told: a poll after the move tells none of them again.
    Portable(webhook_told),
    Portable(incidents.incident),
    Portable(incidents.incident_counter),
    Portable(incidents.incident_tag),
    Portable(incidents.incident_role),
    Portable(incidents.incident_participant),
    Portable(incidents.incident_note),
    Portable(incidents.incident_message),
    Portable(incidents.incident_task),
    Portable(incidents.timeline_entry),
    Portable(incidents.incident_attachment),
    Portable(incidents.incident_attachment_part, at_once=8),
    Portable(response.incident_clock),
    Portable(response.incident_escalation),
    Portable(response.incident_page),
    # Links with what both sides agreed on last, and what was seen of tickets: sync goes on as if nothing had been.
    Portable(sync.sync_link),
    Portable(sync.sync_comment),
    Portable(sync.sync_file),
    Portable(sync.sync_poll),
    Portable(sync.sync_seen),
    Portable(sync.sync_decided),
    Portable(sync.sync_need),
    Portable(sync.sync_shadow),
    # Channels, cards and files there: they are written on, not made anew.
    Portable(chat_channel),
    Portable(chat_message),
    Portable(chat_file),
)
TO_READ: Final = (Portable(audit_log), Portable(audit_heads, frozenset({"signature"})))
"""Written out to be read, never taken in: a chain sealed with other keys would prove nothing here."""
STAYS: Final[Mapping[str, str]] = {
    # Secret, or the other half of something secret.
    "tokens": "tokens are made anew where they are to work",
    "token_secrets": "tokens are made anew where they are to work",
    "sessions": "who is signed in is signed in there",
    "setup_links": "a secret, and short-lived",
    "chat_codes": "a secret, and short-lived",
    "oauth_tokens": "secrets that change at each use: connect again",
    # Work under way: it is done there, or begun again here from what travels.
    **dict.fromkeys(
        (
            *("job", "job_partition", "job_engine", "job_lease", "job_dedupe", "job_schedule"),
            *("job_budget", "job_budget_slot", "job_quota", "sync_backfill"),
        ),
        "work under way and its means",
    ),
    **dict.fromkeys(("event", "event_feed"), "the feed of changes of one installation; clients begin anew"),
    "inbound_event": "webhooks as they came in, some with secrets in their headers; polling finds what was not done",
    **dict.fromkeys(
        ("webhook_message", "webhook_delivery", "webhook_attempt"), "what was sent to endpoints from there"
    ),
    **dict.fromkeys(("idempotency_keys", "chat_invocation"), "answers kept for a repetition within hours"),
    "sign_in_tries": "wrong tries at one door",
    "oidc_logouts": "who signed out at the provider has done so; remembered for minutes",
    "settings_version": "a counter that tells processes of a change",
    **dict.fromkeys(
        ("integration_health", "integration_problem", "integration_event", "integration_usage"),
        "how integrations fared there",
    ),
}
"""Tables that stay behind, and why."""

_TRAVELS: Final[Mapping[str, Portable]] = {one.name: one for one in _ALL}
TRAVELS: Final = tuple(_TRAVELS[table.name] for table in METADATA.sorted_tables if table.name in _TRAVELS)
"""What travels, in an order in which rows may be inserted."""
# What stands in columns that stayed behind until `importing` gives them their values.
FILLED: Final[Mapping[str, Mapping[str, Any]]] = {
    "organizations": {"refresh_token_id": ""},
    "credentials": {"sealed": {}},
    "webhook_endpoint": {"secret_sealed": ""},
    "integrations": {"refresh_token_id": "", "hook_token_sealed": ""},
}


def unplaced() -> list[str]:
    """Return the tables of the schema that stand in none of the lists, or in several."""
    places = [*_TRAVELS, *(one.name for one in TO_READ), *STAYS]
    return sorted(
        {name for name in METADATA.tables if places.count(name) != 1} | {*places} - {*METADATA.tables}
    )


def unfilled() -> list[str]:
    """Return the columns that stay behind, may not be empty, and are given no value by an import."""
    made = {("integrations", "hook_token_hash")}  # its own value for each row
    return [
        f"{one.name}.{column.name}"
        for one in TRAVELS
        for column in one.table.c
        if column.name in one.left_out
        and not column.nullable
        and column.server_default is None
        and column.name not in FILLED.get(one.name, {})
        and (one.name, column.name) not in made
    ]


def leaving(table: Table, row: dict[str, Any], *, held: frozenset[str]) -> dict[str, Any]:
    """Return a JSON row without secrets that stand inside its documents, and with what an earlier import holds as it was before that.

    `held`: the integrations that an import switched off here.
    """
    if table is integrations:
        row["webhook_config"] = _without_keys(row["webhook_config"])
        row["enabled"] = row["enabled"] or row["id"] in held
    elif table is webhook_endpoint and row["disabled_why"] == IMPORTED_WHY:
        row |= {"state": "enabled", "disabled_why": "", "disabled_at": None}
    return row


def _without_keys(config: Any) -> Any:  # noqa: ANN401  # a JSON document
    """Return webhook settings without signing keys, by whatever name they go."""
    if isinstance(config, dict):
        return {name: _without_keys(value) for name, value in config.items() if not _is_key(name)}
    return [_without_keys(one) for one in config] if isinstance(config, list) else config


def _is_key(name: str) -> bool:
    # An address is where to send to, as in the table of endpoints.
    return name != "webhook_url" and (
        name.endswith("_key") or name == "previous_until" or is_secret_name(name)
    )


__all__ = ["FILLED", "IMPORTED_WHY", "STAYS", "TO_READ", "TRAVELS", "leaving", "unfilled", "unplaced"]
