"""ServiceNow's JSON in its own words. With raw values every field of every record is text, empty where there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict

Record = Mapping[str, str]
"""A record by column name; dot-walked columns keep their path as name (`assigned_to.name`)."""

LABEL_SUFFIX = "::label"
"""`state::label` is the label of `state`, where a record was asked for with its labels."""


@dataclass(frozen=True, slots=True)
class RecordPage:
    """A list as it came: `total` counts before hidden records were taken out, None where it was not told.

    `limit` is how many were asked for in the end: fewer than the caller wanted, where the instance gave up on so many.
    """

    records: tuple[Record, ...]
    total: int | None
    date: datetime | None = None
    limit: int = 0


class NextStates(TypedDict, total=False):
    """The answer of `/change/{sys_id}/nextstates`."""

    available_states: list[str]
    state_label: dict[str, str]


class OAuthTokens(TypedDict, total=False):
    """The answer of the token endpoint."""

    access_token: str
    refresh_token: str
    expires_in: int


class JournalItem(TypedDict, total=False):
    """A journal entry as our business rule tells it."""

    element: str
    value: str
    sys_id: str


class HookActor(TypedDict, total=False):
    """Who made a change, as our business rule tells it."""

    sys_id: str
    name: str
    email: str


class HookBody(TypedDict, total=False):
    """What our business rule posts (see `script.py`)."""

    event: str
    event_id: str
    sent_at: str
    table: str
    sys_id: str
    number: str
    operation: str
    sys_mod_count: str
    sys_updated_on: str
    sys_updated_by: str
    actor: HookActor
    record: dict[str, str]
    changed_fields: list[str]
    journal: list[JournalItem]
